package command

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2"
)

// No test asks a Caddy that happens to run on this machine.
func init() { caddy.DefaultAdminListen = "127.0.0.1:1" }

// result is what a command line did.
type result struct {
	status         int
	stdout, stderr string
}

// call runs `caddy webhook` with arguments.
func call(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	status := callIO(t.Context(), strings.NewReader(stdin), &out, &errs, args...)
	return result{status, out.String(), errs.String()}
}

func callIO(ctx context.Context, in io.Reader, out, errs io.Writer, args ...string) int {
	root := &cobra.Command{Use: "webhook"}
	build(root)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case exitStatus(err) == statusUsage:
		return 2
	default:
		return 1
	}
}

const (
	testSecret = "your_webhook_secret"
	testBody   = `{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":{"videoId":"vid_123456"}}`
)

// signedHeaders returns --header arguments made by sign.
func signedHeaders(t *testing.T, body string, args ...string) []string {
	t.Helper()
	r := call(t, body, append([]string{"sign"}, args...)...)
	require.Zero(t, r.status, r.stderr)
	var headers []string
	for line := range strings.Lines(r.stdout) {
		headers = append(headers, "--header", strings.TrimSuffix(line, "\n"))
	}
	require.NotEmpty(t, headers)
	return headers
}

func TestHelpAndUnknownCommand(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"help"}, {"--help"}} {
		r := call(t, "", args...)
		require.Zero(t, r.status)
		for _, command := range []string{"keygen", "sign", "verify", "send", "listen"} {
			require.Contains(t, r.stdout, command)
		}
	}
	r := call(t, "", "nonsense")
	require.Equal(t, 2, r.status)
	require.Contains(t, r.stderr, `there is no command "nonsense"`)
}

func TestSignThenVerify(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"videocloud": {"--secret", testSecret},
		"standard":   {"--scheme", "standard", "--secret", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"},
		"github":     {"--scheme", "github", "--secret", testSecret},
		"stripe":     {"--scheme", "stripe", "--secret", "whsec_" + testSecret},
		"hmac with options": {"--scheme", "hmac", "--secret", testSecret,
			"--option", "header=X-Signature", "--option", "alg=sha512", "--option", "encoding=base64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			headers := signedHeaders(t, testBody, args...)
			r := call(t, testBody, append(append([]string{"verify"}, args...), headers...)...)
			require.Zero(t, r.status, r.stdout+r.stderr)
			require.Regexp(t, `^verified: secret 1 of 1 matched \([a-z]+\)\n$`, r.stdout)

			r = call(t, testBody+" ", append(append([]string{"verify"}, args...), headers...)...)
			require.Equal(t, 1, r.status)
			require.Regexp(t, "^signature_mismatch: ", r.stdout)
			require.Empty(t, r.stderr)
		})
	}
}

func TestSignPrintsTheDocumentedNames(t *testing.T) {
	t.Parallel()
	out := call(t, testBody, "sign", "--secret", testSecret, "--id", "evt_1", "--now", "1700000000").stdout
	require.Regexp(t, `(?m)^X-VideoCloud-Signature: [0-9a-f]{64}$`, out)
	require.Contains(t, out, "\nwebhook-id: evt_1\nwebhook-signature: v1,")
	require.Contains(t, out, "\nwebhook-timestamp: 1700000000\n")
	for scheme, name := range map[string]string{
		"github": "X-Hub-Signature-256", "zoom": "x-zm-request-timestamp", "box": "box-delivery-timestamp", "hubspot-v3": "X-HubSpot-Request-Timestamp",
	} {
		out := call(t, testBody, "sign", "--scheme", scheme, "--secret", testSecret, "--url", "https://hooks.example.com/in").stdout
		require.Regexp(t, "(?m)^"+name+": ", out, scheme)
	}
	out = call(t, testBody, "sign", "--scheme", "standard", "--secret", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3").stdout
	require.Regexp(t, "(?m)^webhook-id: evt_[0-9a-f]{32}$", out)
	out = call(t, testBody, "sign", "--secret", testSecret, "--option", "brand=ACME").stdout
	require.Contains(t, out, "X-ACME-Signature: ")
	out = call(t, testBody, "sign", "--secret", testSecret, "--scheme", "hmac", "--option", "header=X-ownSig").stdout
	require.Contains(t, out, "X-ownSig: ")
}

func TestVerifySaysWhichSecretMatched(t *testing.T) {
	t.Parallel()
	headers := signedHeaders(t, testBody, "--secret", testSecret)
	r := call(t, testBody, append([]string{"verify", "--secret", "another_secret_16b", "--secret", testSecret}, headers...)...)
	require.Equal(t, result{0, "verified: secret 2 of 2 matched (videocloud)\n", ""}, r)
}

func TestVerifyFindsTheScheme(t *testing.T) {
	t.Parallel()
	headers := signedHeaders(t, testBody, "--scheme", "github", "--secret", testSecret)
	args := append([]string{"verify", "--scheme", "auto", "--secret", testSecret}, headers...)
	require.Equal(t, result{0, "verified: secret 1 of 1 matched (github)\n", ""}, call(t, testBody, args...))
	require.Regexp(t, "^signature_mismatch", call(t, "other", args...).stdout)

	// Meta sends the same header: the body tells. And where the likeliest scheme says no, another may say yes.
	meta := `{"object":"page","entry":[]}`
	args = append([]string{"verify", "--scheme", "auto", "--secret", testSecret}, signedHeaders(t, meta, "--scheme", "meta", "--secret", testSecret)...)
	require.Contains(t, call(t, meta, args...).stdout, "(meta)")
	args = append([]string{"verify", "--scheme", "auto", "--secret", testSecret}, signedHeaders(t, testBody, "--scheme", "openai", "--secret", testSecret)...)
	require.Contains(t, call(t, testBody, args...).stdout, "(openai)")
	require.Equal(t, 2, call(t, "", "verify", "--scheme", "auto", "--secret", testSecret).status)
}

func TestVerifySaysWhyNot(t *testing.T) {
	t.Parallel()
	stripe := signedHeaders(t, testBody, "--scheme", "stripe", "--secret", testSecret, "--now", "1700000000")
	for name, test := range map[string]struct {
		args []string
		word string
	}{
		"no header":        {[]string{"--secret", testSecret}, "signature_missing"},
		"short signature":  {[]string{"--secret", testSecret, "--header", "X-VideoCloud-Signature: abc"}, "signature_malformed"},
		"repeated header":  {[]string{"--secret", testSecret, "--header", "X-VideoCloud-Signature: 00", "--header", "X-VideoCloud-Signature: 00"}, "signature_malformed"},
		"other secret":     {append([]string{"--scheme", "stripe", "--secret", "other", "--now", "1700000000"}, stripe...), "signature_mismatch"},
		"too old":          {append([]string{"--scheme", "stripe", "--secret", testSecret, "--now", "1700000301"}, stripe...), "timestamp"},
		"too new":          {append([]string{"--scheme", "stripe", "--secret", testSecret, "--now", "1699999699"}, stripe...), "timestamp"},
		"narrow tolerance": {append([]string{"--scheme", "stripe", "--secret", testSecret, "--now", "1700000011", "--tolerance", "10"}, stripe...), "timestamp"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := call(t, testBody, append([]string{"verify"}, test.args...)...)
			require.Equal(t, 1, r.status, r.stderr)
			require.Regexp(t, "^"+test.word+"[: ]", r.stdout)
		})
	}
	for name, args := range map[string][]string{
		"just inside": {"--now", "1700000300"},
		"off":         {"--now", "1800000000", "--tolerance", "off"},
		"wide":        {"--now", "1700000400", "--tolerance", "500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append(append([]string{"verify", "--scheme", "stripe", "--secret", testSecret}, args...), stripe...)
			require.Zero(t, call(t, testBody, args...).status)
		})
	}
}

func TestForPrograms(t *testing.T) {
	t.Parallel()
	read := func(r result, status int) (v map[string]any) {
		t.Helper()
		require.Equal(t, status, r.status, r.stderr)
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &v), r.stdout)
		return v
	}
	for _, flag := range []string{"--json", "-json"} {
		require.Regexp(t, "^whsec_", read(call(t, "", "keygen", flag), 0)["secret"])
		require.Regexp(t, "^whpk_", read(call(t, "", "keygen", "--type", "ed25519", flag), 0)["public"])
		headers := read(call(t, testBody, "sign", "--secret", testSecret, flag), 0)
		require.Regexp(t, "^evt_[0-9a-f]{12}7[0-9a-f]{19}$", headers["webhook-id"], "as the sender makes them")
		args := []string{"verify", "--secret", testSecret, flag}
		require.Equal(t, map[string]any{
			"verified": false, "error": "signature_missing", "message": "X-Videocloud-Signature is missing",
		}, read(call(t, testBody, args...), 1))
		for name, value := range headers {
			args = append(args, "--header", name+": "+value.(string))
		}
		require.Equal(t, map[string]any{
			"verified": true, "scheme": "videocloud", "secret": 1., "id": headers["webhook-id"], "event": "video.uploaded",
			"timestamp": headers["webhook-timestamp"],
		}, read(call(t, testBody, args...), 0))
	}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args    []string
		message string
	}{
		"no secret":            {[]string{"verify"}, "secret: give one: --secret "},
		"empty secret":         {[]string{"verify", "--secret", ""}, "secret: number 1: it is empty"},
		"unset variable":       {[]string{"verify", "--secret", "env:WEBHOOK_TEST_UNSET"}, "WEBHOOK_TEST_UNSET"},
		"missing file":         {[]string{"verify", "--secret", "@" + filepath.Join(t.TempDir(), "none")}, "none"},
		"undecodable secret":   {[]string{"verify", "--scheme", "standard", "--secret", "whsec_???"}, "secret"},
		"decodes to nothing":   {[]string{"verify", "--scheme", "standard", "--secret", "whsec_"}, "secret"},
		"secret and body":      {[]string{"verify", "--secret", "@-"}, "standard input"},
		"two secrets on stdin": {[]string{"verify", "--secret", "@-", "--secret", "@-"}, "standard input"},
		"unknown scheme":       {[]string{"verify", "--secret", "s", "--scheme", "nobody"}, "github"},
		"one dash":             {[]string{"verify", "-secret", "s"}, "two dashes: --secret"},
		"unknown option":       {[]string{"verify", "--secret", "s", "--option", "alg=sha1"}, "alg"},
		"option without value": {[]string{"verify", "--secret", "s", "--option", "alg"}, "name=value"},
		"option twice":         {[]string{"verify", "--secret", "s", "--option", "brand=A", "--option", "brand=B"}, "twice"},
		"bad option value":     {[]string{"verify", "--secret", "s", "--scheme", "hmac", "--option", "header=X", "--option", "alg=md4"}, "alg"},
		"bad header":           {[]string{"verify", "--secret", "s", "--header", "nonsense"}, "Name: value"},
		"header of two lines":  {[]string{"verify", "--secret", "s", "--header", "A: b\nC: d"}, "Name: value"},
		"bad now":              {[]string{"verify", "--secret", "s", "--now", "noon"}, "now"},
		"bad tolerance":        {[]string{"verify", "--secret", "s", "--tolerance", "never"}, "tolerance"},
		"negative tolerance":   {[]string{"verify", "--secret", "s", "--tolerance=-5"}, "tolerance"},
		"unknown flag":         {[]string{"verify", "--nonsense"}, "nonsense"},
		"argument":             {[]string{"verify", "nonsense"}, "nonsense"},
		"sign without secret":  {[]string{"sign"}, "secret"},
		"sign with public key": {[]string{"sign", "--scheme", "discord", "--secret", strings.Repeat("ab", 32)}, ""},
		"send without url":     {[]string{"send", "--secret", "s"}, "url"},
		"send no object":       {[]string{"send", "--secret", "s", "--url", "http://localhost:1", "--data", "[1]"}, "JSON object"},
		"keygen type":          {[]string{"keygen", "--type", "pgp"}, "pgp"},
		"listen status":        {[]string{"listen", "--status", "42"}, "42"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := call(t, "a secret or a body", test.args...)
			require.Equal(t, 2, r.status, "%s%s", r.stdout, r.stderr)
			require.Empty(t, r.stdout)
			require.Contains(t, r.stderr, test.message)
		})
	}
}

func TestSecretSources(t *testing.T) {
	t.Setenv("WEBHOOK_TEST_SECRET", testSecret)
	dir := t.TempDir()
	for name, content := range map[string]string{"plain": testSecret, "lf": testSecret + "\n", "crlf": testSecret + "\r\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	want := call(t, testBody, "sign", "--scheme", "github", "--secret", testSecret).stdout
	require.NotEmpty(t, want)
	for _, secret := range []string{
		"env:WEBHOOK_TEST_SECRET", "@" + filepath.Join(dir, "plain"), "@" + filepath.Join(dir, "lf"), "@" + filepath.Join(dir, "crlf"),
	} {
		require.Equal(t, want, call(t, testBody, "sign", "--scheme", "github", "--secret", secret).stdout, secret)
	}

	in := &input{reader: strings.NewReader(testSecret + "\n")}
	got, err := in.secret("@-")
	require.NoError(t, err)
	require.Equal(t, testSecret, got)
}

func TestKeygen(t *testing.T) {
	t.Parallel()
	first, second := call(t, "", "keygen"), call(t, "", "keygen")
	require.Regexp(t, `^whsec_[A-Za-z0-9+/]{32}\n$`, first.stdout)
	require.NotEqual(t, first.stdout, second.stdout)
	require.Regexp(t, `^[A-Za-z0-9+/]{43}=\n$`, call(t, "", "keygen", "--type", "encryption").stdout)

	pair := strings.Fields(call(t, "", "keygen", "--type", "ed25519").stdout)
	require.Len(t, pair, 2)
	headers := signedHeaders(t, testBody, "--scheme", "standard", "--secret", pair[0])
	r := call(t, testBody, append([]string{"verify", "--scheme", "standard", "--secret", pair[1]}, headers...)...)
	require.Zero(t, r.status, r.stdout+r.stderr)
}
