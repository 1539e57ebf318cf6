package signature

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestComposedSchemesVerifyWhatTheySign: also those whose text is made in Go.
func TestComposedSchemesVerifyWhatTheySign(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 64)
	for name, test := range map[string]struct {
		config Config
		id     string
		signed bool // the ID
	}{
		"hook0 with an ID":    {Config{Scheme: "hook0", Secrets: []string{"a secret"}}, "evt_1", true},
		"hook0 without":       {Config{Scheme: "hook0", Secrets: []string{"a secret"}}, "", false},
		"contentful":          {Config{Scheme: "contentful", Secrets: []string{long}, URL: "https://hooks.example.com/in?a=b"}, "", false},
		"hygraph":             {Config{Scheme: "hygraph", Secrets: []string{"a secret"}}, "", false},
		"nowpayments":         {Config{Scheme: "nowpayments", Secrets: []string{"a secret"}}, "", false},
		"a secret in a body":  {Config{Scheme: "figma", Secrets: []string{"a secret"}}, "", false},
		"in all of its items": {Config{Scheme: "microsoft-graph", Secrets: []string{"a secret"}}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := New(test.config)
			require.NoError(t, err)
			body := `{"z":1,"a":"é \"x\"","passcode":"a secret","value":[{"clientState":"a secret"},{"clientState":"a secret"}]}`
			r := &Request{Method: http.MethodPost, URL: "/in?a=b", Header: http.Header{}, Body: []byte(body)}
			h, err := v.Sign(r, test.id, noon)
			require.NoError(t, err)
			r.Header = http.Header{}
			for header, values := range h {
				r.Header[http.CanonicalHeaderKey(header)] = values
			}
			require.NoError(t, v.Check(r.Header, noon))
			res, err := v.Verify(r, noon)
			require.NoError(t, err)
			require.Equal(t, test.signed, res.IDSigned)
			require.Equal(t, test.signed, res.ID == "evt_1")
			r.Body = []byte(strings.Replace(body, "a secret", "another", 1))
			_, err = v.Verify(r, noon)
			if test.config.Scheme != "microsoft-graph" {
				requireReason(t, ReasonMismatch, err)
			}
			if scheme := test.config.Scheme; scheme == "figma" {
				_, err = v.Sign(r, "", noon)
				require.ErrorIs(t, err, ErrCannotSign)
			}
		})
	}
}
