package caddymodule

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/receiver"
)

var (
	//go:embed lua/received.lua
	receivedLua    string
	receivedScript = redisstore.NewScript(receivedLua)

	//go:embed lua/received_read.lua
	receivedReadLua    string
	receivedReadScript = redisstore.NewScript(receivedReadLua)
)

const (
	// receivedEvery is how often a process adds what it counted to the store, at most.
	receivedEvery = time.Second
	// receivedBatch is how many counts are added at once.
	receivedBatch = 500
	// receivedPending bounds the counts that wait while the store is down. What comes on top is counted without its time.
	receivedPending = 20_000
)

// receivedCounts adds what the receivers of this process count to what those of all processes on the store do. It
// outlives configurations.
//
// Failure policy: what a process counted and could not write before it ended is missing. While the store is down nothing
// is: it is written once the store is back, with the time at which it was counted.
type receivedCounts struct {
	store   *redisstore.Store
	process string
	news    chan struct{}
	start   func() // run, once
	stop    context.CancelFunc
	stopped sync.WaitGroup

	mu      sync.Mutex
	pending map[receivedCount]int64
	number  int   // of the batch that is under way
	sending []any // that batch, until the store said that it has it
}

// receivedCount is what is counted apart from others.
type receivedCount struct {
	receiver, outcome string
	minute            int64 // since 1970
}

// received are the counts of a store, one for all configurations of this process.
func (l *leases) received(at place) (*receivedCounts, error) {
	return take(l, "received", at, func() (*receivedCounts, func() error, error) {
		var connection leases
		on, err := connection.store(at)
		if err != nil {
			return nil, nil, err
		}
		c := newReceivedCounts(redisstore.Unwrap(on))
		return c, func() error {
			c.close()
			return connection.release()
		}, nil
	})
}

func newReceivedCounts(store *redisstore.Store) *receivedCounts {
	c := &receivedCounts{store: store, process: rand.Text(), news: make(chan struct{}, 1), pending: map[receivedCount]int64{}}
	ctx, cancel := context.WithCancel(context.Background()) // until close: no configuration's
	c.stop = cancel
	c.start = sync.OnceFunc(func() { c.stopped.Go(func() { c.run(ctx) }) })
	return c
}

// close writes what is left, once.
func (c *receivedCounts) close() {
	c.stop()
	c.stopped.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), c.store.Timeout()) // the process ends: no one's context is left
	defer cancel()
	for c.waiting() && c.write(ctx) == nil {
	}
}

// add counts. It asks nobody.
func (c *receivedCounts) add(receiver, outcome string, n int) {
	k := receivedCount{receiver, outcome, time.Now().Unix() / 60}
	c.mu.Lock()
	if _, ok := c.pending[k]; !ok && len(c.pending) >= receivedPending {
		k.minute = 0
	}
	c.pending[k] += int64(n)
	c.mu.Unlock()
	c.start()
	wake(c.news)
}

// run writes while there is something to write, and lets it gather in between.
func (c *receivedCounts) run(ctx context.Context) {
	for awaited(ctx, c.news) && redisstore.Sleep(ctx, receivedEvery) {
		_ = c.write(ctx) // whether the store can be reached is told by what can't do without it
		if c.waiting() {
			wake(c.news)
		}
	}
}

func (c *receivedCounts) waiting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sending != nil || len(c.pending) > 0
}

// write adds one batch to the store. One of which nobody knows whether it arrived is sent again as it is.
func (c *receivedCounts) write(ctx context.Context) error {
	batch := c.batch()
	if batch == nil {
		return nil
	}
	_, err := c.store.Run(ctx, receivedScript, c.tag(), batch...)
	if err == nil {
		c.mu.Lock()
		c.sending = nil
		c.mu.Unlock()
	}
	return err
}

// batch returns the batch that is under way, or the next one; nil where nothing is to be written.
func (c *receivedCounts) batch() []any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sending != nil || len(c.pending) == 0 {
		return c.sending
	}
	c.number++
	c.sending = []any{c.process, c.number}
	for k, n := range c.pending {
		if len(c.sending) == 2+receivedBatch*4 {
			break
		}
		c.sending = append(c.sending, k.receiver, k.outcome, k.minute, n)
		delete(c.pending, k)
	}
	return c.sending
}

func (c *receivedCounts) tag() string { return "{" + c.store.Prefix() + "}:" }

// observed counts the requests to a receiver.
func (c *receivedCounts) observed(name string, then func(receiver.Outcome)) func(receiver.Outcome) {
	return func(o receiver.Outcome) {
		c.add(name, o.Result, 1)
		then(o)
	}
}

// deliveredOutcomes say of an attempt to bring a queued event to the app what requests have no word for.
var deliveredOutcomes = map[string]string{"succeeded": "delivered", "retrying": "retried", "failed": "dead"}

// attempted counts the attempts of a receiver's queue.
func (c *receivedCounts) attempted(name string, then func(receiver.QueueAttempt)) func(receiver.QueueAttempt) {
	return func(a receiver.QueueAttempt) {
		c.add(name, deliveredOutcomes[a.Outcome], max(1, int(a.Count)))
		then(a)
	}
}

// receivedWindow is a stretch of time in parts.
type receivedWindow struct {
	name         string
	seconds, len int64
}

var receivedWindows = []receivedWindow{{"1h", 60, 60}, {"24h", 1800, 48}, {"7d", 10800, 56}}

// receivedPart is what was counted in a part of a window.
type receivedPart struct {
	At     time.Time        `json:"at"`
	Counts map[string]int64 `json:"counts"`
}

// receivedTotals is what a receiver counted, over all processes on the store.
type receivedTotals struct {
	Name    string           `json:"name"`
	Counts  map[string]int64 `json:"counts"` // since its first request
	Buckets []receivedPart   `json:"buckets"`
}

func receivedWindowOf(name string) (receivedWindow, error) {
	for _, w := range receivedWindows {
		if w.name == cmp.Or(name, "24h") {
			return w, nil
		}
	}
	return receivedWindow{}, badRequest("window must be 1h, 24h or 7d")
}

// read returns what all receivers on the store counted, by name.
func (c *receivedCounts) read(ctx context.Context, w receivedWindow) ([]receivedTotals, error) {
	answer, err := c.store.Run(ctx, receivedReadScript, c.tag(), w.seconds)
	if err != nil {
		return nil, err
	}
	fields, ok := answer.([]any)
	if !ok || len(fields)%3 != 0 {
		return nil, fmt.Errorf("reading what receivers counted: an answer of %T", answer)
	}
	all := []receivedTotals{}
	last := time.Now().Unix() / w.seconds * w.seconds
	for f := range slices.Chunk(fields, 3) {
		t := receivedTotals{Name: fmt.Sprint(f[0]), Counts: integers(f[1]), Buckets: make([]receivedPart, w.len)}
		for i := range t.Buckets {
			t.Buckets[i] = receivedPart{time.Unix(last-(w.len-1-int64(i))*w.seconds, 0).UTC(), map[string]int64{}}
		}
		for field, n := range integers(f[2]) {
			start, outcome, _ := strings.Cut(field, ":")
			at, _ := strconv.ParseInt(start, 10, 64)
			if i := w.len - 1 - (last-at)/w.seconds; at <= last && i >= 0 {
				t.Buckets[i].Counts[outcome] = n
			}
		}
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b receivedTotals) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// integers is a hash of Redis as it comes out of a script.
func integers(hash any) map[string]int64 {
	pairs, _ := hash.([]any)
	counts := map[string]int64{}
	for i := 0; i+1 < len(pairs); i += 2 {
		counts[fmt.Sprint(pairs[i])], _ = strconv.ParseInt(fmt.Sprint(pairs[i+1]), 10, 64)
	}
	return counts
}
