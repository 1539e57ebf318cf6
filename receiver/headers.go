package receiver

import (
	"net/http"
	"strings"

	"github.com/videocloud/webhooks/config"
)

// gatewayHeaders are the names that the gateway sets, in lower case. Other X-Webhook-* headers are a provider's own.
var gatewayHeaders = []string{"x-webhook-verified", "x-webhook-id", "x-webhook-event", "x-webhook-timestamp", "x-webhook-attempt", "x-webhook-deliver"}

const gatewayPrefix = "x-webhook-"

// stripHeaders removes headers that no handler behind the receiver may get: forged ones of ours, and those that would turn
// the request into a connection of another protocol, whose content nobody verifies.
func stripHeaders(h http.Header) {
	dropGatewayHeaders(h)
	if len(h["Upgrade"]) > 0 || len(h["Http2-Settings"]) > 0 {
		delete(h, "Upgrade")
		delete(h, "Http2-Settings")
		keepConnection(h, func(token string) bool {
			return !strings.EqualFold(token, "Upgrade") && !strings.EqualFold(token, "HTTP2-Settings")
		})
	}
}

// dropGatewayHeaders removes every header that a CGI-style app could take for one of ours: in any letter case, and with any
// character but letters and digits in place of a dash, since such apps read all of these as "_".
// Lesson 48: X_Webhook_Verified must not pass for X-Webhook-Verified.
func dropGatewayHeaders(h http.Header) {
	for name := range h {
		if isGatewayHeader(name) {
			delete(h, name)
		}
	}
	// "Connection: X-Webhook-Id" would make a proxy behind us remove the header that we set.
	for _, v := range h["Connection"] {
		if !mentionsGatewayHeader(v) {
			continue
		}
		keepConnection(h, func(token string) bool { return !isGatewayHeader(token) })
		break
	}
}

// keepConnection removes the tokens of the header Connection for which keep returns false.
func keepConnection(h http.Header, keep func(token string) bool) {
	var kept []string
	for _, v := range h["Connection"] {
		for token := range strings.SplitSeq(v, ",") {
			if token = strings.TrimSpace(token); token != "" && keep(token) {
				kept = append(kept, token)
			}
		}
	}
	if kept == nil {
		delete(h, "Connection")
		return
	}
	h["Connection"] = kept
}

func isGatewayHeader(name string) bool {
	if len(name) <= len(gatewayPrefix) || name[0]|0x20 != 'x' {
		return false
	}
	for _, own := range gatewayHeaders {
		if passesFor(name, own) {
			return true
		}
	}
	return false
}

// passesFor reports whether an app may take name for own, which is in lower case.
func passesFor(name, own string) bool {
	if len(name) != len(own) {
		return false
	}
	for i := range len(own) {
		c := name[i] | 0x20 // lower case, for letters
		switch {
		case own[i] == '-':
			if 'a' <= c && c <= 'z' || '0' <= name[i] && name[i] <= '9' {
				return false
			}
		case c != own[i]:
			return false
		}
	}
	return true
}

func mentionsGatewayHeader(connection string) bool {
	for token := range strings.SplitSeq(connection, ",") {
		if isGatewayHeader(strings.TrimSpace(token)) {
			return true
		}
	}
	return false
}

// setGatewayHeaders sets the headers by which the app learns what was verified.
func (r *Receiver) setGatewayHeaders(h http.Header, x *exchange) {
	h[config.HeaderVerified] = r.verifiedHeader
	x.values = [3]string{x.ID, x.Event, x.Timestamp}
	for i, name := range [...]string{config.HeaderID, config.HeaderEvent, config.HeaderTimestamp} {
		if validHeaderValue(x.values[i]) {
			h[name] = x.values[i : i+1 : i+1]
		}
	}
}

// validHeaderValue reports whether a value is valid in a header and no longer than 1,024 bytes. Values come out of a body, or from a
// verifier of the caller's own.
func validHeaderValue(value string) bool {
	if value == "" || len(value) > 1024 {
		return false
	}
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}
