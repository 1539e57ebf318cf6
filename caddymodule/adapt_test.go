package caddymodule

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

// adapt turns a Caddyfile into JSON.
func adapt(text string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	return config, err
}

// adapted returns the app and the handlers of a name in a Caddyfile.
func adapted(t *testing.T, text string) (app map[string]any, handlers func(name string) []map[string]any) {
	t.Helper()
	config, err := adapt(text)
	require.NoError(t, err)
	var all struct {
		Apps map[string]json.RawMessage `json:"apps"`
	}
	require.NoError(t, json.Unmarshal(config, &all))
	if raw, ok := all.Apps["webhooks"]; ok {
		require.NoError(t, json.Unmarshal(raw, &app))
	}
	return app, func(name string) []map[string]any {
		var http any
		require.NoError(t, json.Unmarshal(all.Apps["http"], &http))
		return handlersIn(http, name)
	}
}

func handlersIn(node any, name string) (found []map[string]any) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			found = append(found, handlersIn(child, name)...)
		}
	case map[string]any:
		if node["handler"] == name {
			found = append(found, node)
		}
		for _, child := range node {
			found = append(found, handlersIn(child, name)...)
		}
	}
	return found
}

// strict decodes JSON as Caddy does: an unknown field is an error.
func strict(t *testing.T, from any, module caddy.Module) {
	t.Helper()
	text, err := json.Marshal(from)
	require.NoError(t, err)
	require.NoError(t, caddy.StrictUnmarshalJSON(text, module))
}

// everyOption is the documented Caddyfile with every option in it.
const everyOption = `{
	webhooks {
		redis {
			address 127.0.0.1:7000 127.0.0.1:7001
			cluster
			sentinel_password {env.SENTINEL}
			username app
			password {env.PASSWORD}
			db 0
			tls {
				ca /ca.pem
				cert /cert.pem
				key /key.pem
				server_name redis.internal
			}
			timeout 2s
			replicas 1
		}
		key_prefix shop
		tracing
		sender {
			retry 0s 10s 1m
			timeout 10s
			concurrency 64
			per_webhook 8
			max_pending 500
			max_pending_account 5000
			max_age 2d
			disable_after 3d
			deliver off
			allow_http
			allow_networks 10.0.0.0/8 private_ranges
			proxy http://proxy:3128
			encryption_key {env.KEY} {env.OLD_KEY}
			event_types order.paid order.cancelled
			retention_succeeded 2h
			retention_failed 48h
			history 10 1h
			notify_url https://ops.example.com/hook {env.NOTIFY_SECRET}
			gone disable
			propagate_trace
			brand Acme
		}
	}
}
api.example.com {
	webhook_api {
		api_key {env.KEY_1}
		api_key {env.KEY_2} shop
		api_key {env.KEY_3} * publish
	}
}
hooks.example.com {
	webhook_receiver /webhooks {
		name shop
		scheme hmac {
			header X-Signature
			alg sha512
			payload "{t}.{method}.{url}.{body}"
			timestamp_header X-Timestamp
		}
		secret {env.SECRET}
		secret {env.OLD} {file./run/old}
		tolerance 1m
		url https://hooks.example.com/webhooks
		allow 127.0.0.1 10.0.0.0/8
		allow {env.OFFICE}
		allow static private_ranges
		max_size 1MiB
		methods POST PUT
		dedup {
			id header X-Event-Id
			digest off
			ttl 24h
			lease 1m
			timeout 1m
			on_store_error reject
		}
		queue {
			retry 0s 5s
			timeout 20s
			concurrency 4
			max_length 1000
			deliver {
				header_up_is_not_needed_here
			}
		}
		dry_run
	}
}
`

func TestEveryOption(t *testing.T) {
	t.Parallel()
	app, handlers := adapted(t, strings.Replace(everyOption, "header_up_is_not_needed_here", "reverse_proxy app:9000", 1))
	const second = float64(1e9)
	require.Equal(t, map[string]any{
		"redis": map[string]any{
			"addresses": []any{"127.0.0.1:7000", "127.0.0.1:7001"}, "cluster": true, "sentinel_password": "{env.SENTINEL}",
			"username": "app", "password": "{env.PASSWORD}", "timeout": 2 * second, "replicas": 1.0,
			"tls": map[string]any{"ca": "/ca.pem", "cert": "/cert.pem", "key": "/key.pem", "server_name": "redis.internal"},
		},
		"key_prefix": "shop",
		"tracing":    true,
		"sender": map[string]any{
			"retry": []any{0.0, 10 * second, 60 * second}, "timeout": 10 * second, "concurrency": 64.0, "per_webhook": 8.0,
			"max_pending": 500.0, "max_pending_account": 5000.0, "max_age": 48 * 3600 * second, "disable_after": 72 * 3600 * second, "deliver_off": true, "allow_http": true,
			"allow_networks": []any{"10.0.0.0/8", "private_ranges"}, "proxy": "http://proxy:3128",
			"encryption_keys": []any{"{env.KEY}", "{env.OLD_KEY}"}, "event_types": []any{"order.paid", "order.cancelled"},
			"retention_succeeded": 2 * 3600 * second, "retention_failed": 48 * 3600 * second,
			"history_entries": 10.0, "history_age": 3600 * second,
			"notify_url": "https://ops.example.com/hook", "notify_secret": "{env.NOTIFY_SECRET}",
			"gone_disable": true, "propagate_trace": true, "brand": "Acme",
		},
	}, app)
	strict(t, app, new(App))

	apis := handlers("webhook_api")
	require.Len(t, apis, 1)
	require.Equal(t, []any{
		map[string]any{"key": "{env.KEY_1}"},
		map[string]any{"key": "{env.KEY_2}", "account": "shop"},
		map[string]any{"key": "{env.KEY_3}", "account": "*", "role": "publish"},
	}, apis[0]["keys"])

	receivers := handlers("webhook_receiver")
	require.Len(t, receivers, 1)
	r := receivers[0]
	require.Len(t, handlersIn(r["queue"], "reverse_proxy"), 1)
	deliver := r["queue"].(map[string]any)["deliver"]
	require.Equal(t, map[string]any{
		"handler": "webhook_receiver",
		"name":    "shop",
		"scheme":  map[string]any{"name": "hmac", "header": "X-Signature", "alg": "sha512", "payload": "{t}.{method}.{url}.{body}", "timestamp_header": "X-Timestamp"},
		"secrets": []any{"{env.SECRET}", "{env.OLD}", "{file./run/old}"}, "tolerance": 60 * second,
		"url":   "https://hooks.example.com/webhooks",
		"allow": []any{"127.0.0.1", "10.0.0.0/8", "{env.OFFICE}"},
		"allow_sources": []any{map[string]any{"source": "static", "ranges": []any{
			"192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8", "127.0.0.1/8", "fd00::/8", "::1",
		}}},
		"max_size": float64(1 << 20), "methods": []any{"POST", "PUT"},
		"dedup": map[string]any{
			"id_header": "X-Event-Id", "digest_off": true, "ttl": 24 * 3600 * second, "lease": 60 * second,
			"timeout": 60 * second, "on_store_error": "reject",
		},
		"queue": map[string]any{
			"retry": []any{0.0, 5 * second}, "timeout": 20 * second, "concurrency": 4.0, "max_length": 1000.0, "deliver": deliver,
		},
		"dry_run": true,
	}, r)
	delete(r, "handler") // Caddy takes it out before it decodes
	strict(t, r, new(Receiver))
}

func TestShortForms(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		directive string
		want      string
	}{
		"scheme and secret":  {"webhook_receiver github {env.S}", `{"scheme":{"name":"github"},"secrets":["{env.S}"]}`},
		"matcher":            {"webhook_receiver /in github {env.S}", `{"scheme":{"name":"github"},"secrets":["{env.S}"]}`},
		"several secrets":    {"webhook_receiver github a b", `{"scheme":{"name":"github"},"secrets":["a","b"]}`},
		"default scheme":     {"webhook_receiver {\nsecret a\n}", `{"scheme":{"name":"videocloud"},"secrets":["a"]}`},
		"secret in both":     {"webhook_receiver github a {\nsecret b\n}", `{"scheme":{"name":"github"},"secrets":["a","b"]}`},
		"scheme in block":    {"webhook_receiver {\nscheme github\nsecret a\n}", `{"scheme":{"name":"github"},"secrets":["a"]}`},
		"dedup off":          {"webhook_receiver github a {\ndedup off\n}", `{"scheme":{"name":"github"},"secrets":["a"],"dedup":{"off":true}}`},
		"challenge":          {"webhook_receiver meta a {\nchallenge {env.TOKEN}\n}", `{"scheme":{"name":"meta"},"secrets":["a"],"challenge":"{env.TOKEN}"}`},
		"tolerance off":      {"webhook_receiver stripe a {\ntolerance off\n}", `{"scheme":{"name":"stripe"},"secrets":["a"],"tolerance_off":true}`},
		"id in the body":     {"webhook_receiver github a {\ndedup {\nid json /id\n}\n}", `{"scheme":{"name":"github"},"secrets":["a"],"dedup":{"id_pointer":"/id"}}`},
		"require_timestamp":  {"webhook_receiver videocloud a {\nrequire_timestamp\n}", `{"scheme":{"name":"videocloud"},"secrets":["a"],"require_timestamp":true}`},
		"braces in a secret": {"webhook_receiver github `a}b`", `{"scheme":{"name":"github"},"secrets":["a}b"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, handlers := adapted(t, "example.com {\n"+test.directive+"\n}")
			receivers := handlers("webhook_receiver")
			require.Len(t, receivers, 1)
			delete(receivers[0], "handler")
			got, err := json.Marshal(receivers[0])
			require.NoError(t, err)
			require.JSONEq(t, test.want, string(got))
		})
	}
}

func TestOrderOfDirectives(t *testing.T) {
	t.Parallel()
	config, err := adapt("example.com {\nreverse_proxy app:9000\nwebhook_receiver github s\nforward_auth auth:1 {\nuri /\n}\nwebhook_api {\nanonymous\n}\n}")
	require.NoError(t, err)
	auth := strings.Index(string(config), `"handle_response"`)
	receiver := strings.Index(string(config), `"webhook_receiver"`)
	api := strings.Index(string(config), `"webhook_api"`)
	app := strings.Index(string(config), `"app:9000"`)
	require.True(t, auth < receiver && receiver < api && api < app, fmt.Sprint(auth, receiver, api, app))
}
