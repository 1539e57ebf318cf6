package caddymodule

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const snippet = `(gateway) {
	handle /webhooks {
		webhook_receiver %s {args[0]} {
			name shop
			queue {
				retry %s
				deliver {
					handle /webhooks {
						respond %s
					}
					handle {
						respond 404
					}
				}
			}
		}
	}
}
`

// TestLesson53_QueuesOfOneName: one snippet in two sites is one queue, two that differ don't load.
func TestLesson53_QueuesOfOneName(t *testing.T) {
	t.Parallel()
	const memory = "{\nwebhooks {\nredis memory\n}\n}\n"
	same := memory + fmt.Sprintf(snippet, "github", "0s 1m", "ok") + "a.example.com {\nimport gateway one\n}\nb.example.com {\nhandle /x {\nrespond x\n}\nimport gateway two\n}\n"
	text, err := adapt(same)
	require.NoError(t, err)
	require.NoError(t, validate(t, text))

	for name, other := range map[string]string{
		"the scheme":      fmt.Sprintf(snippet, "stripe", "0s 1m", "ok"),
		"the retry table": fmt.Sprintf(snippet, "github", "0s 2m", "ok"),
		"the app":         fmt.Sprintf(snippet, "github", "0s 1m", "other"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other = strings.Replace(other, "(gateway)", "(other)", 1)
			_, err := adapt(memory + fmt.Sprintf(snippet, "github", "0s 1m", "ok") + other + "a.example.com {\nimport gateway one\n}\nb.example.com {\nimport other two\n}\n")
			require.ErrorContains(t, err, `queue: the name "shop" is also that of the queue at`)
			require.Regexp(t, `the queue at Caddyfile:\d+.* at Caddyfile:\d+`, err.Error())

			// JSON, where no adapter looks.
			json, err := adapt(memory + fmt.Sprintf(snippet, "github", "0s 1m", "ok") + strings.Replace(other, "name shop", "name other", 1) +
				"a.example.com {\nimport gateway one\n}\nb.example.com {\nimport other two\n}\n")
			require.NoError(t, err)
			require.ErrorContains(t, validate(t, []byte(strings.ReplaceAll(string(json), `"name":"other"`, `"name":"shop"`))), `the name "shop" is also that of another receiver's queue`)
		})
	}
}

// TestLesson57_JSONIsCheckedAsACaddyfile: what the Caddyfile refuses JSON can't bring in.
func TestLesson57_JSONIsCheckedAsACaddyfile(t *testing.T) {
	for name, test := range map[string]struct{ receiver, message string }{
		"methods":                {`"methods":["post"]`, `"post" is not a method such as POST`},
		"methods CONNECT":        {`"methods":["CONNECT"]`, "tunnel"},
		"tolerance twice":        {`"scheme":{"name":"stripe"},"tolerance":1000000000,"tolerance_off":true`, "tolerance off"},
		"tolerance of no use":    {`"scheme":{"name":"github"},"tolerance":1000000000`, "github has no timestamp"},
		"url of no use":          {`"scheme":{"name":"github"},"url":"https://a.example.com"`, "github does not sign the URL"},
		"challenge of no use":    {`"scheme":{"name":"github"},"challenge":"token"`, "github has no set-up request"},
		"require_timestamp":      {`"scheme":{"name":"github"},"require_timestamp":true`, "only the scheme videocloud"},
		"two places of an ID":    {`"dedup":{"id_header":"A","id_pointer":"/a"}`, "id header"},
		"dedup off and more":     {`"dedup":{"off":true,"ttl":3600000000000}`, "dedup: ttl"},
		"dedup negative":         {`"dedup":{"ttl":-1}`, "ttl"},
		"on_store_error":         {`"dedup":{"on_store_error":"panic"}`, "on_store_error"},
		"read_timeout":           {`"read_timeout":-1`, "read_timeout"},
		"read_timeout too short": {`"read_timeout":1`, "read_timeout: at least 1ms"},
		"tolerance too short":    {`"scheme":{"name":"stripe"},"tolerance":1000000`, "tolerance: at least 1s"},
		"dedup too short":        {`"dedup":{"timeout":1}`, "dedup: timeout: at least 1ms"},
		"an ID of no header":     {`"dedup":{"id_header":"X Id"}`, "is not the name of a header"},
		"a blank secret":         {`"secrets":[" "]`, "secret: number 1 is empty"},
		"max_unfinished":         {`"max_unfinished":-1`, "max_"},
		"sizes":                  {`"max_size":2000,"max_unfinished":1000`, "max_unfinished"},
		"a quarter of the sizes": {`"max_size":2000,"max_unfinished":7999`, "max_size: it can't be with this max_unfinished"},
		"an unknown scheme":      {`"scheme":{"name":"nobody"}`, "nobody"},
		"an unknown option":      {`"nonsense":1`, "nonsense"},
		"option of the scheme":   {`"scheme":{"name":"github","header":"X"}`, "github has no such option; it takes secret_encoding"},
		"an unset variable":      {`"secrets":["{env.WEBHOOK_TEST_UNSET}"]`, "the environment variable WEBHOOK_TEST_UNSET is not set"},
		"a file that is absent":  {`"secrets":["{file./nowhere/secret}"]`, "/nowhere/secret"},
		"queue without name":     {`"queue":{"deliver":[{"handle":[{"handler":"static_response"}]}]}`, "name"},
	} {
		t.Run(name, func(t *testing.T) {
			secrets := `,"secrets":["a-secret-of-the-tests"]`
			if strings.Contains(test.receiver, "secrets") {
				secrets = ""
			}
			text := `{"admin":{"disabled":true},"storage":{"module":"file_system","root":"` + filepath.ToSlash(t.TempDir()) + `"},"apps":{"webhooks":{"redis":{"url":"memory"}},"http":{"servers":{"a":{"listen":["127.0.0.1:0"],"routes":[{"handle":[{"handler":"webhook_receiver",` +
				test.receiver + secrets + `}]}]}}}}}`
			require.ErrorContains(t, validate(t, []byte(text)), test.message)
		})
	}
}

// TestAnUnsetVariableIsNamedWithItsLine: what is to be set, and where the Caddyfile asks for it.
func TestAnUnsetVariableIsNamedWithItsLine(t *testing.T) {
	for name, site := range map[string]string{
		"on the directive's line": "webhook_receiver github {env.WEBHOOK_TEST_UNSET}",
		"in the block":            "webhook_receiver {\nscheme github\nsecret {env.WEBHOOK_TEST_UNSET}\n}",
	} {
		t.Run(name, func(t *testing.T) {
			text, err := adapt("{\nadmin off\n}\nhttp://a.example.com:" + fmt.Sprint(http.StatusOK) + "00 {\n" + site + "\n}\n")
			require.NoError(t, err)
			line := 5 + strings.Count(site[:strings.Index(site, "{env.")], "\n")
			require.ErrorContains(t, validate(t, text), fmt.Sprintf("secret: {env.WEBHOOK_TEST_UNSET}: the environment variable WEBHOOK_TEST_UNSET is not set: set it for Caddy's process, at Caddyfile:%d", line))
		})
	}
}
