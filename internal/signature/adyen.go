package signature

import (
	"crypto/hmac"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// adyen checks the signatures in the items of an Adyen standard notification. Each covers eight fields of its item.
type adyen struct {
	row  *row
	keys []key
}

// maxAdyenItems bounds the items of one notification. Adyen sends one in JSON.
const maxAdyenItems = 100

func newAdyen(r *row, c Config) (scheme, error) {
	keys, err := r.keys(c)
	if err != nil {
		return nil, err
	}
	return &adyen{r, keys}, nil
}

// check has nothing to look at before the body is there.
func (s *adyen) check(http.Header, time.Time) error { return nil }

func (s *adyen) verify(r *Request, _ time.Time) (Result, error) {
	// Names are matched exactly below, and none may be there twice: the app must not read a field that we did not.
	if err := distinctNames(r.Body); err != nil {
		return Result{}, malformed("the notification", "is not JSON with distinct names")
	}
	var items []json.RawMessage
	if raw := members(r.Body)["notificationItems"]; json.Unmarshal(raw, &items) != nil || len(items) == 0 || len(items) > maxAdyenItems {
		return Result{}, missing("the notification in the body")
	}
	res := Result{Secret: -1, BodySigned: true}
	for _, item := range items {
		fields := members(members(item)["NotificationRequestItem"])
		text := member(members(fields["additionalData"]), "hmacSignature")
		if text == "" {
			return Result{}, missing("the signature of a notification in the body")
		}
		var d decoded
		if !s.row.enc.decode(&d, text) || !s.keys[0].fits(&d) {
			return Result{}, malformed("the signature in the body", "is not base64 of the right length")
		}
		signed := adyenPayload(fields)
		matched := s.match(d.bytes(), signed)
		if matched < 0 {
			return Result{}, errMismatch
		}
		if res.Secret < 0 {
			res.Secret = matched
		}
		// What the eight fields say is the event; the rest of the body may change from copy to copy.
		res.Content = append(append(res.Content, signed...), '\n')
	}
	res.Event, _ = Field(r.Body, s.row.eventJSON[0])
	return res, nil
}

// adyenPayload joins the signed fields.
func adyenPayload(item map[string]json.RawMessage) []byte {
	amount := members(item["amount"])
	return []byte(strings.Join([]string{
		member(item, "pspReference"), member(item, "originalReference"), member(item, "merchantAccountCode"), member(item, "merchantReference"),
		member(amount, "value"), member(amount, "currency"), member(item, "eventCode"), member(item, "success"),
	}, ":"))
}

// members are the members of a JSON object, none for anything else.
func members(doc []byte) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	_ = json.Unmarshal(doc, &m)
	return m
}

// member is the text of a string, a number or a boolean, and empty for anything else.
func member(of map[string]json.RawMessage, name string) string {
	raw := of[name]
	if string(raw) == "true" || string(raw) == "false" {
		return string(raw)
	}
	text, _ := scalar(raw)
	return text
}

func (s *adyen) match(signature, payload []byte) int {
	for i, k := range s.keys {
		m := k.mac.get()
		m.write(payload)
		equal := hmac.Equal(m.total(), signature)
		k.mac.put(m)
		if equal {
			return i
		}
	}
	return -1
}

func (s *adyen) sign(*Request, string, time.Time) (http.Header, error) { return nil, ErrCannotSign }
