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

// QueueOptions are what a [Queue] is made of. Store, Name and Deliver are required.
type QueueOptions struct {
	// Config are the settings; what is not given gets its default.
	Config config.Queue
	// Store keeps the events; see [store.Open]. It must outlive the queue.
	Store *store.Store
	// Name is the receiver's.
	Name string
	// Delivery tells the queues of one receiver in front of several apps apart, see [Deliveries]. Its app gets it as
	// X-Webhook-Deliver. Defaults to none: the only one.
	Delivery string
	// Scheme is the receiver's. The store notes it together with the deliveries while the queue runs, so that a gateway which has them
	// otherwise is told of; see [Deliveries.Differing]. Defaults to none: then nothing is noted.
	Scheme string
	// Deliver brings one event to the app. An error, or an answer other than 2xx, is a failed attempt; one that writes
	// nothing has answered 200, as with net/http. [ErrNoApp] says that nobody was there to answer. The request's context ends
	// with the attempt's time.
	Deliver func(http.ResponseWriter, *http.Request) error
	// Logger gets one line for each attempt and each dead event. Defaults to none.
	Logger *slog.Logger
	// Observe is called after each attempt, and when events are given up without one. Defaults to nothing.
	Observe func(QueueAttempt)
}

// Queue keeps verified events in Redis and delivers them to the app: answered at once, retried by a table, dead after
// its end, and there all the same after a crash of gateway or Redis. Several gateways of one name share it.
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
	// deadKept is how long a dead event is kept, and the longest that one may wait.
	deadKept = config.MaxQueueAge
	// deliveredKept is how long a delivered event's payload stays: longer than any client tries the call again that
	// queued it, for by the payload accept.lua knows that it did.
	deliveredKept = time.Minute
)

// NewQueue prepares a queue. It starts nothing and connects to nothing.
func NewQueue(o QueueOptions) (*Queue, error) {
	if o.Store == nil || o.Name == "" || o.Deliver == nil {
		return nil, errors.New("queue: it needs a store, a name and a way to deliver")
	}
	c := config.Receiver{Queue: &o.Config}
	c.SetDefaults()
	var span time.Duration
	for _, d := range o.Config.Retry {
		span += d + o.Config.Timeout
	}
	q := &Queue{o: o, store: redisstore.Inside(o.Store), log: discard(o.Logger)}
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

// maxInFlight is the cap of the app's lane over all gateways: none, as each has its own.
const maxInFlight = 1 << 20

// prepare waits for the store, and says there whether the queue is ordered before anything is taken out of it.
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

// Start begins to deliver. It returns at once; while Redis is down it goes on trying.
func (q *Queue) Start(ctx context.Context) {
	ctx, q.stop = context.WithCancel(context.WithoutCancel(ctx)) // ends with Stop, not with the caller's context
	q.began.Store(time.Now().UnixMilli())
	q.running.Go(func() { q.dispatcher.Run(ctx) })
	if q.announcer != nil {
		q.running.Go(func() { q.announcer.run(ctx) })
	}
}

// Stop ends deliveries: attempts in flight get up to 10 s, and what is left is handed back. It returns when that is
// done or ctx ends.
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

// poisonAfter is how many gateways in a row have to die with an event before that counts as a failed attempt.
const poisonAfter = 3

// Outcomes of an attempt.
const (
	outcomeDelivered = "succeeded"
	outcomeAgain     = "retrying"
	outcomeDead      = "failed"
)

// attempt brings one event to the app. It is the dispatcher's handler.
func (q *Queue) attempt(ctx context.Context, j *queue.Job) queue.Outcome {
	number, status, began := j.Attempts+1, 0, time.Now()
	job, body, err := decodeJob(j.Payload)
	if err != nil {
		q.unreadable(j, err)
		return queue.Outcome{Kind: queue.Failed, Reason: queue.ReasonExpired}
	}
	trace := job.Header.Get("Traceparent") // before the app's handlers get the headers
	if j.Expiries >= poisonAfter {
		err = errPoison
	} else {
		status, err = q.deliver(ctx, job, body, number)
	}
	if err != nil && ctx.Err() != nil {
		return queue.Outcome{Kind: queue.Back} // a shutdown is not a failed attempt
	}
	out, outcome := queue.Outcome{Kind: queue.Succeeded}, outcomeDelivered
	switch {
	case err == nil:
	case number < len(q.o.Config.Retry):
		out, outcome = queue.Outcome{Kind: queue.Retry, Delay: q.o.Config.Retry[number]}, outcomeAgain
	default:
		out, outcome = queue.Outcome{Kind: queue.Failed, Reason: err.Error()}, outcomeDead
	}
	took := time.Since(began)
	q.logAttempt(ctx, &attempted{job, trace, number, outcome, err, took, out.Delay})
	if q.o.Observe != nil {
		seen := QueueAttempt{ID: job.ID, Event: job.Event, Number: number, Status: status, Outcome: outcome, Took: took, Next: out.Delay}
		if err != nil {
			seen.Error = err.Error()
		}
		q.o.Observe(seen)
	}
	return out
}

var errPoison = errors.New("poison: the gateway stopped three times in a row while delivering it")

// deliver makes one attempt and returns what the app answered, 0 where it did not. A panic of the app's handlers is its failure.
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
	var w answer
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
	return w.status, ctx.Err() // an answer after the time counts as none
}

// answer takes what the app answers: only the status is of use.
type answer struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (w *answer) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

// WriteHeader implements http.ResponseWriter. Informational answers are not the answer, but for 101, after which no other comes.
func (w *answer) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
}

// Write implements http.ResponseWriter.
func (w *answer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return len(p), nil
}

// Flush implements http.Flusher, for proxies that stream.
func (w *answer) Flush() { w.WriteHeader(http.StatusOK) }

var (
	_ Enqueuer     = (*Queue)(nil)
	_ http.Flusher = (*answer)(nil)
)
