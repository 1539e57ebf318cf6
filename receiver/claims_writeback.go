package receiver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

func (g *Guard) releaseLater(c *Claim) {
	g.mu.Lock()
	if len(g.pendingReleases) < maxReleases {
		kept := *c // the original may be a part of its request
		g.pendingReleases = append(g.pendingReleases, &kept)
	}
	g.mu.Unlock()
	g.writeBackLater()
}

// writeBackLater makes sure that a probe is scheduled, which writes back everything that waits.
func (g *Guard) writeBackLater() {
	g.pending.Store(true)
	g.mu.Lock()
	if g.probe == nil {
		g.delay = firstProbe
		g.scheduleProbe()
	}
	g.mu.Unlock()
}

// scheduleProbe starts the timer of the next probe; g.mu must be held. The timer runs only during an outage.
func (g *Guard) scheduleProbe() {
	if g.closed {
		return
	}
	g.work.Add(1)
	g.probe = time.AfterFunc(g.delay, func() {
		defer g.work.Done()
		g.probeStore()
	})
}

// probeStore tries the store, and where it answers closes the breaker and writes back what waits.
func (g *Guard) probeStore() {
	// A context of its own, as the probe serves no request.
	ctx, cancel := context.WithTimeout(context.Background(), g.timeout)
	err := g.ping(ctx)
	cancel()
	if err == nil {
		// Claims go to the store again from here on. What is not written back yet is still in the memory, which every
		// claim asks first.
		if g.down.Swap(false) {
			g.log.Info("store of claims is back")
		}
		err = g.writeBack()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil && !g.down.Load() && !g.pending.Load() {
		g.probe = nil
		return
	}
	g.delay = min(2*g.delay, lastProbe)
	g.scheduleProbe()
}

// ping makes the store answer, where it has a method for that.
func (g *Guard) ping(ctx context.Context) error {
	if p, ok := g.store.(interface{ probe(context.Context) error }); ok {
		return p.probe(ctx)
	}
	return nil
}

// writeBackers is the number of claims that are written back at the same time. The Redis store sends them as one batch.
const writeBackers = 32

func (g *Guard) writeBack() error {
	g.pending.Store(false)
	for {
		g.mu.Lock()
		releases := g.pendingReleases
		g.pendingReleases = nil
		g.mu.Unlock()
		if err := g.settleAll(releases, g.store.Release, func(*Claim) {}); err != nil {
			g.mu.Lock()
			g.pendingReleases = append(releases, g.pendingReleases...) // some were released, which is safe to repeat
			g.pendingReleases = g.pendingReleases[:min(len(g.pendingReleases), maxReleases)]
			g.mu.Unlock()
			return err
		}
		finished := g.memory.finished(1024)
		if len(finished) == 0 && len(releases) == 0 {
			return nil
		}
		if err := g.settleAll(finished, g.store.Done, g.memory.drop); err != nil {
			return err
		}
	}
}

// settleAll settles claims concurrently, calls then for each, and stops at the first failure.
func (g *Guard) settleAll(claims []*Claim, f func(context.Context, *Claim) error, then func(*Claim)) error {
	var wg sync.WaitGroup
	var next atomic.Int64
	var failure atomic.Pointer[error]
	for range min(writeBackers, len(claims)) {
		wg.Go(func() {
			for failure.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(claims) {
					return
				}
				// A context of its own, as the requests of these claims have ended.
				ctx, cancel := g.bounded(context.Background())
				err := f(ctx, claims[i])
				cancel()
				if err != nil {
					failure.Store(&err)
					return
				}
				then(claims[i])
			}
		})
	}
	wg.Wait()
	if err := failure.Load(); err != nil {
		g.pending.Store(true)
		g.openBreaker("write_back", *err)
		return *err
	}
	return nil
}
