package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

// delivered is a request that the sender makes, as the document's webhooks section shows it.
type delivered struct {
	name    string // in that section
	event   string // "" for any
	summary string
	data    string // an example of it
	exact   bool   // the data always have just the members of the example: they are ours, not a publisher's
}

// ownDeliveries are the events that the sender makes by itself.
var ownDeliveries = []delivered{
	{config.EventTest, config.EventTest, "A test event, which POST /webhooks/{id}/test sends", `{"message":"This is a test event.","webhookId":"whk_123456"}`, true},
	{"webhook_failed", config.EventError, "A webhook of the account failed: to its other webhooks that take system.error, to its notifyUrl and to the operator's notify_url",
		`{"kind":"webhook_failed","webhookId":"whk_123456","url":"https://your-server.com/webhooks","eventId":"upload-vid_123456",` +
			`"deliveryId":"dlv_nxww4fgp3mv306h0hm0z6xt6b3qqmnth04cfyg","attempts":5,"lastStatusCode":500,"lastError":"the endpoint answered 500 Internal Server Error",` +
			`"failedSince":"2024-03-31T12:51:00Z","failedDeliveries":1,"replay":"POST /webhooks/whk_123456/replay"}`, true},
	{"webhook_recovered", config.EventWarning, "A webhook that had failed takes deliveries again: where the notice of its failure went",
		`{"kind":"webhook_recovered","webhookId":"whk_123456","url":"https://your-server.com/webhooks","failedSince":"2024-03-31T12:51:00Z",` +
			`"replay":"POST /webhooks/whk_123456/replay"}`, true},
	{"notify_test", config.EventWarning, "Tries whether notices arrive, to the operator's notify_url: caddy webhook notify-test", `{"kind":"notify_test"}`, true},
	{"event", "", "An event of any other type: GET /event-types lists them, and PUT /event-types/{name} makes them", `{"orderId":"ord_123456"}`, false},
}

// guideDeliveries returns the events of the guide that this installation has unchanged. Everybody may read the document: what an
// operator named, or wrote about a type, is only for callers with a key.
func guideDeliveries(ctx context.Context, s Service) (list []delivered) {
	types, err := s.EventTypes(ctx)
	if err != nil {
		return nil // the entry for any type is then all that can be told
	}
	for _, t := range config.DefaultEventTypes() {
		same := func(have sender.EventType) bool {
			return have.Name == t.Name && have.Description == t.Description && have.Group == t.Group && len(have.Schema)+len(have.Example) == 0
		}
		if slices.ContainsFunc(types, same) {
			list = append(list, delivered{t.Name, t.Name, t.Description, config.Example(t.Name), false})
		}
	}
	return list
}

// deliveredSection returns the webhooks section of the document, and the parameters that it refers to.
func deliveredSection(brand string, guide []delivered) (section, parameters doc, err error) {
	var refs []doc
	for _, h := range deliveredHeaders(brand) {
		name := "delivered-" + h.name
		parameters = append(parameters, member{name, doc{{"name", h.name}, {"in", "header"}, {"required", !h.optional},
			{"description", h.text}, {"schema", doc{{"type", "string"}}}}})
		refs = append(refs, doc{{"$ref", "#/components/parameters/" + name}})
	}
	for _, d := range append(slices.Clone(guide), ownDeliveries...) {
		body, err := d.body()
		if err != nil {
			return nil, nil, fmt.Errorf("the example of %s: %w", d.name, err)
		}
		section = append(section, member{d.name, doc{{"post", doc{
			{"operationId", "deliver_" + strings.NewReplacer(".", "_", "-", "_").Replace(d.name)},
			{"tags", []string{tagDelivered}},
			{"summary", d.summary},
			{"security", []doc{}},
			{"parameters", refs},
			{"requestBody", doc{{"required", true}, {"content", body}}},
			{"responses", doc{
				{"2XX", doc{{"description", "Taken: the delivery succeeded. The answer's body is kept, 1 KiB of it."}}},
				{"4XX", doc{{"description", "A failed attempt, sent again by the retry table; Retry-After on 429 delays. 410 ends it and disables the webhook where the operator wrote `gone disable`."}}},
				{"default", doc{{"description", "A failed attempt, sent again by the retry table; Retry-After on 503 delays. Redirects are not followed."}}},
			}},
		}}}})
	}
	return section, parameters, nil
}

// body describes the envelope of a delivery: its schema and an example.
func (d delivered) body() (doc, error) {
	data, err := schemaOfExample([]byte(d.data), d.exact)
	if err != nil {
		return nil, err
	}
	event, name := doc{{"const", d.event}}, d.event
	if d.event == "" {
		event, data, name = doc{{"type", "string"}, {"maxLength", maxEventType}}, doc{{"type", "object"}}, "order.paid"
	}
	schema := doc{
		{"type", "object"},
		{"properties", doc{
			{"event", event},
			{"timestamp", doc{{"type", "string"}, {"format", "date-time"}, {"description", "When it happened, in whole seconds."}}},
			{"data", data},
		}},
		{"required", []string{"event", "timestamp", "data"}},
		{"additionalProperties", false},
	}
	return content(schema, doc{{"event", name}, {"timestamp", "2024-03-31T12:00:00Z"}, {"data", json.RawMessage(d.data)}}), nil
}

type deliveredHeader struct {
	name, text string
	optional   bool
}

func deliveredHeaders(brand string) []deliveredHeader {
	h := config.HeadersFor(brand)
	return []deliveredHeader{
		{"User-Agent", h.UserAgent + " and the version.", false},
		{h.Signature, "HMAC-SHA256 of the raw body, keyed by the webhook's secret as it was given, in lower-case hex.", false},
		{h.Event, "The event type.", false},
		{h.EventID, "The event's ID, the same on every attempt and for every webhook.", false},
		{h.Attempt, "1, 2, …", false},
		{h.Installation, "Whose delivery this is.", false},
		{config.HeaderWebhookID, "The event's ID, for Standard Webhooks.", false},
		{config.HeaderWebhookTimestamp, "When this attempt was made, in unix seconds.", false},
		{config.HeaderWebhookSignature, "`v1,` and the HMAC-SHA256 of ID, timestamp and body in base64, or `v1a,` and their Ed25519 signature; several, separated by spaces, while a secret is rotated.", false},
		{config.HeaderTraceparent, "W3C Trace Context, where the operator lets it out.", true},
		{config.HeaderTracestate, "W3C Trace Context, where the operator lets it out.", true},
	}
}

// schemaOfExample returns a schema for data like an example: the types of its members, in their order. An exact one allows just
// these members.
func schemaOfExample(example []byte, exact bool) (doc, error) {
	d := json.NewDecoder(bytes.NewReader(example))
	d.UseNumber()
	return schemaOfNext(d, exact)
}

func schemaOfNext(d *json.Decoder, exact bool) (doc, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := token.(type) {
	case string:
		return doc{{"type", "string"}}, nil
	case bool:
		return doc{{"type", "boolean"}}, nil
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return doc{{"type", "integer"}}, nil
		}
		return doc{{"type", "number"}}, nil
	case json.Delim:
		if v == '[' {
			return schemaOfItems(d, exact)
		}
		return schemaOfMembers(d, exact)
	}
	return doc{}, nil // null: it may be anything else another time
}

func schemaOfItems(d *json.Decoder, exact bool) (doc, error) {
	list := doc{{"type", "array"}}
	for first := true; d.More(); first = false {
		item, err := schemaOfNext(d, exact)
		if err != nil {
			return nil, err
		}
		if first {
			list = append(list, member{"items", item})
		}
	}
	_, err := d.Token()
	return list, err
}

func schemaOfMembers(d *json.Decoder, exact bool) (doc, error) {
	var properties doc
	var names []string
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := schemaOfNext(d, exact)
		if err != nil {
			return nil, err
		}
		properties, names = append(properties, member{name.(string), value}), append(names, name.(string))
	}
	_, err := d.Token()
	object := doc{{"type", "object"}, {"properties", properties}}
	if exact {
		object = append(object, member{"required", names}, member{"additionalProperties", false})
	}
	return object, err
}
