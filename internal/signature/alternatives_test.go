package signature

import (
	"bytes"
	"mime/multipart"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGitLabTakesBothTokens: a signing token is never held against the header with the secret one, nor the other way round.
func TestGitLabTakesBothTokens(t *testing.T) {
	t.Parallel()
	const signing = "whsec_c2lnbmluZy10b2tlbi1vZi1naXRsYWI="
	standard, err := New(Config{Scheme: "standard", Secrets: []string{signing}})
	require.NoError(t, err)
	signed, err := standard.Sign(&Request{Body: []byte("{}")}, "e1", noon)
	require.NoError(t, err)
	both := signed.Clone()
	both.Set("X-Gitlab-Token", "wrong")
	for name, c := range map[string]struct {
		secrets []string
		request Request
		secret  int
		reason  string
	}{
		"secret token":                {[]string{signing, "token"}, Request{Header: headers("X-Gitlab-Token", "token")}, 1, ""},
		"signing token":               {[]string{"token", signing}, Request{Header: signed, Body: []byte("{}")}, 1, ""},
		"signature beside a token":    {[]string{"token", signing}, Request{Header: both, Body: []byte("{}")}, 1, ""},
		"another body":                {[]string{"token", signing}, Request{Header: signed, Body: []byte("[]")}, 0, ReasonMismatch},
		"the signing token as secret": {[]string{signing}, Request{Header: headers("X-Gitlab-Token", signing)}, 0, ReasonMissing},
		"wrong secret token":          {[]string{"token", signing}, Request{Header: headers("X-Gitlab-Token", signing)}, 0, ReasonMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := New(Config{Scheme: "gitlab", Secrets: c.secrets})
			require.NoError(t, err)
			res, err := v.Verify(&c.request, noon)
			if c.reason != "" {
				requireReason(t, c.reason, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.secret, res.Secret)
		})
	}
}

// TestTwilioTakesBothSignatures: by the auth token with SHA-1, and by a shared key with SHA-256, which a header announces.
func TestTwilioTakesBothSignatures(t *testing.T) {
	t.Parallel()
	const u = "https://a.example/in"
	v, err := New(Config{Scheme: "twilio", Secrets: []string{"key", "shared"}, URL: u})
	require.NoError(t, err)
	new := headers("X-Twilio-Signature", b64Sum("shared", u), "X-Twilio-Webhooks-Signature-Settings", "key=abc,algorithm=HMAC_SHA256")
	res, err := v.Verify(&Request{Method: "POST", Header: new}, noon)
	require.NoError(t, err)
	require.Equal(t, 1, res.Secret)
	_, err = v.Verify(&Request{Method: "POST", Header: headers("X-Twilio-Signature", sha1B64(u))}, noon)
	require.NoError(t, err)
	_, err = v.Verify(&Request{Method: "POST", Header: headers("X-Twilio-Signature", b64Sum("shared", u))}, noon)
	require.Error(t, err, "without the header it is SHA-1")
	new.Set("X-Twilio-Webhooks-Signature-Settings", "key=abc,algorithm=HMAC_MD5")
	_, err = v.Verify(&Request{Method: "POST", Header: new}, noon)
	requireReason(t, ReasonMalformed, err)
}

// TestMailgunTakesForms: inbound messages and older webhooks are forms, with the three fields among the others.
func TestMailgunTakesForms(t *testing.T) {
	t.Parallel()
	v, err := New(Config{Scheme: "mailgun", Secrets: []string{"key"}})
	require.NoError(t, err)
	right := hexSum("key", "1700000000abc")
	form := url.Values{"timestamp": {"1700000000"}, "token": {"abc"}, "signature": {right}, "event": {"opened"}}
	res, err := v.Verify(&Request{Header: headers("Content-Type", "application/x-www-form-urlencoded"), Body: []byte(form.Encode())}, noon)
	require.NoError(t, err)
	require.Equal(t, Result{ID: "abc", IDSigned: true, Event: "opened", Timestamp: "1700000000"}, res)

	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name := range form {
		require.NoError(t, w.WriteField(name, form.Get(name)))
	}
	require.NoError(t, w.Close())
	res, err = v.Verify(&Request{Header: headers("Content-Type", w.FormDataContentType()), Body: body.Bytes()}, noon)
	require.NoError(t, err)
	require.Equal(t, "abc", res.ID)

	form.Add("token", "abcd")
	_, err = v.Verify(&Request{Header: headers("Content-Type", "application/x-www-form-urlencoded"), Body: []byte(form.Encode())}, noon)
	requireReason(t, ReasonMissing, err)
}

// TestMailgunPartsOfAForm: parts that hide others, and what is no form, have no fields.
func TestMailgunPartsOfAForm(t *testing.T) {
	t.Parallel()
	part := func(head, content string) string { return "--b\r\n" + head + "\r\n\r\n" + content + "\r\n" }
	field := func(name, content string) string {
		return part(`Content-Disposition: form-data; name="`+name+`"`, content)
	}
	const end = "--b--\r\n"
	for name, c := range map[string]struct {
		body string
		want map[string]string
	}{
		"all":                        {field("token", "x") + field("other", "y") + field("event", "z") + end, map[string]string{"token": "x", "event": "z"}},
		"behind an attachment":       {part(`Content-Disposition: form-data; name="attachment-1"; filename="a"`+"\r\nContent-Type: text/plain", strings.Repeat("--b\n", 1000)) + field("token", "x") + end, map[string]string{"token": "x"}},
		"twice":                      {field("token", "x") + field("token", "x") + end, map[string]string{}},
		"three times":                {field("token", "x") + field("token", "y") + field("token", "z") + end, map[string]string{}},
		"too long":                   {field("token", strings.Repeat("x", maxField+1)) + end, map[string]string{}},
		"names in another case":      {part(`content-disposition: FORM-DATA; NAME=token`, "x") + end, map[string]string{"token": "x"}},
		"no end":                     {"--b\r\nContent-Disposition: form-data; name=token\r\n\r\nx", map[string]string{}},
		"a longer boundary":          {"--bc\r\nContent-Disposition: form-data; name=token\r\n\r\nx\r\n--b--", map[string]string{}},
		"behind the last boundary":   {end + field("token", "x") + end, map[string]string{}},
		"no header of a part":        {"--b\r\n\r\nx\r\n" + field("token", "x") + end, map[string]string{}},
		"a header that is too long":  {part("A: "+strings.Repeat("x", maxPartHeader), "x") + field("token", "x") + end, map[string]string{}},
		"more parts than are read":   {strings.Repeat(field("other", "y"), maxParts) + field("token", "x") + end, map[string]string{}},
		"text in front of the first": {"x\r\n" + field("token", "x") + end, map[string]string{}},
		"an attachment named token":  {part(`Content-Disposition: attachment; name=token`, "x") + end, map[string]string{}},
		"nothing":                    {"", map[string]string{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, partsOf([]byte(c.body), "b"))
		})
	}
	require.Empty(t, partsOf([]byte(field("token", "x")+end), ""))
}
