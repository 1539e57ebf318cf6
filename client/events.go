package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Event is an event to publish.
type Event struct {
	// Type is an event type of the catalogue, such as video.uploaded. Required.
	Type string
	// Data is any value that encodes to a JSON object. A json.RawMessage is delivered byte for byte. Required.
	Data any
	// ID identifies the event: the API publishes events with the same ID only once. It matches [A-Za-z0-9_-]{1,128}. Default: a new one.
	ID string
	// Timestamp is when it happened. Default: now, by the API's clock.
	Timestamp time.Time
}

// Published is the answer to a published event, which is stored.
type Published struct {
	ID         string        `json:"id"`
	Type       string        `json:"event"`
	Timestamp  time.Time     `json:"timestamp"`
	Deliveries []DeliveryRef `json:"deliveries"`

	// Duplicate says that the API has had an event with this ID and published nothing again. It is also set if an
	// earlier try of the same call published the event.
	Duplicate bool `json:"duplicate"`
}

// DeliveryRef names one delivery of an event.
type DeliveryRef struct {
	ID        string `json:"id"`
	WebhookID string `json:"webhookId"`
}

// PublishResult is the answer to one event of a batch: either Published or Err.
type PublishResult struct {
	Published Published
	Err       *Error
}

// UnmarshalJSON implements json.Unmarshaler: an answer has the form of Published or that of an error.
func (r *PublishResult) UnmarshalJSON(b []byte) error {
	var failure struct {
		Error *errorBody `json:"error"`
	}
	if err := json.Unmarshal(b, &failure); err != nil {
		return err
	}
	if e := failure.Error; e != nil {
		r.Err = &Error{Code: e.Code, Message: e.Message, Field: e.Field, RetryAfter: -1}
		return nil
	}
	return json.Unmarshal(b, &r.Published)
}

// EventRecord is a published event with its deliveries.
type EventRecord struct {
	ID         string          `json:"id"`
	Type       string          `json:"event"`
	Timestamp  time.Time       `json:"timestamp"`
	Data       json.RawMessage `json:"data,omitempty"` // absent once it has expired
	Deliveries []Delivery      `json:"deliveries"`
}

// Events publishes. Get it from [Client.Events].
type Events struct{ c *Client }

// Publish publishes an event, which is stored if the error is nil. Retries publish it only once, because every event has an
// ID, which is made here if the event has none.
func (e *Events) Publish(ctx context.Context, in Event) (Published, error) {
	body, err := in.encode()
	if err != nil {
		return Published{}, err
	}
	return call[Published](ctx, e.c, request{method: "POST", path: []string{"events"}, body: body, repeat: true})
}

// PublishBatch publishes up to 1,000 events at once. The answers are in the events' order.
func (e *Events) PublishBatch(ctx context.Context, in []Event) ([]PublishResult, error) {
	body := []byte(`{"events":[`)
	for i, event := range in {
		b, err := event.encode()
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, b...)
	}
	body = append(body, "]}"...)
	var out Page[PublishResult]
	var id string
	if _, err := e.c.do(ctx, request{method: "POST", path: []string{"events", "batch"}, body: body, repeat: true, requestID: &id}, &out); err != nil {
		return nil, err
	}
	for _, result := range out.Items {
		if result.Err != nil {
			result.Err.RequestID = id
		}
	}
	if len(out.Items) != len(in) {
		return nil, fmt.Errorf("publishing a batch: %d answers to %d events", len(out.Items), len(in))
	}
	return out.Items, nil
}

// Delete deletes an event with its data and all kept answers to it, and cancels its waiting deliveries.
func (e *Events) Delete(ctx context.Context, id string) error {
	return remove(ctx, e.c, "events", id)
}

// Get returns a published event, with its deliveries.
func (e *Events) Get(ctx context.Context, id string) (EventRecord, error) {
	return get[EventRecord](ctx, e.c, nil, "events", id)
}

// EventListOptions select events.
type EventListOptions struct {
	ListOptions
	Type  string    // empty: any
	Since time.Time // when it was published; zero: all that are listed
	Until time.Time // zero: now
}

// EventSummary is an event in a list: without its payload, but with the number of its deliveries in each state.
type EventSummary struct {
	ID         string         `json:"id"`
	Type       string         `json:"event"`
	Timestamp  time.Time      `json:"timestamp"`
	CreatedAt  time.Time      `json:"createdAt"`
	Deliveries DeliveryCounts `json:"deliveries"`
}

// DeliveryCounts are how many deliveries of an event are in which state.
type DeliveryCounts struct {
	Pending   int `json:"pending"`
	Retrying  int `json:"retrying"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
}

// List returns one page of the account's events, newest first. A page for one type may be short, and still have a next one.
func (e *Events) List(ctx context.Context, o EventListOptions) (Page[EventSummary], error) {
	q := o.query()
	setWords(q, map[string]string{"event": o.Type})
	setTimes(q, o.Since, o.Until)
	return get[Page[EventSummary]](ctx, e.c, q, "events")
}

// All yields the events of all pages of [Events.List].
func (e *Events) All(ctx context.Context, o EventListOptions) iter.Seq2[EventSummary, error] {
	return all(func(cursor string) (Page[EventSummary], error) {
		o.Cursor = cursor
		return e.List(ctx, o)
	}, o.Cursor)
}

// encode encodes the event without encoding/json for its data, which would compact and escape a json.RawMessage.
func (e Event) encode() ([]byte, error) {
	data, ok := e.Data.(json.RawMessage)
	if !ok {
		b, err := encode(e.Data)
		if err != nil {
			return nil, fmt.Errorf("encoding data: %w", err)
		}
		data = b
	}
	// Malformed data could otherwise end the member and add others.
	if !json.Valid(data) || !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return nil, errors.New("data: must be a JSON object")
	}
	if e.ID == "" {
		e.ID = newEventID(time.Now())
	}
	head, err := encode(struct {
		Type      string    `json:"event"`
		ID        string    `json:"id"`
		Timestamp time.Time `json:"timestamp,omitzero"`
	}{e.Type, e.ID, e.Timestamp.UTC()})
	if err != nil {
		return nil, err
	}
	body := append(head[:len(head)-1], `,"data":`...)
	body = append(body, data...)
	return append(body, '}'), nil
}

// newEventID returns an ID in the API's own form: evt_ and a UUIDv7 without dashes.
func newEventID(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(b[6:]) // never fails
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	return "evt_" + hex.EncodeToString(b[:])
}
