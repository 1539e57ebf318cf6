package signature

import (
	"bytes"
	"cmp"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Some providers sign in one of two ways, whichever their customer has set. The scheme of such a provider looks at the headers of a
// request and verifies it by the way that they announce: what an attacker adds or leaves out only decides which secret he has to know.

// alternatives is a scheme that picks one of two others by the headers of a request.
type alternatives struct {
	pick   func(h http.Header) (*alternative, error)
	signer *generic // signs requests
}

// alternative is one of the two ways.
type alternative struct {
	*generic       // nil where no secret is for it
	secrets  []int // the index of each of its secrets among all
}

func (s *alternatives) check(h http.Header, now time.Time) error {
	a, err := s.pick(h)
	if err != nil {
		return err
	}
	return a.check(h, now)
}

func (s *alternatives) verify(r *Request, now time.Time) (Result, error) {
	a, err := s.pick(r.Header)
	if err != nil {
		return Result{}, err
	}
	res, err := a.verify(r, now)
	if err == nil && a.secrets != nil {
		res.Secret = a.secrets[res.Secret]
	}
	return res, err
}

func (s *alternatives) sign(r *Request, id string, now time.Time) (http.Header, error) {
	return s.signer.sign(r, id, now)
}

// newGitLab takes signing tokens (`whsec_…`), which make the headers of Standard Webhooks, and secret tokens, which are sent as they are.
// A request with a signature is verified by it if a signing token is configured.
func newGitLab(r *row, c Config) (scheme, error) {
	if len(c.Secrets) == 0 {
		return nil, errNoSecret
	}
	standard := *table()["standard"]
	standard.name, standard.eventHeader, standard.eventJSON = r.name, r.eventHeader, nil
	var signing, token alternative
	var err error
	for _, way := range []struct {
		*alternative
		row   *row
		whsec bool
	}{{&signing, &standard, true}, {&token, r, false}} {
		own := c
		own.Secrets = nil
		for i, secret := range c.Secrets {
			if strings.HasPrefix(secret, whsec) == way.whsec {
				own.Secrets, way.secrets = append(own.Secrets, secret), append(way.secrets, i)
			}
		}
		if len(own.Secrets) == 0 {
			continue
		}
		if way.generic, err = newGeneric(way.row, own); err != nil {
			return nil, err
		}
	}
	s := &alternatives{signer: cmp.Or(signing.generic, token.generic)}
	s.pick = func(h http.Header) (*alternative, error) {
		if token.generic == nil || (signing.generic != nil && len(h["Webhook-Signature"]) > 0) {
			return &signing, nil
		}
		return &token, nil
	}
	return s, nil
}

const twilioSettings = "X-Twilio-Webhooks-Signature-Settings"

// newTwilio takes signatures by the auth token, with SHA-1, and those by a shared key, with SHA-256, which a header announces.
func newTwilio(r *row, c Config) (scheme, error) {
	var token, shared alternative
	var err error
	if token.generic, err = newGeneric(r, c); err != nil {
		return nil, err
	}
	own := *r
	own.alg = algSHA256
	if shared.generic, err = newGeneric(&own, c); err != nil {
		return nil, err
	}
	return &alternatives{signer: token.generic, pick: func(h http.Header) (*alternative, error) {
		if len(h[twilioSettings]) == 0 {
			return &token, nil
		}
		settings, err := pairs(h, twilioSettings)
		if err == nil && settings["algorithm"] != "HMAC_SHA256" {
			err = malformed(twilioSettings, "names another algorithm than HMAC_SHA256")
		}
		return &shared, err
	}}, nil
}

// mailgunFields returns a function that reads timestamp, token, signature or event of a Mailgun body, which is JSON or, for inbound messages
// and older webhooks, a form.
func mailgunFields(r *Request) func(name string) string {
	kind, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case formType:
		fields, err := formUpTo(r, maxParsed)
		return func(name string) string {
			text, missing := onlyField(fields, name)
			if err != nil || missing != nil || !printable(text) {
				return ""
			}
			return text
		}
	case "multipart/form-data":
		fields := partsOf(r.Body, parameters["boundary"])
		return func(name string) string { return fields[name] }
	}
	var signed []byte // the object with the three, which is short
	if len(r.Body) <= maxParsed {
		signed, _ = rawField(r.Body, "/signature")
	}
	return func(name string) string {
		if name == "event" {
			text, _ := Field(r.Body, "/event-data/event")
			return text
		}
		if len(signed) > maxHeader {
			return ""
		}
		text, _ := Field(signed, "/"+name)
		return text
	}
}

// Bounds of a multipart form, which is parsed before its signature is verified. Its attachments may be as large as the body.
const (
	maxParts      = 200
	maxPartHeader = 1 << 10
)

// partsOf reads the short fields of a multipart form (RFC 7578) up to the first malformed part. It leaves out a field that is there twice.
// The content of other parts is only searched for the next boundary, so that attachments take little time.
func partsOf(body []byte, boundary string) map[string]string {
	fields := map[string]string{}
	if boundary == "" || len(boundary) > maxBoundary {
		return fields
	}
	seen := map[string]bool{}
	delimiter := []byte("\r\n--" + boundary)
	if !bytes.HasPrefix(body, delimiter[2:]) {
		return fields
	}
	body = body[len(delimiter)-2:]
	for range maxParts {
		head, _, ok := bytes.Cut(body[:min(len(body), maxPartHeader)], []byte("\r\n\r\n"))
		if !ok || !bytes.HasPrefix(head, []byte("\r\n")) {
			break // the last boundary, or no part
		}
		body = body[len(head)+len("\r\n\r\n"):]
		end := bytes.Index(body, delimiter)
		if end < 0 {
			break
		}
		content := body[:end]
		body = body[end+len(delimiter):]
		name := partName(head)
		if !slices.Contains([]string{"timestamp", "token", "signature", "event"}, name) {
			continue
		}
		if seen[name] || !printable(string(content[:min(len(content), maxField+1)])) {
			delete(fields, name)
		} else {
			fields[name] = string(content)
		}
		seen[name] = true
	}
	return fields
}

const maxBoundary = 70 // RFC 2046

// partName returns the name of the field in the header of a part, empty if it has none.
func partName(head []byte) string {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte{':'})
		if !strings.EqualFold(string(name), "Content-Disposition") {
			continue
		}
		kind, parameters, err := mime.ParseMediaType(string(bytes.TrimSpace(value)))
		if err != nil || kind != "form-data" {
			return ""
		}
		return parameters["name"]
	}
	return ""
}
