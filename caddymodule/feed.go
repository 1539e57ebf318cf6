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
	elsewhere bool // another process on the store told of it
}

// MarshalJSON writes the kind beside the fields of the kind.
func (w watched) MarshalJSON() ([]byte, error) {
	switch {
	case w.attempt != nil:
		return marshalKind(kindAttempt, w.attempt)
	case w.received != nil:
		return marshalKind(kindReceived, w.received)
	case w.delivered != nil:
		return marshalKind(kindDelivery, w.delivered)
	}
	return marshalKind(kindLeftOut, map[string]int64{"leftOut": w.leftOut})
}

// marshalKind writes an object, which has a field, with its kind in front.
func marshalKind(kind string, info any) ([]byte, error) {
	text, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	return append([]byte(`{"kind":"`+kind+`",`), text[1:]...), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (w *watched) UnmarshalJSON(text []byte) error {
	var line struct {
		Kind    string `json:"kind"`
		LeftOut int64  `json:"leftOut"`
	}
	if err := json.Unmarshal(text, &line); err != nil {
		return err
	}
	*w = watched{leftOut: line.LeftOut}
	switch line.Kind {
	case kindAttempt:
		return json.Unmarshal(text, &w.attempt)
	case kindReceived:
		return json.Unmarshal(text, &w.received)
	case kindDelivery:
		return json.Unmarshal(text, &w.delivered)
	}
	return nil
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
var feed = newBroadcast()

// feedSize is how far a watcher may lag behind.
const feedSize = 1024

// broadcast passes on to watchers, and costs next to nothing while there is none.
type broadcast struct {
	count    atomic.Int32
	mu       sync.Mutex
	watchers map[*feedWatcher]struct{}
	viewers  int
	viewing  chan struct{} // closed while somebody views
}

// feedWatcher is somebody who views, or a relay that passes on to other processes.
type feedWatcher struct {
	lines   chan watched
	leftOut atomic.Int64
	viewer  bool
}

func newBroadcast() *broadcast {
	return &broadcast{watchers: map[*feedWatcher]struct{}{}, viewing: make(chan struct{})}
}

// watching reports whether anybody looks.
func (b *broadcast) watching() bool { return b.count.Load() > 0 }

// viewed returns a channel that is closed while somebody views in this process.
func (b *broadcast) viewed() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.viewing
}

// isViewed reports whether somebody views in this process.
func (b *broadcast) isViewed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.viewers > 0
}

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

// view lets somebody watch in this process.
func (b *broadcast) view() *feedWatcher { return b.add(true) }

// relay watches for other processes.
func (b *broadcast) relay() *feedWatcher { return b.add(false) }

func (b *broadcast) add(viewer bool) *feedWatcher {
	w := &feedWatcher{lines: make(chan watched, feedSize), viewer: viewer}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers[w] = struct{}{}
	b.count.Add(1)
	if viewer {
		if b.viewers++; b.viewers == 1 {
			close(b.viewing)
		}
	}
	return w
}

func (b *broadcast) remove(w *feedWatcher) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.watchers, w)
	b.count.Add(-1)
	if !w.viewer {
		return
	}
	if b.viewers--; b.viewers == 0 {
		b.viewing = make(chan struct{})
	}
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
