package sender

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/jsonscan"
	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/internal/signature"
)

func (s *Sender) checkURL(raw string) error {
	if raw == "" {
		return invalid("url", "url is missing; give the https:// address that gets the events")
	}
	return s.checkDestination("url", raw)
}

// checkDestination checks a URL that somebody else chose. field is where it was given.
func (s *Sender) checkDestination(field, raw string) error {
	_, err := s.policy.CheckURL(raw)
	var refused *destination.Error
	if errors.As(err, &refused) {
		return &Error{Code: Code(refused.Code), Field: field, Message: refused.Message}
	}
	return err
}

// checkEvents checks a webhook's subscriptions: known types, groups of known types, or *.
func (s *Sender) checkEvents(events []string) error {
	if len(events) == 0 {
		return invalid("events", "give at least one event type, a group such as video.*, or *")
	}
	seen := map[string]bool{}
	for _, e := range events {
		if seen[e] {
			return invalid("events", "%q is given twice", e)
		}
		seen[e] = true
		if e != "*" && !s.isSubscribable(e) {
			return unknownSubscription(e)
		}
	}
	return nil
}

func unknownType(name string) *Error {
	return &Error{Code: CodeUnknownEventType, Field: "event", Message: "unknown event type " + quote(name) + "; GET /event-types lists them"}
}

func unknownSubscription(name string) *Error {
	return &Error{Code: CodeUnknownEventType, Field: "events", Message: "unknown event type " + quote(name) + "; GET /event-types lists them, and a group such as video.* or * works too"}
}

func (s *Sender) isSubscribable(name string) bool {
	group, isGroup := strings.CutSuffix(name, ".*")
	for _, t := range s.cachedCatalogue().list {
		if t.Name == name || isGroup && strings.HasPrefix(t.Name, group+".") {
			return true
		}
	}
	return false
}

// quote quotes and shortens what a caller sent, for use in a message.
func quote(v string) string {
	if len(v) > 64 {
		v = truncate(v, 64) + "…"
	}
	return strconv.Quote(strings.ToValidUTF8(v, "?"))
}

// checkText holds the text of a field to a bound in bytes.
func checkText(field, text string, max int) error {
	if len(text) > max || !utf8.ValidString(text) {
		return invalid(field, "%s has at most %d bytes of UTF-8", field, max)
	}
	return nil
}

// valueOf is what an optional field holds, the zero value where it is left out.
func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// checkSecret checks a secret. Its errors say nothing of the secret but its length.
func checkSecret(field, secret string) error {
	if len(secret) < config.MinSecretSize || len(secret) > config.MaxSecretSize {
		return invalid(field, "a secret has %d to %d bytes; leave it out to have one made", config.MinSecretSize, config.MaxSecretSize)
	}
	if !utf8.ValidString(secret) {
		return invalid(field, "a secret is valid UTF-8")
	}
	if _, err := signature.NewStandardSigner(secret); err != nil {
		return invalid(field, "a secret that starts with whsec_ goes on with base64; this one doesn't decode")
	}
	return nil
}

// hopByHop are the hop-by-hop headers of RFC 9110 section 7.6.1, those that net/http sets or reads itself, and those of ours that
// every brand has.
var hopByHop = map[string]bool{
	"connection": true, "keep-alive": true, "proxy-connection": true, "proxy-authenticate": true, "proxy-authorization": true,
	"te": true, "trailer": true, "transfer-encoding": true, "upgrade": true, "expect": true,
	"host": true, "content-length": true, "content-type": true, "user-agent": true,
	config.HeaderWebhookID: true, config.HeaderWebhookTimestamp: true, config.HeaderWebhookSignature: true,
	config.HeaderTraceparent: true, config.HeaderTracestate: true,
}

// isReservedHeader reports whether a header belongs to the sender, in any letter case. A _ counts as -: behind a server that maps
// headers to variables both are the same.
func (s *Sender) isReservedHeader(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	if hopByHop[name] {
		return true
	}
	for _, own := range []string{s.names.Signature, s.names.Event, s.names.EventID, s.names.Attempt, s.names.Installation} {
		if name == strings.ToLower(own) {
			return true
		}
	}
	return false
}

func (s *Sender) checkHeaders(headers map[string]string) error {
	if len(headers) > config.MaxHeaders {
		return invalid("headers", "at most %d custom headers", config.MaxHeaders)
	}
	seen := map[string]bool{}
	for name, value := range headers {
		if len(name) > config.MaxHeaderName || !names.IsHeader(name) {
			return invalid("headers", "%s is not a header name", quote(name))
		}
		if s.isReservedHeader(name) {
			return invalid("headers", "%s is set by the sender itself; choose another name", quote(name))
		}
		if key := http.CanonicalHeaderKey(name); seen[key] {
			return invalid("headers", "%s is given twice", quote(name))
		} else {
			seen[key] = true
		}
		if len(value) > config.MaxHeaderValue || !validHeaderValue(value) {
			return invalid("headers", "the value of %s holds a control character or is longer than %d bytes", quote(name), config.MaxHeaderValue)
		}
	}
	return nil
}

func validHeaderValue(value string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// checkData checks that data is one JSON object in valid UTF-8, without repeated names at its top level, and not nested too deep.
// It is delivered byte for byte, so every parser must read it the same way.
func checkData(data json.RawMessage) error {
	s := jsonscan.New(data)
	var err, repeated error
	isObject := s.Space() == '{'
	if isObject {
		err = s.Object(func(name []byte, again bool) error {
			if again && repeated == nil {
				repeated = &Error{Code: CodeInvalidJSON, Field: "data", Message: "data has the member " + quote(string(name)) + " twice"}
			}
			return s.Skip()
		})
	} else {
		err = s.Skip()
	}
	switch {
	case s.Deepest > config.MaxJSONDepth:
		return &Error{Code: CodeInvalidJSON, Field: "data", Message: "data is nested deeper than 1,000 levels; flatten it"}
	case !isObject, err != nil, s.End() != nil:
		return invalid("data", "data is a JSON object")
	case !utf8.Valid(data):
		return &Error{Code: CodeInvalidJSON, Field: "data", Message: "data is not valid UTF-8"}
	}
	return repeated
}

var errAccount = invalid("account", "an account has 1 to %d letters, digits, dots, dashes and underscores", names.MaxAccount)

// CheckEvent checks what a publish checks of an event of any type, whatever the catalogue holds: its ID, its size, and that its
// data is one JSON object that every parser reads alike. It returns an [Error].
func CheckEvent(e Event) error {
	if e.ID != "" && !names.IsID(e.ID) {
		return invalid("id", "an event ID has 1 to %d letters, digits, dashes and underscores", config.MaxEventID)
	}
	if len(e.Data) > config.MaxEnvelopeSize {
		return tooLarge()
	}
	if err := checkData(e.Data); err != nil {
		return err
	}
	if bodySize(e.Type, len(e.Data)) > config.MaxEnvelopeSize {
		return tooLarge()
	}
	return nil
}
