//go:build unix

package docstest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func newSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{bodies: make(chan []byte, 16)}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.bodies <- body
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// signedBody is what the functions are asked about, signed with the secret of the examples.
const signedBody = `{"event":"video.uploaded"}`

// Programs that call a page's function with signatures right and wrong, and fail where it does not tell them apart.
var drivers = map[string]string{
	"javascript": `
const body = Buffer.from('BODY');
const cases = [['GOOD', true], ['GOOd', false], ['0'.repeat(64), false], ['GOOD0', false], ['', false], ['abc', false], [undefined, false], ['ü'.repeat(64), false]];
for (const [signature, want] of cases) {
  if (verifyWebhookSignature(body, signature, 'your_webhook_secret') !== want) {
    throw new Error('wrong about ' + signature);
  }
}
`,
	"python": `
body = b'BODY'
cases = [('GOOD', True), ('0' * 64, False), ('GOOD0', False), ('', False), ('abc', False), (None, False), ('\u00fc' * 64, False)]
for signature, want in cases:
    if verify_webhook_signature(body, signature, 'your_webhook_secret') is not want:
        raise SystemExit(f'wrong about {signature}')
`,
	"go": `package main

import "strings"

func main() {
	for signature, want := range map[string]bool{"GOOD": true, strings.Repeat("0", 64): false, "GOOD0": false, "": false, "abc": false} {
		if VerifyWebhookSignature([]byte(` + "`BODY`" + `), signature, "your_webhook_secret") != want {
			panic("wrong about " + signature)
		}
	}
}
`,
}

func verify(r *reader, at string, b block) {
	r.t.Helper()
	signature, err := r.run("bash", "-c", "printf '%s' '"+signedBody+"' | openssl dgst -sha256 -hmac your_webhook_secret -r | cut -d ' ' -f 1")
	require.NoError(r.t, err)
	signature = strings.TrimSpace(signature)
	require.Len(r.t, signature, 64)
	driver, ok := drivers[b.language]
	require.True(r.t, ok, "%s: %s", at, b.language)
	driver = strings.NewReplacer("BODY", signedBody, "GOOd", strings.ToUpper(signature), "GOOD", signature).Replace(driver)
	program, args := "", []string{}
	switch b.language {
	case "go":
		program = r.build(at, b.text, driver)
	case "javascript":
		need(r.t, "node")
		program, args = "node", []string{"verify.cjs"}
	case "python":
		need(r.t, "python3")
		program, args = "python3", []string{"verify.py"}
	}
	for _, name := range args {
		r.save(name, b.text+"\n"+driver)
	}
	out, err := r.run(program, args...)
	require.NoError(r.t, err, fmt.Sprintf("%s: %s", at, out))
}
