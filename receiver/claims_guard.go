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
	// OnError is called for each failed call of the store, for metrics. The operation is claim, renew, done, release or
	// write_back. Defaults to none.
	OnError func(operation string, err error)
	// Timeout bounds one call of the store. Defaults to 250ms.
	Timeout time.Duration
	// Memory bounds the memory of claims that takes over while the store is down.
	Memory MemoryOptions
}

const defaultStoreTimeout = 250 * time.Millisecond

func (o *GuardOptions) timeout() time.Duration {
	if o.Timeout <= 0 {
		return defaultStoreTimeout
	}
	return o.Timeout
}

// Guard is a [Store] with a circuit breaker in front of another one. Every claim is in the Guard's memory as long as it is in
// work. One failed call opens the breaker: from then on claims that permit it ([Claim.Local]) are made in memory alone,
// and others fail with [ErrStore]. A probe tries the store again and again. Once the store answers, the breaker closes,
// and the events that were finished meanwhile are written to the store.
//
// Failure policy: while the store is down, gateways know nothing of each other, and this one knows only the events
// that it has seen since. Copies of an event may reach the app through two gateways. What was finished meanwhile is
// lost where the process ends before the store answers again.
type Guard struct {
	store   Store
	memory  *Memory
	log     *slog.Logger
	onError func(string, error)
	timeout time.Duration

	down    atomic.Bool // the breaker is open
	pending atomic.Bool // something has to be written back

	mu              sync.Mutex
	pendingReleases []*Claim    // to be released once the store answers again
	probe           *time.Timer // nil while no probe is scheduled or running
	delay           time.Duration
	closed          bool
	work            sync.WaitGroup
}

// maxReleases bounds the claims that wait to be released. Further ones end with their lease.
const maxReleases = 10_000

// The delay between two probes doubles from the first to the last of these.
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
	// The claim is encoded here, once: later a renewal and the settling may need the encoding at the same time.
	if r, ok := g.store.(*redisClaims); ok {
		r.encode(c)
	} else {
		c.Value()
	}
	// The memory comes first: it has what this process works on, and what is not written back yet.
	if state, err := g.memory.Claim(ctx, c); state != Claimed || err != nil {
		return state, err
	}
	failure := ErrStore
	if !g.down.Load() {
		call, cancel := g.bounded(ctx)
		state, err := g.store.Claim(call, c)
		cancel()
		if err == nil {
			if state != Claimed {
				g.memory.drop(c)
			}
			return state, nil
		}
		g.openBreaker("claim", err)
		if !c.Local {
			g.releaseLater(c) // the store may have made the claim nevertheless
		}
		if failure = err; !errors.Is(err, ErrStore) {
			failure = errors.Join(ErrStore, err)
		}
	}
	if c.Local {
		return Claimed, nil
	}
	g.memory.drop(c)
	return 0, failure
}

// Renew implements [Store].
func (g *Guard) Renew(ctx context.Context, c *Claim) error {
	_ = g.memory.Renew(ctx, c)
	return g.call(ctx, "renew", c, g.store.Renew)
}

// Done implements [Store]. It never fails: what the store can't take now is kept in memory and written back.
func (g *Guard) Done(ctx context.Context, c *Claim) error {
	if g.call(ctx, "done", c, g.store.Done) == nil {
		g.memory.drop(c)
		return nil
	}
	_ = g.memory.Done(ctx, c)
	g.writeBackLater()
	return nil
}

// Release implements [Store]. Like Done it never fails.
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

// Down reports whether the breaker is open, so that the store is not called.
func (g *Guard) Down() bool { return g.down.Load() }

// call calls the store, unless the breaker is open.
func (g *Guard) call(ctx context.Context, operation string, c *Claim, f func(context.Context, *Claim) error) error {
	if g.down.Load() {
		return ErrStore
	}
	ctx, cancel := g.bounded(ctx)
	defer cancel()
	err := f(ctx, c)
	if err != nil {
		g.openBreaker(operation, err)
	}
	return err
}

// bounded returns a context that ends after the timeout of a call. The Redis store needs none, as its batches have their own.
func (g *Guard) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := g.store.(*redisClaims); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, g.timeout)
}

// openBreaker counts a failed call and opens the breaker.
func (g *Guard) openBreaker(operation string, err error) {
	g.onError(operation, err)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down.Swap(true) {
		return
	}
	g.log.Error("store of claims is down", "operation", operation, "error", err)
	if g.probe == nil {
		g.delay = firstProbe
		g.scheduleProbe()
	}
}

// Close stops the probes, and tries once more to write back what waits. Requests under way may still call the
// store. What the store can't take then is lost.
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
