package receiver

import (
	"net/http"
	"strings"

	"github.com/videocloud/webhooks/config"
)

const ownPrefix = "x-webhook-"

// dropOwn removes every header that a CGI-style app behind the gateway could take for one of ours: any letter
// case, and anything but letters and digits where we write a dash, since such apps see them all as "_".
// Lesson 48: X_Webhook_Verified must not pass for X-Webhook-Verified.
func dropOwn(h http.Header) {
	for name := range h {
		if isOwn(name) {
			delete(h, name)
		}
	}
	// "Connection: X-Webhook-Id" would make a proxy behind us strip the header that we set.
	for _, v := range h["Connection"] {
		if !mentionsOwn(v) {
			continue
		}
		if kept := withoutOwn(h["Connection"]); kept != nil {
			h["Connection"] = kept
		} else {
			delete(h, "Connection")
		}
		break
	}
}

func isOwn(name string) bool {
	if len(name) < len(ownPrefix) {
		return false
	}
	for i := 0; i < len(ownPrefix); i++ {
		c := name[i] | 0x20 // lower case, for letters
		switch want := ownPrefix[i]; {
		case want == '-':
			if 'a' <= c && c <= 'z' || '0' <= name[i] && name[i] <= '9' {
				return false
			}
		case c != want:
			return false
		}
	}
	return true
}

func mentionsOwn(connection string) bool {
	for token := range strings.SplitSeq(connection, ",") {
		if isOwn(strings.TrimSpace(token)) {
			return true
		}
	}
	return false
}

func withoutOwn(connection []string) []string {
	var kept []string
	for _, v := range connection {
		for token := range strings.SplitSeq(v, ",") {
			if token = strings.TrimSpace(token); token != "" && !isOwn(token) {
				kept = append(kept, token)
			}
		}
	}
	return kept
}

// setOwn tells the app what was verified.
func (r *Receiver) setOwn(h http.Header, x *exchange) {
	h[config.HeaderVerified] = r.verified
	x.values = [3]string{x.ID, x.Event, x.Timestamp}
	for i, name := range [...]string{config.HeaderID, config.HeaderEvent, config.HeaderTimestamp} {
		if canStand(x.values[i]) {
			h[name] = x.values[i : i+1 : i+1]
		}
	}
}

// canStand reports whether a value can stand in a header. Not all can: they come out of a body, or from a foreign
// verifier.
func canStand(value string) bool {
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
