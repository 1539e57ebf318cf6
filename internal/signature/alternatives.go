package signature

import (
	"bytes"
	"mime"
	"net/http"
	"strings"
	"time"
)

// Some providers' customers meet one of two signatures, by their settings. A scheme of those looks at what a request has, and holds it
// against the secrets that could have made it: what an attacker leaves out or adds only chooses which secret he has to know.

// gitlab takes signing tokens (`whsec_…`), which make the headers of Standard Webhooks, and secret tokens, which are sent as they are. A
// request with a signature is judged by it where a signing token is configured.
type gitlab struct {
	signing, token           *generic // nil without secrets of the kind
	signingIndex, tokenIndex []int
}

func newGitLab(r *row, c Config) (scheme, error) {
	s := &gitlab{}
	var signing, tokens []string
	for i, secret := range c.Secrets {
		if strings.HasPrefix(secret, whsec) {
			signing, s.signingIndex = append(signing, secret), append(s.signingIndex, i)
			continue
		}
		tokens, s.tokenIndex = append(tokens, secret), append(s.tokenIndex, i)
	}
	if len(c.Secrets) == 0 {
		return nil, errNoSecret
	}
	own := c
	if len(signing) > 0 {
		standard := *table()["standard"]
		standard.name, standard.eventHeader, standard.eventJSON = r.name, r.eventHeader, nil
		own.Secrets = signing
		g, err := newGeneric(&standard, own)
		if err != nil {
			return nil, err
		}
		s.signing = g.(*generic)
	}
	if len(tokens) > 0 {
		own.Secrets = tokens
		g, err := newGeneric(r, own)
		if err != nil {
			return nil, err
		}
		s.token = g.(*generic)
	}
	return s, nil
}

// of is what judges a request.
func (s *gitlab) of(h http.Header) (*generic, []int) {
	if s.token == nil || (s.signing != nil && len(h["Webhook-Signature"]) > 0) {
		return s.signing, s.signingIndex
	}
	return s.token, s.tokenIndex
}

func (s *gitlab) check(h http.Header, now time.Time) error {
	g, _ := s.of(h)
	return g.check(h, now)
}

func (s *gitlab) verify(r *Request, now time.Time) (Result, error) {
	g, index := s.of(r.Header)
	res, err := g.verify(r, now)
	if err == nil {
		res.Secret = index[res.Secret]
	}
	return res, err
}

func (s *gitlab) sign(r *Request, id string, now time.Time) (http.Header, error) {
	g, _ := s.of(http.Header{"Webhook-Signature": {"x"}})
	return g.sign(r, id, now)
}

// twilio takes signatures by the auth token with SHA-1, and those by a shared key, which a header announces, with SHA-256.
type twilio struct {
	token, shared *generic
}

const twilioSettings = "X-Twilio-Webhooks-Signature-Settings"

func newTwilio(r *row, c Config) (scheme, error) {
	token, err := newGeneric(r, c)
	if err != nil {
		return nil, err
	}
	own := *r
	own.alg = algSHA256
	shared, err := newGeneric(&own, c)
	if err != nil {
		return nil, err
	}
	return &twilio{token.(*generic), shared.(*generic)}, nil
}

func (s *twilio) of(h http.Header) (*generic, error) {
	if len(h[twilioSettings]) == 0 {
		return s.token, nil
	}
	settings, err := pairs(h, twilioSettings)
	if err != nil {
		return nil, err
	}
	if settings["algorithm"] != "HMAC_SHA256" {
		return nil, malformed(twilioSettings, "names another algorithm than HMAC_SHA256")
	}
	return s.shared, nil
}

func (s *twilio) check(h http.Header, now time.Time) error {
	g, err := s.of(h)
	if err != nil {
		return err
	}
	return g.check(h, now)
}

func (s *twilio) verify(r *Request, now time.Time) (Result, error) {
	g, err := s.of(r.Header)
	if err != nil {
		return Result{}, err
	}
	return g.verify(r, now)
}

func (s *twilio) sign(r *Request, id string, now time.Time) (http.Header, error) {
	return s.token.sign(r, id, now)
}

// mailgunFields are timestamp, token, signature and event as a Mailgun body has them: in JSON, or as fields of a form, which inbound
// messages and older webhooks are.
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

// Bounds of a form in parts, which is taken apart before its signature is known. Its attachments may be as large as the body.
const (
	maxParts      = 200
	maxPartHeader = 1 << 10
)

// partsOf reads the short fields of a multipart form (RFC 7578) up to the first part that has not its form. A field that is there twice is
// none. What lies between two boundaries is searched, not read, so that an attachment costs next to nothing.
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
		switch name {
		case "timestamp", "token", "signature", "event":
		default:
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

// partName is the name of the field that the header of a part says.
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
