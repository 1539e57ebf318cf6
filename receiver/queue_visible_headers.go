package receiver

import (
	"net/http"
	"strings"

	"github.com/videocloud/webhooks/internal/signature"
)

// Hidden replaces the value of a header that may be a secret.
const Hidden = "(hidden)"

// visibleHeaders returns the headers with the values hidden of those that carry the scheme's secret, or whose name suggests
// any secret.
func visibleHeaders(h http.Header, scheme string) http.Header {
	secret := signature.SecretHeaders(scheme)
	shown := make(http.Header, len(h))
	for name, values := range h {
		hidden := mayBeSecret(name)
		for _, s := range secret {
			hidden = hidden || strings.EqualFold(s, name)
		}
		if hidden {
			values = []string{Hidden}
		}
		shown[name] = values
	}
	return shown
}

// mayBeSecret reports whether programs send secrets under such a name.
func mayBeSecret(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"authorization", "cookie", "token", "secret", "password", "passwd", "api-key", "apikey", "credential", "auth-key", "access-key"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
