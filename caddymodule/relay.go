package caddymodule

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

const (
	relayTopic = "live"
	// relayAsk is how often a process in which somebody watches says so; relayListen is for how long the others go on
	// telling after they heard it last.
	relayAsk    = 5 * time.Second
	relayListen = 15 * time.Second
	// relayEvery and relayBatch bound what one process tells the others: two messages a second of so many outcomes.
	relayEvery = 500 * time.Millisecond
	relayBatch = 256
)

// relay tells the other processes on a store what happens in this one while somebody watches there, and brings what they
// tell to those who watch here. It outlives configurations; while nobody watches anywhere it holds a subscription and
// sends nothing.
type relay struct {
	store *redisstore.Store
	feed  *broadcast
	name  string        // of this process
	asked chan struct{} // another process said that somebody watches there

	mu      sync.Mutex
	until   time.Time // somebody elsewhere watches, as far as is known
	users   int
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// relayMessage is what processes send each other: that one of them has come, that somebody
// watches, or what happened.
type relayMessage struct {
	From     string    `json:"from"`
	Joined   bool      `json:"joined,omitempty"` // asks whether anybody watches
	Watching bool      `json:"watching,omitempty"`
	Lines    []watched `json:"lines,omitempty"`
}

func newRelay(store *redisstore.Store, feed *broadcast, name string) *relay {
	return &relay{store: store, feed: feed, name: name, asked: make(chan struct{}, 1)}
}

// start counts a configuration in; the first one begins the work.
func (r *relay) start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users++; r.users > 1 {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	r.stopped.Go(func() {
		r.store.SubscribeTopic(ctx, relayTopic, func() { r.publish(ctx, relayMessage{Joined: true}) }, func(m []byte) { r.receive(ctx, m) })
	})
	r.stopped.Go(func() { r.announce(ctx) })
	r.stopped.Go(func() { r.forward(ctx) })
}

// end counts a configuration out; with the last one the work is over when it returns.
func (r *relay) end() {
	r.mu.Lock()
	r.users--
	last := r.users == 0
	if last {
		r.stop()
	}
	r.mu.Unlock()
	if last {
		r.stopped.Wait()
	}
}

// receive takes a message of another process.
func (r *relay) receive(ctx context.Context, text []byte) {
	var m relayMessage
	if err := json.Unmarshal(text, &m); err != nil || m.From == r.name {
		return // of a version that says it otherwise, or our own
	}
	if m.Joined && r.feed.isViewed() {
		r.publish(ctx, relayMessage{Watching: true})
	}
	if m.Watching {
		r.mu.Lock()
		r.until = time.Now().Add(relayListen)
		r.mu.Unlock()
		wake(r.asked)
	}
	for _, line := range m.Lines {
		line.elsewhere = true
		r.feed.send(line)
	}
}

// announce says while somebody watches here that somebody does.
func (r *relay) announce(ctx context.Context) {
	for awaited(ctx, r.feed.viewed()) {
		r.publish(ctx, relayMessage{Watching: true})
		redisstore.Sleep(ctx, relayAsk)
	}
}

// forward sends what happens here while somebody watches elsewhere.
func (r *relay) forward(ctx context.Context) {
	for awaited(ctx, r.asked) {
		if !r.wanted() {
			continue
		}
		lines := r.feed.relay()
		for r.wanted() && ctx.Err() == nil {
			redisstore.Sleep(ctx, relayEvery)
			r.send(ctx, lines)
		}
		r.feed.remove(lines)
	}
}

// wake tells whoever waits on a channel with room for one, if nobody did yet.
func wake(news chan<- struct{}) {
	select {
	case news <- struct{}{}:
	default:
	}
}

// awaited waits for news, and returns false once ctx has ended.
func awaited(ctx context.Context, news <-chan struct{}) bool {
	select {
	case <-ctx.Done():
	case <-news:
	}
	return ctx.Err() == nil
}

func (r *relay) wanted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Before(r.until)
}

// send passes on what has gathered. What the bound leaves out is counted, and the count passed on too.
func (r *relay) send(ctx context.Context, from *feedWatcher) {
	var m relayMessage
	over := int64(0)
	for len(from.lines) > 0 {
		line := <-from.lines
		switch {
		case line.elsewhere:
		case len(m.Lines) < relayBatch:
			m.Lines = append(m.Lines, line)
		default:
			over++
		}
	}
	lines := int64(len(m.Lines))
	if over += from.leftOut.Swap(0); over > 0 {
		m.Lines = append(m.Lines, watched{leftOut: over})
	}
	if len(m.Lines) == 0 {
		return
	}
	if !r.publish(ctx, m) {
		from.leftOut.Add(lines + over)
	}
}

// publish sends a message. One that is lost costs no more than a delay, or lines that are counted as left out.
func (r *relay) publish(ctx context.Context, m relayMessage) bool {
	m.From = r.name
	text, err := json.Marshal(m)
	return err == nil && r.store.PublishTopic(ctx, relayTopic, text) == nil
}
