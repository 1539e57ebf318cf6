package receiver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

func (g *Guard) releaseLater(c *Claim) {
	g.mu.Lock()
	if len(g.releases) < maxReleases {
		kept := *c // the original may be a part of its request
		g.releases = append(g.releases, &kept)
	}
	g.mu.Unlock()
	g.writeBackLater()
}

// writeBackLater makes sure that a probe is on its way; it writes back whatever is there.
func (g *Guard) writeBackLater() {
	g.pending.Store(true)
	g.mu.Lock()
	if g.probe == nil {
		g.delay = firstProbe
		g.schedule()
	}
	g.mu.Unlock()
}

// schedule needs the lock. The timer is the only thing that runs by itself, and only during an outage.
func (g *Guard) schedule() {
	if g.closed {
		return
	}
	g.work.Add(1)
	g.probe = time.AfterFunc(g.delay, func() {
		defer g.work.Done()
		g.recover()
	})
}

// recover looks whether the store is back, writes back what waits, and opens the way to it again.
func (g *Guard) recover() {
	// Detached: it serves no request.
	ctx, cancel := context.WithTimeout(context.Background(), g.timeout)
	err := g.reach(ctx)
	cancel()
	if err == nil {
		// Claims go to the store again from here on. Whatever is not written back yet is still in memory, which
		// is asked first.
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
	g.schedule()
}

// reach asks the store for a sign of life, if it can give one.
func (g *Guard) reach(ctx context.Context) error {
	if p, ok := g.store.(interface{ probe(context.Context) error }); ok {
		return p.probe(ctx)
	}
	return nil
}

// writeBackers is how many claims are written back at a time; the Redis store sends them as one batch.
const writeBackers = 32

func (g *Guard) writeBack() error {
	g.pending.Store(false)
	for {
		g.mu.Lock()
		releases := g.releases
		g.releases = nil
		g.mu.Unlock()
		if err := g.settleAll(releases, g.store.Release, func(*Claim) {}); err != nil {
			g.mu.Lock()
			g.releases = append(releases, g.releases...) // releasing again does no harm
			g.releases = g.releases[:min(len(g.releases), maxReleases)]
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

// settleAll settles claims side by side, and stops at the first failure.
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
				// Detached: the requests of these claims are long over.
				if err := g.bounded(context.Background(), claims[i], f); err != nil {
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
		g.failed("write_back", *err)
		return *err
	}
	return nil
}
