package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// provision does what `caddy validate` does.
func provision(t *testing.T, text string) error {
	t.Helper()
	text = "{\nadmin off\nlog {\noutput discard\n}\n" + strings.TrimPrefix(text, "{\n")
	raw, err := adapt(text)
	require.NoError(t, err, text)
	return validate(t, raw)
}

// validating is held while Caddy validates, which sets a variable of certmagic's: no two tests may do that at a time.
var validating sync.Mutex

// validate does what `caddy validate` does with JSON.
func validate(t *testing.T, text []byte) error {
	t.Helper()
	var c caddy.Config
	if err := caddy.StrictUnmarshalJSON(text, &c); err != nil {
		return err
	}
	validating.Lock()
	defer validating.Unlock()
	return caddy.Validate(&c)
}

// A placeholder that is unknown or empty is an error that names the option. What was taken by then is given back.
func TestBadPlaceholders(t *testing.T) {
	t.Setenv("WEBHOOK_TEST_EMPTY", "")
	t.Setenv("WEBHOOK_TEST_WORD", "non-sense")
	t.Setenv("WEBHOOK_TEST_HTTP", "http://localhost")
	none := filepath.Join(t.TempDir(), "none")
	const unset, empty, word = "{env.WEBHOOK_TEST_UNSET}", "{env.WEBHOOK_TEST_EMPTY}", "{env.WEBHOOK_TEST_WORD}"
	global := "{\n}\n"
	for name, test := range map[string]struct{ text, option string }{
		"redis":               {inWebhooks("redis " + unset), "redis:"},
		"redis not a URL":     {inWebhooks("redis " + word), "redis:"},
		"redis other scheme":  {inWebhooks("redis {env.WEBHOOK_TEST_HTTP}"), "redis:"},
		"redis unknown":       {inWebhooks("redis {nonsense.X}"), "redis:"},
		"redis password":      {inWebhooks("redis {\naddress a:1\npassword " + empty + "\n}"), "redis: password:"},
		"redis address":       {inWebhooks("redis {\naddress " + unset + "\n}"), "redis: address:"},
		"encryption_key":      {inSender("encryption_key " + unset), "encryption_key:"},
		"encryption_key form": {inSender("encryption_key " + word), "encryption_key:"},
		"allow_networks":      {inSender("allow_networks " + word), "allow_networks:"},
		"proxy":               {inSender("proxy " + unset), "proxy:"},
		"notify_url secret":   {inSender("notify_url https://a " + empty), "notify_url:"},
		"api_key":             {global + inSite("webhook_api {\napi_key k\napi_key "+unset+"\n}"), "api_key: number 2:"},
		"secret":              {global + inSite("webhook_receiver github a "+unset), "secret:"},
		"secret empty":        {global + inSite("webhook_receiver github "+empty), "secret:"},
		"secret file":         {global + inSite("webhook_receiver github {file."+none+"}"), "secret:"},
		"secret form":         {global + inSite("webhook_receiver standard "+word), "secret:"},
		"challenge":           {global + inReceiver("scheme meta\nchallenge "+unset), "challenge:"},
		"allow":               {global + inReceiver("allow "+word), "allow:"},
		"url":                 {global + inReceiver("scheme square\nurl "+unset), "url:"},
		"scheme option":       {global + inReceiver("scheme hmac {\nheader "+unset+"\n}"), "scheme: header:"},
		"scheme option value": {global + inReceiver("scheme hmac {\nheader X\nalg "+word+"\n}"), "alg:"},
	} {
		t.Run(name, func(t *testing.T) {
			err := provision(t, test.text)
			require.ErrorContains(t, err, test.option)
			require.Zero(t, poolSize())
		})
	}
}

func TestBadJSON(t *testing.T) {
	for name, test := range map[string]struct{ app, handler, message string }{
		"unknown field":          {`{"nonsense":1}`, `{"handler":"webhook_api","anonymous":true}`, "nonsense"},
		"unknown handler field":  {`{}`, `{"handler":"webhook_receiver","secrets":["s"],"nonsense":1}`, "nonsense"},
		"no secret":              {`{}`, `{"handler":"webhook_receiver"}`, "secret"},
		"unknown scheme":         {`{}`, `{"handler":"webhook_receiver","secrets":["s"],"scheme":{"name":"nobody"}}`, "nobody"},
		"scheme option":          {`{}`, `{"handler":"webhook_receiver","secrets":["s"],"scheme":{"name":"github","alg":"md5"}}`, "alg"},
		"require_timestamp":      {`{}`, `{"handler":"webhook_receiver","secrets":["s"],"scheme":{"name":"github"},"require_timestamp":true}`, "require_timestamp"},
		"scheme option type":     {`{}`, `{"handler":"webhook_receiver","secrets":["s"],"scheme":{"name":"hmac","header":["X"]}}`, "header"},
		"negative":               {`{"sender":{"concurrency":-1}}`, `{"handler":"webhook_api","anonymous":true}`, "concurrency"},
		"key_prefix":             {`{"key_prefix":"{x}"}`, `{"handler":"webhook_api","anonymous":true}`, "key_prefix"},
		"api without keys":       {`{}`, `{"handler":"webhook_api"}`, "api_key"},
		"queue without deliver":  {`{"redis":{"url":"memory"}}`, `{"handler":"webhook_receiver","name":"a","secrets":["s"],"queue":{}}`, "deliver"},
		"queue on omitted redis": {`{}`, `{"handler":"webhook_receiver","name":"a","secrets":["s"],"queue":{"deliver":[{"handle":[{"handler":"static_response"}]}]}}`, "redis"},
		"API in memory":          {`{"redis":{"url":"memory"}}`, `{"handler":"webhook_api","anonymous":true}`, "write sender into the global option"},
		"API without anything":   {`{}`, `{"handler":"webhook_api","anonymous":true}`, "write sender into the global option"},
		"API, deliver off":       {`{"redis":{"url":"memory"},"sender":{"deliver_off":true}}`, `{"handler":"webhook_api","anonymous":true}`, "remove deliver off"},
		"retry over max_age":     {`{"sender":{"retry":["0s","10h","20h"]}}`, `{"handler":"webhook_api","anonymous":true}`, "retry: it can't be with this max_age"},
		"secret without URL":     {`{"sender":{"notify_secret":"0123456789abcdef"}}`, `{"handler":"webhook_api","anonymous":true}`, "notify_url"},
		"URL and cluster's db":   {`{"redis":{"url":"redis://localhost/3","cluster":true}}`, `{"handler":"webhook_api","anonymous":true}`, "cluster"},
		"memory and password":    {`{"redis":{"url":"memory","password":"hunter2"}}`, `{"handler":"webhook_api","anonymous":true}`, "password: it can't be with this memory"},
		"anonymous and a key":    {`{"sender":{}}`, `{"handler":"webhook_api","anonymous":true,"keys":[{"key":"k"}]}`, "anonymous"},
		"the same key twice":     {`{"sender":{}}`, `{"handler":"webhook_api","keys":[{"key":"k"},{"key":"k","role":"read"}]}`, "number 2 is the same key as number 1"},
		"too short a timeout":    {`{"sender":{"timeout":1}}`, `{"handler":"webhook_api","anonymous":true}`, "timeout: at least 1ms, not 1ns"},
		"too short a history":    {`{"sender":{"history_age":1}}`, `{"handler":"webhook_api","anonymous":true}`, "history: at least 1ms"},
		"too short to disable":   {`{"sender":{"disable_after":1}}`, `{"handler":"webhook_api","anonymous":true}`, "disable_after: at least 1ms"},
		"a proxy's path":         {`{"sender":{"proxy":"http://127.0.0.1/a"}}`, `{"handler":"webhook_api","anonymous":true}`, "no path"},
		"no port of a store":     {`{"redis":{"url":"redis://127.0.0.1:99999"}}`, `{"handler":"webhook_api","anonymous":true}`, "no port that there is"},
		"settings in a URL":      {`{"redis":{"url":"rediss://127.0.0.1?skip_verify=true"}}`, `{"handler":"webhook_api","anonymous":true}`, "and nothing else"},
		"no room":                {`{"redis":{"local":{"maxmemory":1024}}}`, `{"handler":"webhook_api","anonymous":true}`, "maxmemory: at least 1MiB"},
		"redis without name":     {`{"redis":{"url":"redis://localhost"}}`, `{"handler":"webhook_receiver","secrets":["s"]}`, "name"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := fmt.Sprintf(`{"admin":{"disabled":true},"logging":{"logs":{"default":{"writer":{"output":"discard"}}}},"apps":{"webhooks":%s,"http":{"servers":{"s":{"routes":[{"handle":[%s]}]}}}}}`, test.app, test.handler)
			require.ErrorContains(t, validate(t, []byte(raw)), test.message)
			require.Zero(t, poolSize())
		})
	}
}

// The URL is parsed after its placeholders are replaced, and the same settings written in two ways are one store.
func TestRedisURLFromPlaceholders(t *testing.T) {
	t.Setenv("WEBHOOK_TEST_PASSWORD", "p@ss")
	file := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(file, []byte("redis://:hunter2@localhost:7/3\r\n"), 0o600))
	for text, want := range map[string]config.Redis{
		"redis {file." + file + "}":                             {URL: "redis://:hunter2@localhost:7/3"},
		"redis redis://{env.WEBHOOK_TEST_PASSWORD}@localhost:7": {URL: "redis://p@ss@localhost:7"},
		"redis memory": {URL: "memory"},
		"redis {\naddress a:1\npassword {env.WEBHOOK_TEST_PASSWORD}\n}": {Addresses: []string{"a:1"}, Password: "p@ss"},
		"": {URL: "memory"},
	} {
		app, _ := adapted(t, inWebhooks(text))
		raw, err := json.Marshal(app)
		require.NoError(t, err)
		a := new(App)
		require.NoError(t, json.Unmarshal(raw, a))
		require.NoError(t, a.resolve())
		require.Equal(t, want, a.redis)
		shown, err := json.Marshal(a)
		require.NoError(t, err)
		require.NotContains(t, string(shown), "hunter2")
		require.NotContains(t, string(shown), "p@ss")
	}
}

func TestCleanupTwiceAndBeforeProvision(t *testing.T) {
	require.NoError(t, new(App).Cleanup())
	require.NoError(t, new(App).Stop())
	require.NoError(t, new(Receiver).Cleanup())

	a := new(App)
	_, err := a.leases.store(place{config.Redis{URL: "memory"}, "x"})
	require.NoError(t, err)
	require.Equal(t, 1, poolSize())
	require.NoError(t, a.Cleanup())
	require.NoError(t, a.Cleanup())
	require.Zero(t, poolSize())
}

func TestMetricsAreRegisteredAgain(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registerMetrics(registry))
	require.NoError(t, registerMetrics(registry))
}

// senderSite is the API, the gateway and an app, as in Caddyfile.example.
func senderSite(app *backend) string {
	return "handle /in {\nwebhook_receiver videocloud " + testSecret + " {\nname shop\n}\nreverse_proxy " +
		strings.TrimPrefix(app.URL, "http://") + "\n}\nhandle_path /api/* {\nwebhook_api {\napi_key a_key\n}\n}"
}

const localSender = "webhooks {\nredis memory\nsender {\nallow_http\nallow_networks 127.0.0.0/8\n}\n}"

// apiCall asks the API and returns the answer's data.
func apiCall(t *testing.T, s *server, method, path, body string, want int) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url("/api"+path), strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer a_key")
	req.Header.Set("Content-Type", "application/json")
	resp, text := do(t, req)
	require.Equal(t, want, resp.StatusCode, text)
	var answer struct{ Data, Error map[string]any }
	require.NoError(t, json.Unmarshal([]byte(text), &answer))
	if answer.Data == nil {
		return answer.Error
	}
	return answer.Data
}

func TestFromAPIToApp(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load(localSender, senderSite(app))
	apiCall(t, s, "POST", "/webhooks", fmt.Sprintf(`{"url":%q,"events":["video.*"],"secret":%q}`, s.url("/in"), testSecret), 201)
	event := apiCall(t, s, "POST", "/events", `{"event":"video.uploaded","data":{"n":12345678901234567890}}`, 202)
	arrived := func(want int) func() bool {
		return func() bool {
			n, _, _ := app.seen()
			return n >= want
		}
	}
	require.Eventually(t, arrived(1), 2*time.Minute, 5*time.Millisecond)
	_, got, body := app.seen()
	require.Contains(t, body, `"data":{"n":12345678901234567890}}`)
	require.Equal(t, event["id"], got.Header.Get("X-Webhook-Id"))
	require.Equal(t, "VideoCloud-Webhooks/1.0.0", got.Header.Get("User-Agent"))

	// The in-memory store survives a reload, and the new configuration delivers.
	s.load(localSender, senderSite(app)+"\nheader X-Reloaded yes")
	apiCall(t, s, "POST", "/events", `{"event":"video.deleted","data":{}}`, 202)
	require.Eventually(t, arrived(2), 2*time.Minute, 5*time.Millisecond)

	status, health := s.adminGet("/webhooks/health")
	require.Equal(t, 200, status)
	require.Regexp(t, `^{"status":"ok","version":"1.0.0","store":{"kind":"memory","ready":true,"since":"[0-9TZ:-]+"},"sender":"delivering","workers":{"alive":true,`, health)
	require.Eventually(t, func() bool {
		var stats struct {
			Sender struct{ Attempts, Deliveries map[string]float64 }
		}
		_, text := s.adminGet("/webhooks/stats")
		require.NoError(t, json.Unmarshal([]byte(text), &stats))
		return stats.Sender.Attempts["success"] >= 2 && stats.Sender.Deliveries["succeeded"] >= 2
	}, 2*time.Minute, 10*time.Millisecond)
	_, metrics := s.adminGet("/metrics")
	for _, name := range []string{
		"caddy_webhook_receiver_requests_total", "caddy_webhook_receiver_duration_seconds", "caddy_webhook_sender_attempts_total",
		"caddy_webhook_sender_attempt_duration_seconds", "caddy_webhook_sender_deliveries_total",
	} {
		require.Contains(t, metrics, "\n"+name, name)
	}
	require.NotContains(t, s.logged(), testSecret+`"`, "only as a literal option could it be there")
}

// A file that a configuration names and that can't be used is told with the line of the Caddyfile.
func TestBadTLSFilesOfRedis(t *testing.T) {
	t.Parallel()
	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte("no certificate"), 0o600))
	none := filepath.Join(t.TempDir(), "none")
	for name, test := range map[string]struct{ options, message string }{
		"no such authority":            {"ca " + none + " # here", "redis: tls: reading ca: open " + none},
		"an authority that is none":    {"server_name x\nca " + text + " # here", "redis: tls: ca: " + text + " holds no PEM certificate"},
		"no such certificate":          {"key " + text + "\ncert " + none + " # here", "redis: tls: loading cert and key: open " + none},
		"a certificate that is no PEM": {"cert " + text + " # here\nkey " + text, "redis: tls: loading cert and key"},
	} {
		caddyfile, line := marked(t, inWebhooks("redis {\naddress localhost:1\ntls {\n"+test.options+"\n}\n}"))
		raw, err := adapt(caddyfile)
		require.NoError(t, err, name)
		err = validate(t, raw)
		require.ErrorContains(t, err, test.message, name)
		require.ErrorContains(t, err, fmt.Sprintf(", at Caddyfile:%d", line), name)
	}
}

// Only JSON can write a list with nothing in it, which hardly means what is so without it: everybody, or five attempts.
func TestListsWithNothingInThem(t *testing.T) {
	t.Parallel()
	handler := func(settings string) string {
		return `{"apps":{"webhooks":{"sender":{}},"http":{"servers":{"x":{"listen":["127.0.0.1:0"],"routes":[{"handle":[{"handler":` + settings + `}]}]}}}}}`
	}
	receiver := func(settings string) string { return handler(`"webhook_receiver","secrets":["a secret"],` + settings) }
	for want, text := range map[string]string{
		"allow: static names no addresses":          receiver(`"allow_sources":[{"source":"static","ranges":[]}]`),
		"allow: the list is empty":                  receiver(`"allow":[]`),
		"allow_sources: the list is empty":          receiver(`"allow_sources":[]`),
		"methods: the list is empty":                receiver(`"methods":[]`),
		"queue: retry: the list is empty":           receiver(`"queue":{"retry":[]}`),
		"keys: the list is empty":                   handler(`"webhook_api","anonymous":true,"keys":[]`),
		"embed_portal: the list is empty":           handler(`"webhook_console","embed_portal":[]`),
		"sender: retry: the list is empty":          `{"apps":{"webhooks":{"sender":{"retry":[]}}}}`,
		"sender: allow_networks: the list is empty": `{"apps":{"webhooks":{"sender":{"allow_networks":[]}}}}`,
		"redis: addresses: the list is empty":       `{"apps":{"webhooks":{"redis":{"url":"memory","addresses":[]}}}}`,
	} {
		require.ErrorContains(t, validate(t, []byte(`{"admin":{"disabled":true},`+text[1:])), want)
	}
}

// Lesson 28: a delivery to our own admin endpoint is refused even where loopback is allowed.
func TestNoDeliveryToTheAdminEndpoint(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load(localSender, senderSite(app))
	for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
		refused := apiCall(t, s, "POST", "/webhooks", fmt.Sprintf(`{"url":"http://%s:%d/load","events":["*"]}`, host, s.admin), 422)
		require.Equal(t, "unsafe_url", refused["code"])
	}
}

func TestAdminPorts(t *testing.T) {
	t.Parallel()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	port := func(n uint16) netip.AddrPort { return netip.AddrPortFrom(netip.Addr{}, n) }
	require.Equal(t, []netip.AddrPort{port(2019)}, adminPorts(ctx)(), "nothing is known")
	for listen, want := range map[string][]netip.AddrPort{
		":2020":                 {port(2020)},
		"localhost:2019":        {port(2019)},
		"tcp/[::1]:5":           {port(5)},
		"0.0.0.0:5-6":           {port(5), port(6)},
		"unix//run/caddy.sock":  nil,
		"localhost":             {port(2019)},
		"{env.WEBHOOK_UNSET_X}": nil,
	} {
		require.Equal(t, want, portsOf(listen), listen)
	}
}

// Redis being down never keeps Caddy from starting: health and the log say it, and the API answers 503.
func TestRedisIsDown(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load(fmt.Sprintf("webhooks {\nredis redis://127.0.0.1:%d\nsender\n}", redistest.FreePort(t)), senderSite(app))
	status, health := s.adminGet("/webhooks/health")
	require.Equal(t, 503, status)
	require.Contains(t, health, `"status":"unavailable"`)
	require.Contains(t, health, "unreachable")
	require.Equal(t, "unavailable", apiCall(t, s, "POST", "/events", `{"event":"video.uploaded","data":{}}`, 503)["code"])
	require.Eventually(t, func() bool { return strings.Contains(s.logged(), "redis is unreachable") }, 2*time.Minute, 10*time.Millisecond)

	resp, _ := do(t, signed(t, s.url("/in"), "evt_1", testEvent))
	require.Equal(t, 200, resp.StatusCode, "the gateway goes on with its own memory")
	require.Eventually(t, func() bool { return strings.Contains(s.logged(), `"code":"unavailable"`) }, 2*time.Minute, 10*time.Millisecond)
	require.False(t, strings.Contains(s.logged(), "stacktrace"), "an outage is no reason for 5 KiB a line")
	_, metrics := s.adminGet("/metrics")
	for operation := range storeErrorsCounted() {
		require.Contains(t, storeOperations, operation, "a label that is not shown from the start")
		require.Contains(t, metrics, fmt.Sprintf("caddy_webhook_store_errors_total{operation=%q}", operation))
	}
}

func storeErrorsCounted() map[string]float64 {
	counted := map[string]float64{}
	each(storeErrors, func(labels map[string]string, count float64) { counted[labels["operation"]] = count })
	return counted
}

func TestOmittedRedisIsLoud(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	s.load("webhooks {\nsender\n}", senderSite(app))
	require.Contains(t, s.logged(), "NO STORE IS CONFIGURED")
}

func TestAdminAPI(t *testing.T) {
	s := newServer(t)
	s.load("", "respond hello")
	status, _ := s.adminGet("/webhooks/health")
	require.Equal(t, 404, status, "no webhooks are configured")
	s.load("webhooks", "respond hello")
	status, body := s.adminGet("/webhooks/stats")
	require.Equal(t, 200, status, body)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/webhooks/stats", s.admin), nil)
	require.NoError(t, err)
	resp, _ := do(t, req)
	require.Equal(t, 405, resp.StatusCode)
	require.Equal(t, "GET", resp.Header.Get("Allow"))
}

func TestAPIKeys(t *testing.T) {
	s := newServer(t)
	t.Setenv("WEBHOOK_TEST_KEY", "key_of_the_shop")
	s.load("webhooks {\nredis memory\nsender\n}", "webhook_api {\napi_key {env.WEBHOOK_TEST_KEY} shop publish\n}")
	for key, want := range map[string]int{"key_of_the_shop": 202, "other": 401, "": 401} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url("/events"), strings.NewReader(`{"event":"video.uploaded","data":{}}`))
		require.NoError(t, err)
		req.Header.Set("X-API-Key", key)
		req.Header.Set("Content-Type", "application/json")
		resp, body := do(t, req)
		require.Equal(t, want, resp.StatusCode, body)
	}
	_, config := s.adminGet("/config/")
	require.NotContains(t, config, "key_of_the_shop")
	s.load("webhooks {\nsender\n}", "webhook_api {\nanonymous\n}")
	require.Contains(t, s.logged(), "without a key")
}

// The exporter is made by the start, not by `caddy validate`; one that can't be made is said.
func TestTracing(t *testing.T) {
	t.Setenv("OTEL_TRACES_EXPORTER", "nonsense")
	require.NoError(t, provision(t, inWebhooks("tracing")))
	s := newServer(t)
	require.ErrorContains(t, s.tryLoad("webhooks {\ntracing\n}", "respond hello"), "tracing:")
	require.Zero(t, poolSize())

	t.Setenv("OTEL_TRACES_EXPORTER", "none")
	s.load("webhooks {\ntracing\nsender\n}", "respond hello")
	a, err := started.newest()
	require.NoError(t, err)
	before := a.tracer
	require.NotNil(t, before)
	s.load("webhooks {\ntracing\nsender\n}", "respond again")
	a, err = started.newest()
	require.NoError(t, err)
	require.Same(t, before, a.tracer, "a reload keeps it")

	t.Setenv("OTEL_SDK_DISABLED", "TRUE")
	s.load("webhooks {\ntracing\nsender\n}", "respond hello")
	a, err = started.newest()
	require.NoError(t, err)
	require.Nil(t, a.tracer)
}

// Lesson 37, and a reload that keeps the connection.
func TestTwoGatewaysOnOneRedis(t *testing.T) {
	s, app := newServer(t), newBackend(t)
	redis := miniredis.RunT(t)
	t.Setenv("WEBHOOK_TEST_REDIS", redis.Addr())
	gateway := func(path, name string) string {
		return "handle " + path + " {\nwebhook_receiver videocloud " + testSecret + " {\nname " + name + "\n}\nreverse_proxy " +
			strings.TrimPrefix(app.URL, "http://") + "\n}\n"
	}
	options := "webhooks {\nredis redis://{env.WEBHOOK_TEST_REDIS}/0\nkey_prefix test\n}"
	site := gateway("/a", "shop") + gateway("/b", "shop") + gateway("/c", "other")
	s.load(options, site)
	for _, path := range []string{"/a", "/b", "/c"} {
		resp, _ := do(t, signed(t, s.url(path), "evt_1", testEvent))
		require.Equal(t, 200, resp.StatusCode)
	}
	n, _, _ := app.seen()
	require.Equal(t, 2, n, "once for each name")
	require.NotEmpty(t, redis.Keys())
	for _, key := range redis.Keys() {
		require.True(t, strings.HasPrefix(key, "{test"), key)
	}
	size := poolSize()
	s.load(options, site+"header X-Reloaded yes")
	require.Equal(t, size, poolSize(), "a reload keeps what it had and takes nothing else")
	resp, _ := do(t, signed(t, s.url("/b"), "evt_1", testEvent))
	require.Equal(t, "true", resp.Header.Get("X-Webhook-Duplicate"))
}
