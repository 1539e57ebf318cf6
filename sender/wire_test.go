package sender

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// standardKey is the key that Standard Webhooks makes of a secret.
func standardKey(t *testing.T, secret string) []byte {
	t.Helper()
	rest, ok := strings.CutPrefix(secret, "whsec_")
	if !ok {
		return []byte(secret)
	}
	key, err := base64.StdEncoding.DecodeString(rest)
	require.NoError(t, err)
	return key
}

func mac(key []byte, message string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(message))
	return m.Sum(nil)
}

// standardValue is the value of webhook-signature for a request, by the book.
func standardValue(t *testing.T, r received, secret string) string {
	t.Helper()
	message := r.header.Get("webhook-id") + "." + r.header.Get("webhook-timestamp") + "." + string(r.body)
	return "v1," + base64.StdEncoding.EncodeToString(mac(standardKey(t, secret), message))
}

// requireSigned checks both signatures of a request: the guide's with the secret, and a Standard Webhooks value with
// each of the secrets, in order.
func requireSigned(t *testing.T, r received, secret string, olds ...string) {
	t.Helper()
	require.Equal(t, hex.EncodeToString(mac([]byte(secret), string(r.body))), r.header.Get("X-VideoCloud-Signature"))
	values := []string{standardValue(t, r, secret)}
	for _, old := range olds {
		values = append(values, standardValue(t, r, old))
	}
	require.Equal(t, strings.Join(values, " "), r.header.Get("webhook-signature"))
}

// noticeBody is the body of a notice.
type noticeBody struct {
	Event     string
	Timestamp string
	Data      map[string]any
}

func readNoticeBody(t *testing.T, r received) (n noticeBody) {
	t.Helper()
	require.NoError(t, json.Unmarshal(r.body, &n))
	return n
}
