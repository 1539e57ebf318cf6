package signature

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// bodySigner is a scheme whose signature, or secret, is part of the body.
type bodySigner interface {
	signBody(r *Request, id string, now time.Time) ([]byte, error)
}

// SignBody returns the body as the provider would send it, for schemes whose signature or secret is part of it; for other schemes it returns
// the request's body. The request's body must be what the provider signs; otherwise the error is an [ErrCannotSign] that describes the
// form. SignBody may set the request's Content-Type.
func (v *Verifier) SignBody(r *Request, id string, now time.Time) ([]byte, error) {
	if s, ok := v.scheme.(bodySigner); ok {
		return s.signBody(r, id, now)
	}
	return r.Body, nil
}

// cannotSign is an [ErrCannotSign] with the reason.
func cannotSign(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCannotSign, fmt.Sprintf(format, args...))
}

// inBody implements check and sign for schemes whose signature, or secret, is part of the body.
type inBody struct{}

// errInBody is the answer to signing with headers alone, where the signature is part of the body.
var errInBody = cannotSign("the signature is part of the body, not a header; caddy webhook send puts it there")

// check accepts all headers, because nothing can be checked before the body is there.
func (inBody) check(http.Header, time.Time) error { return nil }

func (inBody) sign(*Request, string, time.Time) (http.Header, error) { return nil, errInBody }

// signBody signs every item of a notification.
func (s *adyen) signBody(r *Request, _ string, _ time.Time) ([]byte, error) {
	const form = `a notification of Adyen is {"notificationItems":[{"NotificationRequestItem":{…}}]}`
	raw, _ := rawField(r.Body, "/notificationItems")
	items, ok := elements(raw, maxAdyenItems)
	if !ok || len(items) == 0 || !json.Valid(r.Body) {
		return nil, cannotSign(form)
	}
	body := r.Body
	for i, item := range items {
		fields, ok := members(item)["NotificationRequestItem"]
		if !ok {
			return nil, cannotSign(form)
		}
		text := s.row.enc.encode(nil, s.keys[0].mac.sign(adyenPayload(members(fields))))
		place := fmt.Sprintf("/notificationItems/%d/NotificationRequestItem/additionalData/hmacSignature", i)
		if body, ok = withField(body, place, string(text)); !ok {
			return nil, cannotSign(form)
		}
	}
	return body, nil
}

// mailgunToken is the length of a token in bytes: Mailgun's tokens have 50 hexadecimal digits.
const mailgunToken = 25

// signBody signs the time and a token, which is the event's ID: the given one, the body's, or a new one.
func (s *mailgun) signBody(r *Request, id string, now time.Time) ([]byte, error) {
	fresh := make([]byte, mailgunToken)
	_, _ = rand.Read(fresh) // never fails
	stamp, token := unitSeconds.format(now), cmp.Or(id, mailgunFields(r)("token"), hex.EncodeToString(fresh))
	text := string(encHex.encode(nil, s.keys[0].mac.sign([]byte(stamp), []byte(token))))
	added := [...][2]string{{"timestamp", stamp}, {"token", token}, {"signature", text}}
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case formType:
		fields, err := formUpTo(r, maxParsed)
		if err != nil {
			return nil, cannotSign("%v", err)
		}
		for _, a := range added {
			fields.Set(a[0], a[1])
		}
		return []byte(fields.Encode()), nil
	case "multipart/form-data":
		return nil, cannotSign("of Mailgun's forms those in parts are only verified; give JSON, or a form of the type %s", formType)
	}
	body, ok := r.Body, json.Valid(r.Body)
	for _, a := range slices.Backward(added[:]) { // each is inserted in front of the last
		if ok {
			body, ok = withField(body, "/signature/"+a[0], a[1])
		}
	}
	if !ok {
		return nil, cannotSign(`an event of Mailgun is a form, or JSON: {"event-data":{…}}`)
	}
	return body, nil
}

const formType = "application/x-www-form-urlencoded"

// signBody signs the field bt_payload of a form, or makes a form of a notification in XML.
func (s *braintree) signBody(r *Request, _ string, _ time.Time) ([]byte, error) {
	text := bytes.TrimSpace(r.Body)
	fields := url.Values{}
	if bytes.HasPrefix(text, []byte{'<'}) {
		fields.Set("bt_payload", base64.StdEncoding.EncodeToString(text)+"\n")
	} else if given, err := url.ParseQuery(string(text)); err == nil {
		fields = given
	}
	payload, err := onlyField(fields, "bt_payload")
	if err != nil {
		return nil, cannotSign("a notification of Braintree is XML, or a form with the field bt_payload")
	}
	fields.Set("bt_signature", s.public+"|"+string(encHex.encode(nil, s.keys[0].mac.sign([]byte(payload)))))
	r.Header.Set("Content-Type", formType)
	return []byte(fields.Encode()), nil
}

// signBody puts the secret where the provider has it.
func (s *bodyToken) signBody(r *Request, _ string, _ time.Time) ([]byte, error) {
	list, rest, several := strings.Cut(s.row.secretPointers[0], "/*")
	places := []string{list}
	if several {
		raw, _ := rawField(r.Body, list)
		items, ok := elements(raw, maxListed)
		if !ok || len(items) == 0 {
			return nil, cannotSign("a body of %s is JSON with a list at %s", s.row.provider, list)
		}
		places = nil
		for i := range items {
			places = append(places, fmt.Sprintf("%s/%d%s", list, i, rest))
		}
	}
	body, ok := r.Body, json.Valid(r.Body)
	for _, place := range places {
		if ok {
			body, ok = withField(body, place, s.first)
		}
	}
	if !ok {
		return nil, cannotSign("a body of %s is a JSON object, with the secret at %s", s.row.provider, s.row.secretPointers[0])
	}
	return body, nil
}

// signBody makes the token that is the body from the claims in the request's body. A body that is a token already is returned as it is.
func (s *jwtScheme) signBody(r *Request, _ string, _ time.Time) ([]byte, error) {
	if !s.rules.inBody || canonicalToken(string(r.Body)) {
		return r.Body, nil
	}
	if s.signer == nil {
		return nil, errPublicKey
	}
	if !json.Valid(r.Body) {
		return nil, cannotSign("the body of %s is a token: give its claims as JSON", s.row.provider)
	}
	text, err := s.signed(r.Body, (*jose.JSONWebSignature).CompactSerialize)
	return []byte(text), err
}

// withField returns a copy of the document with a text at the pointer: in place of the value there, or as the first member of its
// object. It adds objects that are missing on the way. It returns false where there is no object to put the text into.
func withField(doc []byte, pointer, text string) ([]byte, bool) {
	value, err := json.Marshal(text)
	if err != nil {
		return nil, false
	}
	for {
		if start, end, ok := fieldAt(doc, pointer); ok {
			return slices.Concat(doc[:start], value, doc[end:]), true
		}
		i := strings.LastIndexByte(pointer, '/')
		if i < 0 {
			return nil, false
		}
		parent, name := pointer[:i], pointer[i+1:]
		start, end, ok := fieldAt(doc, parent)
		if !ok {
			value = fmt.Appendf(nil, `{"%s":%s}`, name, value)
			pointer = parent
			continue
		}
		if doc[start] != '{' {
			return nil, false
		}
		member := fmt.Appendf(nil, `"%s":%s`, name, value)
		if len(bytes.TrimSpace(doc[start+1:end-1])) > 0 {
			member = append(member, ',')
		}
		return slices.Concat(doc[:start+1], member, doc[start+1:]), true
	}
}
