package queue

import "time"

// A dispatcher claims ahead: beyond what its free slots take, as many jobs as attempts ended whose end is being told to
// Redis at the moment. By the time of the answer as many more will have ended, and their workers go on at once instead of
// waiting for another round trip. Where attempts take long few end meanwhile, and nothing is claimed ahead.

const (
	// aheadShare bounds what is claimed ahead: 1/aheadShare of the slots.
	aheadShare = 2
	// lookAheadEvery is how often what waits for a worker is looked at.
	lookAheadEvery = 100 * time.Millisecond
)

// ahead is what a dispatcher claimed for workers that are still busy. Owned by the loop.
type ahead struct {
	ending int // attempts whose end the rounds under way tell
	ended  int // attempts that ended since looked
	looked time.Time
}

// most is how many jobs may be claimed beyond the slots in a round that tells the end of so many attempts.
func (a *ahead) most(slots, ended int) int { return min(a.ending+ended, slots/aheadShare) }

// waiting is how many jobs wait for a worker that is busy.
func (d *Dispatcher) waiting() int { return len(d.work) - int(d.idle.Load()) }

// lookAhead hands back what waits for a worker, once fewer attempts ended since the last look than jobs wait: endpoints that
// answered at once do so no longer, and other processes may have workers for them.
func (d *Dispatcher) lookAhead(now time.Time) {
	if now.Sub(d.ahead.looked) < lookAheadEvery {
		return
	}
	if d.waiting() > d.ahead.ended {
		d.handBack()
	}
	d.ahead.looked, d.ahead.ended = now, 0
}

// handBack gives up all that waits for a worker.
func (d *Dispatcher) handBack() {
	for {
		select {
		case j := <-d.work:
			d.ended(j)
			d.back(j)
		default:
			return
		}
	}
}
