package sender

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/signature"
)

// prepare checks an event of a publisher, and makes of it what is pushed to the queue.
func (s *Sender) prepare(ctx context.Context, account string, e Event) (*queue.Event, error) {
	types, err := s.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	entry := types.entries[e.Type]
	if entry == nil {
		return nil, unknownType(e.Type)
	}
	q, err := s.prepareAnyType(ctx, account, e)
	if err != nil || entry.schema == nil {
		return q, err
	}
	if err := checkSchema(entry.schema, "data", e.Data); err != nil {
		return nil, err
	}
	return q, nil
}

// prepareAnyType is prepare for a type that need not be in the catalogue.
func (s *Sender) prepareAnyType(ctx context.Context, account string, e Event) (*queue.Event, error) {
	if y := e.Timestamp.UTC().Year(); !e.Timestamp.IsZero() && (y < 1 || y > 9999) {
		return nil, invalid("timestamp", "a timestamp is RFC 3339, such as 2024-03-31T12:00:00Z")
	}
	if err := CheckEvent(e); err != nil {
		return nil, err
	}
	at := e.Timestamp
	if at.IsZero() {
		at = time.Now()
	}
	u := newUUID()
	q := &queue.Event{
		Account: account, ID: e.ID, Job: queue.NewJobID(u), Type: e.Type, Timestamp: at.Unix(), Given: !e.Timestamp.IsZero(),
		Digest: digest(e.Type, e.Data), Topics: topics(account, e.Type),
	}
	if e.ID == "" {
		q.ID, q.OwnID = signature.EventID(u), true
	} else {
		q.IDJob = jobOfEventID(e.ID)
	}
	p := payload{eventID: e.ID, eventType: e.Type, timestamp: q.Timestamp}
	p.traceparent, p.tracestate = traceOf(ctx)
	q.Carry(p.head(), e.Data)
	return q, nil
}

func tooLarge() *Error {
	return &Error{Code: CodePayloadTooLarge, Field: "data", Message: "an event has at most 256 KiB with its envelope; publish a link to what is larger"}
}

// digest identifies the content that an event ID stands for. 16 bytes are enough: nobody gains by a collision but the publisher
// itself.
func digest(event string, data []byte) string {
	h := sha256.New()
	h.Write([]byte(event))
	h.Write([]byte{0})
	h.Write(data)
	return string(h.Sum(nil)[:16])
}

// topics returns the names of the sets of lanes that subscribe to an event in an account. Account names have no white space.
func topics(account, event string) []string {
	patterns := config.Patterns(event)
	for i, p := range patterns {
		patterns[i] = account + ":" + p
	}
	return patterns
}

var traceContext = propagation.TraceContext{}

// traceOf returns the W3C trace context of the span in ctx, which is stored with the event.
func traceOf(ctx context.Context) (parent, state string) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return "", ""
	}
	c := propagation.MapCarrier{}
	traceContext.Inject(ctx, c)
	return c[config.HeaderTraceparent], c[config.HeaderTracestate]
}

// Publish stores an event and queues a delivery to each webhook of the account that subscribes to it. When it returns
// without an error the event is stored. After an error it may be stored or not: publish it again with the same ID, and
// it is delivered once.
func (s *Sender) Publish(ctx context.Context, account string, e Event) (Published, error) {
	ctx, span := s.tracer.Start(ctx, "webhook.publish", trace.WithSpanKind(trace.SpanKindProducer))
	defer span.End()
	p, err := s.publish(ctx, account, e)
	if err != nil {
		span.SetStatus(codes.Error, errorCode(err))
		return Published{}, err
	}
	if span.IsRecording() {
		span.SetAttributes(attribute.String("webhook.event.id", p.ID), attribute.String("webhook.event.type", p.Type),
			attribute.String("webhook.account", account), attribute.Int("webhook.deliveries", len(p.Deliveries)))
	}
	return p, nil
}

func (s *Sender) publish(ctx context.Context, account string, e Event) (Published, error) {
	q, err := s.prepare(ctx, account, e)
	if err != nil {
		return Published{}, err
	}
	return s.push(ctx, account, q)
}

func (s *Sender) push(ctx context.Context, account string, q *queue.Event) (Published, error) {
	shard, err := s.shard(ctx, account)
	if err != nil {
		return Published{}, err
	}
	answers, errs := s.pushAll(ctx, shard, []*queue.Event{q}, s.newFilterRun())
	if errs[0] != nil {
		return Published{}, s.unavailable("publish", errs[0])
	}
	return s.publishedAnswer(ctx, q, answers[0])
}

// replaceJob gives an event a new job, as another event has the one that it had.
func replaceJob(q *queue.Event) {
	u := newUUID()
	q.Job = queue.NewJobID(u)
	if q.OwnID {
		q.ID = signature.EventID(u)
	}
}

// pushTries is how often events are pushed again where a filter was changed in the meantime, or their job is another event's.
const pushTries = 20

var errFiltersChange = errors.New("filters of the account change all the time")

// pushAll pushes events of one account, in their order, with the verdicts of its filters. Where filters were changed meanwhile,
// it evaluates the new ones and pushes again; the events after one of these wait for that.
func (s *Sender) pushAll(ctx context.Context, shard int, events []*queue.Event, f *filterRun) ([]queue.Pushed, []error) {
	answers, errs := make([]queue.Pushed, len(events)), make([]error, len(events))
	left := make([]int, len(events))
	for i := range left {
		left[i] = i
	}
	for range pushTries + len(events) { // events of a batch may ask one after the other
		part := make([]*queue.Event, len(left))
		for k, i := range left {
			part[k] = events[i]
			part[k].Verdicts = f.verdicts(part[k])
		}
		var again []int
		got, failed := s.queue.PushAll(ctx, shard, part)
		for k, i := range left {
			answers[i], errs[i] = got[k], failed[k]
			if errs[i] != nil {
				continue
			}
			switch got[k].Outcome {
			case queue.PushTaken:
				replaceJob(events[i])
				errs[i], again = errNoJob, append(again, i) // unless the next push succeeds; the same below
			case queue.PushAsked, queue.PushLater:
				errs[i], again = errFiltersChange, append(again, i)
			}
		}
		if left = again; len(left) == 0 {
			break
		}
		if err := s.loadFilters(ctx, shard, answers, events, left); err != nil {
			for _, i := range left {
				errs[i] = err
			}
			break
		}
	}
	return answers, errs
}

var errNoJob = &Error{Code: CodeUnavailable, Message: "no free job ID was found"}

func (s *Sender) publishedAnswer(ctx context.Context, q *queue.Event, a queue.Pushed) (Published, error) {
	switch a.Outcome {
	case queue.PushEnding:
		return Published{}, errEnding
	case queue.PushOther:
		return Published{}, &Error{Code: CodeConflict, Field: "id", Message: "this ID was used in the last 72 h for another event, other data or another timestamp; choose a new ID for a new event"}
	}
	s.recordRefused(ctx, q, a)
	p := Published{
		ID: q.ID, Type: q.Type, Timestamp: time.Unix(a.Timestamp, 0).UTC(), Duplicate: a.Outcome == queue.PushSame,
		Deliveries: make([]DeliveryRef, len(a.Lanes)),
	}
	for i, lane := range a.Lanes {
		p.Deliveries[i] = DeliveryRef{ID: deliveryID(lane, a.Job), WebhookID: webhookPrefix + lane}
	}
	return p, nil
}

// PublishBatch publishes several events in few round trips. The results are in the order of the events.
func (s *Sender) PublishBatch(ctx context.Context, account string, events []Event) []PublishResult {
	ctx, span := s.tracer.Start(ctx, "webhook.publish", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(attribute.Int("messaging.batch.message_count", len(events)), attribute.String("webhook.account", account)))
	defer span.End()
	results := make([]PublishResult, len(events))
	var ready []*queue.Event
	var places []int
	for i, e := range events {
		q, err := s.prepare(ctx, account, e)
		if err != nil {
			results[i].Err = err
			continue
		}
		ready, places = append(ready, q), append(places, i)
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		for _, i := range places {
			results[i].Err = err
		}
		return results
	}
	answers, errs := s.pushAll(ctx, shard, ready, s.newFilterRun())
	for k, i := range places {
		if errs[k] != nil {
			results[i].Err = s.unavailable("publish", errs[k])
			continue
		}
		results[i].Published, results[i].Err = s.publishedAnswer(ctx, ready[k], answers[k])
	}
	return results
}

// TestWebhook sends one webhook.test event to this webhook only.
func (s *Sender) TestWebhook(ctx context.Context, account, id string) (Published, error) {
	data, _ := json.Marshal(map[string]string{"webhookId": id, "message": "This is a test event."})
	return s.publishTo(ctx, account, id, func() (*queue.Event, error) {
		return s.prepareAnyType(ctx, account, Event{Type: config.EventTest, Data: data})
	})
}

// SendExample sends the example of an event type to this webhook only; without a type, one webhook.test event.
func (s *Sender) SendExample(ctx context.Context, account, id, event string) (Published, error) {
	if event == "" || event == config.EventTest {
		return s.TestWebhook(ctx, account, id)
	}
	return s.publishTo(ctx, account, id, func() (*queue.Event, error) {
		types, err := s.catalogue(ctx)
		if err != nil {
			return nil, err
		}
		data := []byte(config.Example(event))
		if e := types.entries[event]; e != nil && len(e.Example) > 0 {
			data = e.Example
		}
		return s.prepare(ctx, account, Event{Type: event, Data: data})
	})
}

// publishTo publishes an event to one webhook only.
func (s *Sender) publishTo(ctx context.Context, account, id string, prepare func() (*queue.Event, error)) (Published, error) {
	_, r, err := s.record(ctx, account, id)
	if err != nil {
		return Published{}, err
	}
	q, err := prepare()
	if err != nil {
		return Published{}, err
	}
	q.Lane = r.Lane
	return s.push(ctx, account, q)
}

// publishIdle is how long an event that was stored in part must have stood still before another process completes it.
const publishIdle = 5 * time.Second

// finishPublish completes an event that the process of its publisher stored in part only.
func (s *Sender) finishPublish(ctx context.Context, shard int, job string) error {
	whole, refused, err := s.queue.FinishPush(ctx, shard, job, publishIdle)
	if err == nil && !whole {
		s.wakeTasksLater(ctx, shard)
	}
	for _, r := range refused {
		s.o.Observer.Delivery(StateFailed)
		s.log.WarnContext(ctx, "delivery.failed", "delivery_id", deliveryID(r.Lane, job), "webhook_id", webhookPrefix+r.Lane, "reason", r.Reason)
	}
	return err
}

func errorCode(err error) string {
	if e, ok := err.(*Error); ok {
		return string(e.Code)
	}
	return "error"
}
