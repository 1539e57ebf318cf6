package signature

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// adyen is the scheme of Adyen's standard notifications, which have a signature in each item that covers eight fields of the item.
type adyen struct {
	inBody
	row  *row
	keys []key
}

// Bounds of one notification, which is parsed before its signatures are verified: items, bytes of an item, and names. Adyen sends one item of
// a few KiB.
const (
	maxAdyenItems = 100
	maxAdyenItem  = 64 << 10
	maxAdyenNames = 2000
)

func newAdyen(r *row, c Config) (scheme, error) {
	keys, err := r.keys(c)
	if err != nil {
		return nil, err
	}
	return &adyen{row: r, keys: keys}, nil
}

func (s *adyen) verify(r *Request, _ time.Time) (Result, error) {
	if len(r.Body) > maxParsed {
		return Result{}, malformed("the notification", "is too large")
	}
	// Names are matched exactly below, and none may be there twice: the app must not read a field that we did not.
	if !bytes.HasPrefix(bytes.TrimLeft(r.Body, " \t\r\n"), []byte{'{'}) && len(r.Body) > 0 || distinctNames(r.Body, maxAdyenNames) != nil {
		return Result{}, malformed("the notification", "is not JSON with distinct names")
	}
	raw, _ := rawField(r.Body, "/notificationItems")
	items, ok := elements(raw, maxAdyenItems)
	if !ok || len(items) == 0 {
		return Result{}, missing("the notification in the body, as a list of at most a hundred items,")
	}
	res := Result{Secret: -1, BodySigned: true}
	for _, item := range items {
		if len(item) > maxAdyenItem {
			return Result{}, malformed("the notification", "has an item that is too large")
		}
		signed, matched, err := s.item(item)
		if err != nil {
			return Result{}, err
		}
		if res.Secret < 0 {
			res.Secret = matched
		}
		res.Items = append(res.Items, signed)
	}
	if !json.Valid(r.Body) {
		return Result{}, malformed("the notification", "is not JSON")
	}
	// The eight fields of each item are an event. The list may have it several times and in any order, and the rest of the body may differ
	// from copy to copy.
	slices.SortFunc(res.Items, bytes.Compare)
	res.Items = slices.CompactFunc(res.Items, bytes.Equal)
	res.Content = bytes.Join(res.Items, []byte{'\n'})
	res.Event, _ = Field(r.Body, s.row.eventJSON[0])
	return res, nil
}

// item verifies one item. It returns the bytes that were signed, and the index of the key that signed them.
func (s *adyen) item(item []byte) (signed []byte, matched int, err error) {
	fields := members(members(item)["NotificationRequestItem"])
	text := member(members(fields["additionalData"]), "hmacSignature")
	if text == "" {
		return nil, 0, missing("the signature of a notification in the body")
	}
	var d decoded
	if !s.row.enc.decode(&d, text) || !s.keys[0].fits(&d) {
		return nil, 0, malformed("the signature in the body", "is not base64 of the right length")
	}
	signed = adyenPayload(fields)
	if matched = signedBy(s.keys, d.bytes(), signed); matched < 0 {
		return nil, 0, errMismatch
	}
	return signed, matched, nil
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
	if len(doc) == 0 || doc[0] != '{' {
		return nil
	}
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
