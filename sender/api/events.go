package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/sender"
)

// newEvent is the body of POST /events.
type newEvent struct {
	Event     string          `json:"event" required:"true" doc:"The event type." example:"video.uploaded"`
	Data      json.RawMessage `json:"data" required:"true" doc:"A JSON object, delivered byte for byte; 256 KiB with its envelope. Its own members' names must differ."`
	ID        *string         `json:"id" min:"1" max:"MaxEventID" pattern:"^[A-Za-z0-9_-]*$" doc:"The event ID, by which publishing it again is recognised. Left out, one is made."`
	Timestamp *time.Time      `json:"timestamp" doc:"When it happened. Left out, the time of publishing."`
}

// eventBatch is the body of POST /events/batch; readBatch reads it.
type eventBatch struct {
	Events []newEvent `json:"events" required:"true" max:"MaxBatchEvents"`
}

// published is the answer to a publish.
type published struct {
	ID         string               `json:"id" example:"evt_0190a5e4c0de7b2ca7d1f00dcafe0001"`
	Event      string               `json:"event"`
	Timestamp  seconds              `json:"timestamp"`
	Deliveries []sender.DeliveryRef `json:"deliveries"`
	Duplicate  bool                 `json:"duplicate" doc:"Whether this ID was published before; the answer is then the first one's."`
}

type publishedBatch struct {
	Items []batchAnswer `json:"items"`
}

// batchAnswer is one of published and refusedEvent.
type batchAnswer struct {
	published published
	refused   *apiError
}

type refusedEvent struct {
	Error apiError `json:"error"`
}

// event is an event in answers.
type event struct {
	ID         string          `json:"id"`
	Event      string          `json:"event"`
	Timestamp  seconds         `json:"timestamp"`
	Data       json.RawMessage `json:"data,omitempty" doc:"As it was published; absent once the payload has expired."`
	Deliveries []delivery      `json:"deliveries"`
}

// eventSummary is an event in a list.
type eventSummary struct {
	ID         string         `json:"id"`
	Event      string         `json:"event"`
	Timestamp  seconds        `json:"timestamp"`
	CreatedAt  millis         `json:"createdAt" doc:"When it was published."`
	Deliveries deliveryCounts `json:"deliveries"`
}

// deliveryCounts is the number of an event's deliveries in each state.
type deliveryCounts struct {
	Pending   int `json:"pending"`
	Retrying  int `json:"retrying"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
}

type eventPage struct{ page[eventSummary] }

func (c *call) listEvents() (eventPage, error) {
	return pageOf[eventPage](summaryOf)(c.Service.Events(c.r.Context(), c.account, sender.EventFilter{
		Type: c.query.event, Since: c.query.since, Until: c.query.until, Limit: c.query.limit, Cursor: c.query.cursor,
	}))
}

func summaryOf(e sender.EventSummary) eventSummary {
	return eventSummary{ID: e.ID, Event: e.Type, Timestamp: seconds(e.Timestamp), CreatedAt: millis(e.CreatedAt), Deliveries: deliveryCounts{
		Pending: e.Deliveries[sender.StatePending], Retrying: e.Deliveries[sender.StateRetrying], Succeeded: e.Deliveries[sender.StateSucceeded],
		Failed: e.Deliveries[sender.StateFailed], Cancelled: e.Deliveries[sender.StateCancelled],
	}}
}

type deletedEvent struct {
	ID string `json:"id"`
}

type eventTypes struct {
	Items []eventType `json:"items"`
}

type eventType struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Group       string          `json:"group"`
	Schema      json.RawMessage `json:"schema,omitempty" doc:"JSON Schema (2020-12) that data of this type must fit."`
	Example     json.RawMessage `json:"example,omitempty" doc:"What a test sends. Left out, the documented payload, or one of its group."`
}

// eventTypeUpdate is the body of PUT /event-types/{name}.
type eventTypeUpdate struct {
	Description *string          `json:"description" null:"clear" max:"MaxTypeDescription" doc:"What it stands for."`
	Group       *string          `json:"group" null:"clear" max:"MaxTypeGroup" doc:"Left out, the first word of its name."`
	Schema      *json.RawMessage `json:"schema" null:"clear" doc:"JSON Schema (2020-12), 32 KiB at most, that refers to nothing outside of itself. From then on data of this type must fit."`
	Example     *json.RawMessage `json:"example" null:"clear" doc:"Data for a test, 16 KiB at most. It must fit the schema."`
}

type deletedEventType struct {
	Name string `json:"name"`
}

func publishedOf(p sender.Published) published {
	return published{ID: p.ID, Event: p.Type, Timestamp: seconds(p.Timestamp), Deliveries: p.Deliveries, Duplicate: p.Duplicate}
}

// this is the most frequent answer
func (p published) appendJSON(b []byte) ([]byte, error) {
	var err error
	str := func(before, s string) {
		if err == nil {
			b, err = appendString(append(b, before...), s)
		}
	}
	str(`{"id":`, p.ID)
	str(`,"event":`, p.Event)
	b = append(b, `,"timestamp":`...)
	b = p.Timestamp.append(b)
	b = append(b, `,"deliveries":[`...)
	for i, d := range p.Deliveries {
		if i > 0 {
			b = append(b, ',')
		}
		str(`{"id":`, d.ID)
		str(`,"webhookId":`, d.WebhookID)
		b = append(b, '}')
	}
	b = fmt.Appendf(b, `],"duplicate":%t}`, p.Duplicate)
	return b, err
}

// appendJSON implements jsonAppender.
func (p publishedBatch) appendJSON(b []byte) ([]byte, error) {
	var err error
	b = append(b, `{"items":[`...)
	for i, item := range p.Items {
		if i > 0 {
			b = append(b, ',')
		}
		if item.refused != nil {
			b, err = appendMarshalled(b, refusedEvent{Error: *item.refused})
		} else {
			b, err = item.published.appendJSON(b)
		}
		if err != nil {
			return b, err
		}
	}
	return append(b, `]}`...), nil
}

// appendJSON implements jsonAppender: encoding/json would take the white space out of the data.
func (e event) appendJSON(b []byte) ([]byte, error) {
	data := e.Data
	e.Data = nil
	b, err := appendMarshalled(b, e)
	if err != nil || len(data) == 0 {
		return b, err
	}
	b = append(b[:len(b)-1], `,"data":`...)
	b = append(b, data...)
	return append(b, '}'), nil
}

var newEventPlan = planOf(reflect.TypeFor[newEvent]())

func (e *newEvent) event() sender.Event {
	return sender.Event{Type: e.Event, Data: e.Data, ID: valueOf(e.ID), Timestamp: valueOf(e.Timestamp)}
}

const idempotencyKey = "Idempotency-Key"

// idempotencyKey returns the value of the header, "" where there is none.
func (c *call) idempotencyKey() (string, error) {
	keys := c.r.Header[idempotencyKey]
	switch {
	case len(keys) == 0:
		return "", nil
	case len(keys) > 1 || !names.IsID(keys[0]):
		return "", invalid(idempotencyKey, "must be one key of 1 to %d letters, digits, dashes and underscores; leave the header out if there is none", config.MaxEventID)
	}
	return keys[0], nil
}

// refuseOwnDelivery refuses what this installation itself delivered: a webhook that points here would publish its own events for
// ever. What another installation delivered is a relay.
func (c *call) refuseOwnDelivery() error {
	from := c.r.Header[c.installation]
	if len(from) == 0 {
		return nil
	}
	own, err := c.Service.Installation(c.r.Context())
	if err != nil {
		return err
	}
	if slices.Contains(from, own) {
		return &sender.Error{Code: sender.CodeLoop, Message: "this event was delivered by this very installation, so a webhook of it points back here; give that webhook another url"}
	}
	return nil
}

func (c *call) publish() (answer published, err error) {
	if err := c.refuseOwnDelivery(); err != nil {
		return answer, err
	}
	in, err := decode[newEvent](c, newEventPlan, maxEventBody)
	if err != nil {
		return answer, err
	}
	e := in.event()
	byHeader := len(c.r.Header[idempotencyKey]) > 0 && in.ID == nil
	if byHeader {
		if e.ID, err = c.idempotencyKey(); err != nil {
			return answer, err
		}
	}
	p, err := c.Service.Publish(c.r.Context(), c.account, e)
	if byHeader {
		err = withFieldName(err, "id", idempotencyKey)
	}
	return converted(publishedOf)(p, err)
}

func (c *call) getEvent() (answer event, err error) {
	e, err := c.Service.Event(c.r.Context(), c.account, c.id)
	if err != nil {
		return answer, err
	}
	if own := c.caller.webhookID; own != "" {
		e.Deliveries = slices.DeleteFunc(e.Deliveries, func(d sender.Delivery) bool { return d.WebhookID != own })
		if len(e.Deliveries) == 0 {
			return answer, errOtherWebhook
		}
	}
	return event{
		ID: e.ID, Event: e.Type, Timestamp: seconds(e.Timestamp), Data: e.Data, Deliveries: convertAll(e.Deliveries, deliveryOf),
	}, nil
}

func (c *call) deleteEvent() (deletedEvent, error) {
	return deletedEvent{ID: c.id}, c.Service.DeleteEvent(c.r.Context(), c.account, c.id)
}

func (c *call) listEventTypes() (eventTypes, error) {
	return converted(func(types []sender.EventType) eventTypes {
		return eventTypes{Items: convertAll(types, eventTypeOf)}
	})(c.Service.EventTypes(c.r.Context()))
}

func eventTypeOf(t sender.EventType) eventType { return eventType(t) }

func (c *call) putEventType(in eventTypeUpdate) (eventType, error) {
	return converted(eventTypeOf)(c.Service.PutEventType(c.r.Context(), c.id, sender.EventTypeUpdate(in)))
}

func (c *call) deleteEventType() (deletedEventType, error) {
	return deletedEventType{Name: c.id}, c.Service.DeleteEventType(c.r.Context(), c.id)
}

// Interface guards.
var (
	_ jsonAppender = published{}
	_ jsonAppender = publishedBatch{}
	_ jsonAppender = event{}
)
