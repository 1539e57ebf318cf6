package caddymodule

import (
	"encoding/json"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/sender"
)

// watched is one line of `caddy webhook tail`: an attempt of the sender, a request to a receiver, an attempt of a receiver's
// queue, or how many of them were left out because whoever watches is too slow. It holds no secret, signature or body.
type watched struct {
	attempt   *sender.AttemptInfo
	received  *receivedInfo
	delivered *deliveredInfo
	leftOut   int64
}

// MarshalJSON writes the kind beside the fields of the kind.
func (w watched) MarshalJSON() ([]byte, error) {
	switch {
	case w.attempt != nil:
		return json.Marshal(struct {
			Kind string `json:"kind"`
			*sender.AttemptInfo
		}{kindAttempt, w.attempt})
	case w.received != nil:
		return json.Marshal(struct {
			Kind string `json:"kind"`
			*receivedInfo
		}{kindReceived, w.received})
	case w.delivered != nil:
		return json.Marshal(struct {
			Kind string `json:"kind"`
			*deliveredInfo
		}{kindDelivery, w.delivered})
	default:
		return json.Marshal(struct {
			Kind    string `json:"kind"`
			LeftOut int64  `json:"leftOut"`
		}{kindLeftOut, w.leftOut})
	}
}

const (
	kindAttempt  = "attempt"
	kindReceived = "received"
	kindDelivery = "delivery"
	kindLeftOut  = "left_out"
)

// receivedInfo is a request to a receiver.
type receivedInfo struct {
	At         time.Time `json:"at"`
	Name       string    `json:"name"`
	Scheme     string    `json:"scheme"`
	Outcome    string    `json:"outcome"`
	ID         string    `json:"id,omitempty"`
	Event      string    `json:"event,omitempty"`
	StatusCode int       `json:"statusCode,omitempty"`
	DurationMS int64     `json:"durationMs"`
	Key        string    `json:"key,omitempty"`
	DryRun     bool      `json:"dryRun,omitempty"`
	Error      string    `json:"error,omitempty"` // why it was refused, or what the app did
}

// feed is where the sender and the receivers of this process tell of what they do. It outlives configurations.
var feed broadcast

// feedSize is how far a watcher may lag behind.
const feedSize = 1024

// broadcast passes on to watchers, and costs next to nothing while there is none.
type broadcast struct {
	count    atomic.Int32
	mu       sync.Mutex
	watchers map[*feedWatcher]struct{}
}

type feedWatcher struct {
	lines   chan watched
	leftOut atomic.Int64
}

// watching reports whether anybody looks.
func (b *broadcast) watching() bool { return b.count.Load() > 0 }

// send never blocks: a watcher that is too slow misses lines, and is told how many.
func (b *broadcast) send(w watched) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for watcher := range b.watchers {
		select {
		case watcher.lines <- w:
		default:
			watcher.leftOut.Add(1)
		}
	}
}

func (b *broadcast) add() *feedWatcher {
	w := &feedWatcher{lines: make(chan watched, feedSize)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watchers == nil {
		b.watchers = map[*feedWatcher]struct{}{}
	}
	b.watchers[w] = struct{}{}
	b.count.Add(1)
	return w
}

func (b *broadcast) remove(w *feedWatcher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.watchers, w)
	b.count.Add(-1)
}

// attemptsFeed shows attempts of the sender.
type attemptsFeed struct{}

func (attemptsFeed) Watching() bool { return feed.watching() }

func (attemptsFeed) Attempted(a sender.AttemptInfo) {
	feed.send(watched{attempt: &a})
}

// feedReceived shows a request to a receiver.
func feedReceived(o *receiver.Outcome) {
	if !feed.watching() {
		return
	}
	cause := ""
	if o.Cause != nil {
		cause = strings.TrimPrefix(o.Cause.Error(), "refusing the request: ")
	}
	feed.send(watched{received: &receivedInfo{
		At: time.Now().UTC(), Name: o.Name, Scheme: o.Scheme, Outcome: o.Result, ID: o.ID, Event: o.Event, StatusCode: o.Status,
		DurationMS: o.Duration.Milliseconds(), Key: o.Key, DryRun: o.DryRun, Error: cause,
	}})
}

// Interface guard
var _ sender.Watcher = attemptsFeed{}
