package signature

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestJWSWithoutItsPayload: any provider's detached JWS, whose payload is the body, by options of jwt.
func TestJWSWithoutItsPayload(t *testing.T) {
	t.Parallel()
	public, private, wrong := pair(t, algRSA256)
	options := func(more ...string) map[string]string {
		o := map[string]string{"alg": "RS256", "header": "X-JWS", "prefix": "", "payload": "{body}", "id_json": "/id"}
		for i := 0; i < len(more); i += 2 {
			o[more[i]] = more[i+1]
		}
		return o
	}
	signer, err := New(Config{Scheme: "jwt", Secrets: []string{private}, Options: options()})
	require.NoError(t, err)
	body := []byte(`{"id":"evt_1"}`)
	h, err := signer.Sign(&Request{Method: http.MethodPost, Header: http.Header{}, Body: body}, "", noon)
	require.NoError(t, err)
	require.Contains(t, h.Get("X-JWS"), "..")
	for name, test := range map[string]struct {
		secret string
		body   string
		ok     bool
	}{
		"right":        {public, string(body), true},
		"another body": {public, `{"id":"evt_2"}`, false},
		"another key":  {wrong, string(body), false},
	} {
		v, err := New(Config{Scheme: "jwt", Secrets: []string{test.secret}, Options: options()})
		require.NoError(t, err)
		res, err := v.Verify(&Request{Method: http.MethodPost, Header: h, Body: []byte(test.body)}, noon)
		if !test.ok {
			requireReason(t, ReasonMismatch, err)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, "evt_1", res.ID)
		require.True(t, res.BodySigned)
	}
	for option, more := range map[string][]string{
		"audience": {"audience", "us"}, "issuer": {"issuer", "them"}, "body_hash": {"body_hash", "sha256"}, "payload": {"payload", "{t}.{body}"},
	} {
		_, err := New(Config{Scheme: "jwt", Secrets: []string{public}, Options: options(more...)})
		require.ErrorIs(t, err, ErrOption)
		require.ErrorContains(t, err, option)
	}
	_, err = New(Config{Scheme: "jwt", Secrets: []string{"a secret"}, Options: options("alg", "HS256")})
	require.ErrorContains(t, err, "payload")
}
