package receiver

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// GuardOptions are the settings of a [Guard].
type GuardOptions struct {
	// Logger gets a line when the store goes down and when it is back. Defaults to none.
	Logger *slog.Logger
	// OnError is called for each call of the store that failed, by its name: claim, renew, done, release,
	// write_back. For metrics. Defaults to nothing.
	OnError func(operation string, err error)
	// Timeout bounds one call. Defaults to 250ms.
	Timeout time.Duration
	// Memory bounds what is kept while the store is down.
	Memory MemoryOptions
}

const defaultStoreTimeout = 250 * time.Millisecond

func (o *GuardOptions) timeout() time.Duration {
	if o.Timeout <= 0 {
		return defaultStoreTimeout
	}
	return o.Timeout
}

// Guard is a [Store] that survives the outage of the one behind it. Every claim is in its memory as long as it
// is in work. After one failed call the store is spared: claims that allow it ([Claim.Local]) are taken in memory
// alone, others fail with [ErrStore]. A probe looks for the store; once it is back, what was finished
// meanwhile is written to it.
//
// Failure policy: while the store is down, gateways know nothing of each other, and this one knows only what it
// saw itself since; copies of an event may reach the app through two of them. What was finished meanwhile is lost
// when the process ends before the store is back.
type Guard struct {
	store   Store
	memory  *Memory
	log     *slog.Logger
	onError func(string, error)
	timeout time.Duration

	down    atomic.Bool
	pending atomic.Bool // there is something to be written back

	mu       sync.Mutex
	releases []*Claim // to be released once the store is back
	probe    *time.Timer
	delay    time.Duration
	closed   bool
	work     sync.WaitGroup
}

// maxReleases bounds the claims that wait to be released; beyond it they end with their lease.
const maxReleases = 10_000

// Delays between two probes.
const (
	firstProbe = 50 * time.Millisecond
	lastProbe  = time.Second
)

// NewGuard puts a guard before the store.
func NewGuard(s Store, o GuardOptions) *Guard {
	g := &Guard{store: s, memory: NewMemory(o.Memory), log: discard(o.Logger), onError: o.OnError, timeout: o.timeout()}
	if g.onError == nil {
		g.onError = func(string, error) {}
	}
	return g
}

// Claim implements [Store].
func (g *Guard) Claim(ctx context.Context, c *Claim) (State, error) {
	// The claim keeps what it is written as, before a renewal and its end may ask for it at the same time.
	if r, ok := g.store.(*remote); ok {
		r.prepare(c)
	} else {
		c.Value()
	}
	// The memory comes first: it knows what this process works on, and what is not written back yet.
	if state, err := g.memory.Claim(ctx, c); state != Claimed || err != nil {
		return state, err
	}
	if !g.down.Load() {
		state, err := g.ask(ctx, c)
		if err == nil {
			if state != Claimed {
				g.memory.drop(c)
			}
			return state, nil
		}
		g.failed("claim", err)
		if !c.Local {
			g.memory.drop(c)
			g.releaseLater(c) // it may have been claimed all the same
			return 0, storeError(err)
		}
		return Claimed, nil
	}
	if c.Local {
		return Claimed, nil
	}
	g.memory.drop(c)
	return 0, ErrStore
}

func (g *Guard) ask(ctx context.Context, c *Claim) (State, error) {
	if bounded, ok := g.store.(*remote); ok {
		return bounded.Claim(ctx, c)
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	return g.store.Claim(ctx, c)
}

func storeError(err error) error {
	if errors.Is(err, ErrStore) {
		return err
	}
	return errors.Join(ErrStore, err)
}

// Renew implements [Store].
func (g *Guard) Renew(ctx context.Context, c *Claim) error {
	_ = g.memory.Renew(ctx, c)
	return g.call(ctx, "renew", c, g.store.Renew)
}

// Done implements [Store]. It doesn't fail: what the store can't take is kept and written back.
func (g *Guard) Done(ctx context.Context, c *Claim) error {
	if g.call(ctx, "done", c, g.store.Done) == nil {
		g.memory.drop(c)
		return nil
	}
	_ = g.memory.Done(ctx, c)
	g.writeBackLater()
	return nil
}

// Release implements [Store]. It doesn't fail, as Done.
func (g *Guard) Release(ctx context.Context, c *Claim) error {
	err := g.call(ctx, "release", c, g.store.Release)
	g.memory.drop(c)
	if err != nil {
		g.releaseLater(c)
	}
	return nil
}

// Forget implements [Store].
func (g *Guard) Forget(ctx context.Context, k Key) (int, error) {
	local, _ := g.memory.Forget(ctx, k)
	n, err := g.store.Forget(ctx, k)
	return max(n, local), err
}

// ForgetSince implements [Store].
func (g *Guard) ForgetSince(ctx context.Context, t time.Time) (int, error) {
	local, _ := g.memory.ForgetSince(ctx, t)
	n, err := g.store.ForgetSince(ctx, t)
	return n + local, err
}

// Down reports whether the store is being spared.
func (g *Guard) Down() bool { return g.down.Load() }

// call asks the store, unless it is down.
func (g *Guard) call(ctx context.Context, operation string, c *Claim, f func(context.Context, *Claim) error) error {
	if g.down.Load() {
		return ErrStore
	}
	err := g.bounded(ctx, c, f)
	if err != nil {
		g.failed(operation, err)
	}
	return err
}

// bounded gives a call its time. The Redis store keeps its own, for many calls at once.
func (g *Guard) bounded(ctx context.Context, c *Claim, f func(context.Context, *Claim) error) error {
	if _, ok := g.store.(*remote); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.timeout)
		defer cancel()
	}
	return f(ctx, c)
}

// failed opens the breaker.
func (g *Guard) failed(operation string, err error) {
	g.onError(operation, err)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down.Swap(true) {
		return
	}
	g.log.Error("store of claims is down", "operation", operation, "error", err)
	if g.probe == nil {
		g.delay = firstProbe
		g.schedule()
	}
}

// Close ends the probing, after a last try to write back what waits. Requests under way may still call the
// store; what it can't take then is lost.
func (g *Guard) Close() error {
	g.mu.Lock()
	g.closed = true
	if g.probe != nil && g.probe.Stop() {
		g.work.Done()
	}
	g.mu.Unlock()
	g.work.Wait()
	if !g.pending.Load() {
		return nil
	}
	return g.writeBack()
}

var _ Store = (*Guard)(nil)
