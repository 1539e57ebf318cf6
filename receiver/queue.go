package receiver

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/store"
)

var (
	//go:embed lua/order.lua
	orderLua    string
	orderScript = queue.Script(lanesLua + orderLua)
)

// QueueOptions are the options of [NewQueue]. Store, Name and Deliver are required.
type QueueOptions struct {
	// Config holds the settings. A setting that is not given gets its default.
	Config config.Queue
	// Store keeps the events; see [store.Open]. It must outlive the queue.
	Store *store.Store
	// Name is the receiver's name.
	Name string
	// Delivery names the queue among those of one receiver in front of several apps, see [Deliveries]. The app gets it as
	// X-Webhook-Deliver. Defaults to none: there is one app.
	Delivery string
	// Scheme is the receiver's scheme. While the queue runs, the store records it together with the deliveries, so that
	// gateways with other settings are found; see [Deliveries.Differing]. Defaults to none: then nothing is recorded.
	Scheme string
	// Deliver passes one event to the app. An error, or an answer other than 2xx, is a failed attempt; writing nothing is
	// an answer of 200, as in net/http. [ErrNoApp] means that no handler answered. The request's context ends
	// with the timeout of the attempt.
	Deliver func(http.ResponseWriter, *http.Request) error
	// Logger gets one line for each attempt and each dead event. Defaults to none.
	Logger *slog.Logger
	// Observe is called after each attempt, and when events are given up without one. Defaults to none.
	Observe func(QueueAttempt)
}

// Queue keeps verified events in Redis, so that the sender is answered at once, and delivers them to the app. A failed
// attempt is repeated by the retry table; after its last one the event is dead, and kept. Events outlive a crash of the
// gateway, and of Redis as far as Redis keeps its data. Several gateways of one name share a queue.
type Queue struct {
	o          QueueOptions
	store      *redisstore.Store
	log        *slog.Logger
	tag        string // of the receiver's claims
	queue      *queue.Queue
	accepts    batcher[*accept]
	dispatcher *queue.Dispatcher
	announcer  *announcer // nil where another queue of the receiver has it
	lines      queueLines
	began      atomic.Int64 // when it was started, in unix ms
	stop       context.CancelFunc
	running    sync.WaitGroup
}

const (
	// deadKept is how long a dead event is kept, and the longest time that an event may wait.
	deadKept = config.MaxQueueAge
	// deliveredKept is how long the payload of a delivered event stays. It is longer than any client repeats the call that
	// queued the event, because accept.lua recognises a repeated call by the payload.
	deliveredKept = time.Minute
)

// NewQueue returns a queue, or an error for options that can't work. It starts no goroutine and makes no connection.
func NewQueue(o QueueOptions) (*Queue, error) {
	if o.Store == nil || o.Name == "" || o.Deliver == nil {
		return nil, errors.New("queue: it needs a store, a name and a way to deliver")
	}
	if o.Observe == nil {
		o.Observe = func(QueueAttempt) {}
	}
	c := config.Receiver{Queue: &o.Config}
	c.SetDefaults()
	var span time.Duration
	for _, d := range o.Config.Retry {
		span += d + o.Config.Timeout
	}
	q := &Queue{o: o, store: redisstore.Unwrap(o.Store), log: discard(o.Logger)}
	q.queue = queue.New(q.store, queue.Limits{
		Kept: deliveredKept, KeptDead: deadKept, LogLength: 1, LogAge: time.Hour, // no IDLifetime: claims know the events
		InFlight: maxInFlight, Pending: o.Config.MaxLength, MaxAge: deadKept, RetrySpan: span,
	}, func(int) string { return deliveryTag(q.store.Prefix(), o.Name, o.Delivery) })
	q.tag = Tag(q.store.Prefix(), o.Name)
	q.announcer = newAnnouncer(q, o.Delivery)
	q.accepts = batcher[*accept]{timeout: enqueueTimeout, carrier: func() carrier[*accept] { return &acceptor{q: q} }}
	q.dispatcher = queue.NewDispatcher(queue.Options{
		Queue: q.queue, Store: q.store, Shards: func(ctx context.Context) (int, error) { return 1, q.prepare(ctx) },
		Handler: q.attempt, OnExpired: q.expired, Concurrency: o.Config.Concurrency, PerLane: o.Config.Concurrency, OneLane: true, Logger: q.log,
	})
	return q, nil
}

// maxInFlight is the cap of the app's lane over all gateways: in effect none, as each gateway has a cap of its own.
const maxInFlight = 1 << 20

// prepare waits until the store is ready, and records there whether the queue is ordered, before anything is claimed.
func (q *Queue) prepare(ctx context.Context) error {
	if err := q.store.Ready(ctx); err != nil {
		return err
	}
	ordered := "0"
	if q.o.Config.Ordered {
		ordered = "1"
	}
	_, err := q.queue.Run(ctx, 0, orderScript, q.o.Name, q.tag, ordered)
	return err
}

// Start begins to deliver, and returns at once. While Redis is down it tries again and again.
func (q *Queue) Start(ctx context.Context) {
	ctx, q.stop = context.WithCancel(context.WithoutCancel(ctx)) // ends with Stop, not with the caller's context
	q.began.Store(time.Now().UnixMilli())
	q.running.Go(func() { q.dispatcher.Run(ctx) })
	if q.announcer != nil {
		q.running.Go(func() { q.announcer.run(ctx) })
	}
}

// Stop stops the delivering: attempts in flight get up to 10 s, and all other claimed events go back to the queue. It
// returns once that is done, or with an error when ctx ends.
func (q *Queue) Stop(ctx context.Context) error {
	if q.stop == nil {
		return nil
	}
	q.stop()
	done := make(chan struct{})
	go func() {
		q.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stopping the queue of %s: %w", q.o.Name, ctx.Err())
	}
}

// poisonAfter is the number of gateways in a row that have to crash with an event before that counts as a failed attempt.
const poisonAfter = 3

// Outcomes of an attempt.
const (
	outcomeDelivered = "succeeded"
	outcomeAgain     = "retrying"
	outcomeFailed    = "failed"
)

// attempt delivers one event to the app. It is the dispatcher's handler.
func (q *Queue) attempt(ctx context.Context, j *queue.Job) queue.Outcome {
	began := time.Now()
	job, body, err := decodeJob(j.Payload)
	if err != nil {
		q.unreadable(j, err)
		return queue.Outcome{Kind: queue.Failed, Reason: queue.ReasonExpired}
	}
	a := attempted{QueueAttempt: QueueAttempt{ID: job.ID, Event: job.Event, Number: j.Attempts + 1, Outcome: outcomeDelivered},
		traceparent: job.Header.Get("Traceparent")} // read before the app's handlers may change the headers
	if j.Expiries >= poisonAfter {
		err = errPoison
	} else {
		a.Status, err = q.deliver(ctx, job, body, a.Number)
	}
	if err != nil && ctx.Err() != nil {
		return queue.Outcome{Kind: queue.Back} // a shutdown is not a failed attempt
	}
	out := queue.Outcome{Kind: queue.Succeeded}
	switch a.err = err; {
	case err == nil:
	case a.Number < len(q.o.Config.Retry):
		out = queue.Outcome{Kind: queue.Retry, Delay: q.o.Config.Retry[a.Number]}
		a.Outcome, a.Error, a.Next = outcomeAgain, err.Error(), out.Delay
	default:
		out = queue.Outcome{Kind: queue.Failed, Reason: err.Error()}
		a.Outcome, a.Error = outcomeFailed, out.Reason
	}
	a.Took = time.Since(began)
	q.logAttempt(ctx, &a)
	q.o.Observe(a.QueueAttempt)
	return out
}

var errPoison = errors.New("poison: the gateway stopped three times in a row while delivering it")

// deliver makes one attempt and returns the status of the app's answer, 0 for none. A panic of the app's handlers fails the attempt.
func (q *Queue) deliver(ctx context.Context, job *Job, body string, number int) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, q.o.Config.Timeout)
	defer cancel()
	req, err := job.request(ctx, number, job.Header, body)
	if err != nil {
		return 0, err
	}
	if q.o.Delivery != "" {
		req.Header[config.HeaderDeliver] = []string{q.o.Delivery}
	}
	var w statusRecorder
	defer func() {
		if p := recover(); p != nil {
			q.log.Error("delivery panicked", "webhook_name", q.o.Name, "event_id", job.ID, "panic", p, "stack", string(debug.Stack()))
			status, err = w.status, errors.New("the handlers behind the queue panicked")
		}
	}()
	if err := q.o.Deliver(&w, req); err != nil && (w.status == 0 || !errors.Is(err, ErrNoApp)) {
		return w.status, err
	}
	if w.status != 0 && (w.status < 200 || w.status > 299) {
		return w.status, fmt.Errorf("the app answered %d", w.status)
	}
	return w.status, ctx.Err() // an answer after the timeout is a failure
}

// statusRecorder is an [http.ResponseWriter] that records the status and drops the rest.
type statusRecorder struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (w *statusRecorder) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// WriteHeader implements http.ResponseWriter. A status of 1xx is not final, except 101, after which no other comes.
func (w *statusRecorder) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *statusRecorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return len(p), nil
}

// Flush implements http.Flusher, for proxies that stream.
func (w *statusRecorder) Flush() { w.WriteHeader(http.StatusOK) }

var (
	_ Enqueuer     = (*Queue)(nil)
	_ http.Flusher = (*statusRecorder)(nil)
)
