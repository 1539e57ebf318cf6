package queue

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

// Handler attempts one job. When ctx ends it must return soon, with [Back] unless the attempt was made. A panic counts as a [Retry] in a minute.
type Handler func(ctx context.Context, j *Job) Outcome

// Options of a [Dispatcher]. Queue, Store, Shards, Handler and PerLane are needed.
type Options struct {
	Queue       *Queue
	Store       *redisstore.Store
	Shards      func(context.Context) (int, error) // number of shards; asked again until it returns no error
	Handler     Handler
	Concurrency int             // attempts in flight in this process. Default: 0, as many as the processors have time for, see slots
	PerLane     int             // attempts in flight to one lane, see Limits.InFlight
	OneLane     bool            // there is only one lane, which may use all slots
	Lease       time.Duration   // how long after the death of a process others wait with its jobs; renewed during an attempt. Default: 10s
	Grace       time.Duration   // how long a stop waits for attempts in flight. Default: 10s
	OnNotices   func(shard int) // called when notices are in the outbox of a shard; must not block. Default: nil
	OnExpired   func(Expired)   // called for jobs that failed because they waited too long; must not block. Default: nil
	Logger      *slog.Logger    // Default: nil, no log

	poll time.Duration // Default: defaultPoll
}

const (
	defaultLease = 10 * time.Second
	defaultGrace = 10 * time.Second

	// defaultPoll is how often a shard is claimed from without any sign of work, in case a wake-up or a due time was lost.
	defaultPoll = 15 * time.Second
	// healthCheck is how often the connection of a silent subscription is tried. More often would gain little: a poll finds what it misses.
	healthCheck = 15 * time.Second
	// slowAfter is how long an attempt may take before it counts as slow.
	slowAfter = time.Second
	// laneShare sets the part of the free slots that one lane may take: 1/laneShare. However many lanes hang at once, some slots stay free
	// for others (as with the dynamic thresholds of shared packet buffers).
	laneShare = 4
	// settleBatch is how many outcomes one call settles at most, and settleWrites how many writes they may cost Redis, see lib.lua. Up to
	// the 2,000 writes of a script there is room for what a call does once: drop failed jobs, move the figures of the shard, note spent jobs.
	settleBatch  = 256
	settleWrites = 1890
	plainWrites  = 4  // of a plain success, at most: where its event has expired
	laneWrites   = 9  // of the lane of a claim's first plain success: log, recovery, and the ended minute in the figures of lane and account
	otherWrites  = 33 // of any other outcome with its lane, at most: a job kept as failed in place of an older one, with a notice
	// renewBatch is how many leases one call renews at most.
	renewBatch = 1000
	// rounds is how many round trips are under way at most. A second one begins only when 1/overlapShare of all slots have ended their
	// attempts: smaller batches would cost Redis more.
	rounds       = 2
	overlapShare = 4
)

// Dispatcher claims jobs, runs a handler over them and settles their outcomes. One goroutine, the loop in [Dispatcher.Run], claims and settles
// for all shards in one round trip; while it waits for Redis the next outcomes gather, so batches grow with the load. Once
// many have gathered, a second round trip begins before the first has returned: otherwise Redis and the workers would wait for
// each other in turn. It claims only as many jobs as there are free slots, so that every claimed job is attempted at once.
//
// Failure policy: settling an outcome is tried again until it succeeds. If the lease runs out first, the job is attempted again by whoever
// claims it, and the late settling changes nothing.
type Dispatcher struct {
	o Options

	mu   sync.Mutex
	done []*outcome // ended attempts that the loop has not taken over

	id       string        // sent in wake-ups, so that a process ignores its own
	wakeup   chan struct{} // wakes the loop; holds one signal
	woken    sync.Map      // keys: shards to claim from at once
	allWoken atomic.Bool

	work chan *Job // to idle workers

	underWay atomic.Int32 // round trips
	answers  chan *batch

	// Owned by the loop.
	shards        []shardState
	health        []health // by shard
	inFlight      map[*Job]struct{}
	lanes         map[string]*laneLoad // only those with attempts in flight
	settling      [][]*outcome         // by shard, to be sent with the next round
	unsettled     int                  // outcomes taken over and not settled, also those under way
	refusedRounds int                  // rounds in a row in which the store refused something
	slowChecked   time.Time            // when markSlow ran last
	slow          int                  // slow attempts in flight
	renewed       time.Time            // when leases were renewed last
	lastWoken     map[int]time.Time    // by shard: when other processes were woken for it
	shardsToWake  []int                // shards to wake other processes for after this round
	requested     int                  // jobs that the claims under way ask for
	stopping      bool
	slots         slots

	// For other goroutines.
	lastRound     atomic.Int64 // unix milliseconds; 0: none yet
	inFlightCount atomic.Int64
	slotCount     atomic.Int64
}

type shardState struct {
	next       time.Time // when to claim from it; zero: now
	empty      bool      // nothing was left in it, so before the next claim peek asks whether there is anything
	nextExpiry time.Time // when its first delivered payload is to be deleted; until then spent jobs are no reason to claim. Zero: unknown
	generation int       // grows with each reset, so that an answer to an earlier claim can't put off the next one
}

// reset makes a shard due now.
func (s *shardState) reset() { *s = shardState{generation: s.generation + 1} }

// health says how the store answers for one shard: in a cluster, one node may fail while the others do not.
type health struct {
	failing int       // rounds in a row that were refused
	retry   time.Time // no call is made for the shard before
}

// laneLoad counts the attempts of this process to one lane.
type laneLoad struct {
	shard, inFlight, slow int
}

// NewDispatcher returns a dispatcher; [Dispatcher.Run] starts it.
func NewDispatcher(o Options) *Dispatcher {
	o.Lease, o.Grace, o.poll = cmp.Or(o.Lease, defaultLease), cmp.Or(o.Grace, defaultGrace), cmp.Or(o.poll, defaultPoll)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	d := &Dispatcher{
		o: o, id: newToken(), wakeup: make(chan struct{}, 1), work: make(chan *Job), answers: make(chan *batch, rounds),
		lastWoken: map[int]time.Time{},
		inFlight:  map[*Job]struct{}{}, lanes: map[string]*laneLoad{},
	}
	d.slots = newSlots(o.Concurrency)
	d.slotCount.Store(int64(d.slots.current))
	o.Queue.setOnPush(d.Wake)
	return d
}

// InFlight returns the number of attempts in flight in this process.
func (d *Dispatcher) InFlight() int { return int(d.inFlightCount.Load()) }

// Slots returns how many attempts may be in flight in this process at the moment.
func (d *Dispatcher) Slots() int { return int(d.slotCount.Load()) }

// LastRound returns when Redis last answered everything that the dispatcher asked, zero if it has not yet.
func (d *Dispatcher) LastRound() time.Time {
	return timeOf(d.lastRound.Load())
}

// Run dispatches until ctx ends. Then it claims nothing more, waits up to Grace for the attempts in flight, aborts the rest and hands
// their jobs back. It returns once everything is settled, or when the store has refused that for the length of a lease.
func (d *Dispatcher) Run(ctx context.Context) {
	attempts, abort := context.WithCancel(context.WithoutCancel(ctx))
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer abort()
	defer close(d.work)

	n, ok := d.countShards(ctx)
	if !ok {
		return
	}
	d.shards = make([]shardState, n)
	d.health = make([]health, n)
	d.settling = make([][]*outcome, n)

	helpers.Go(func() { d.listen(ctx) })

	for d.wait(ctx); ctx.Err() == nil; d.wait(ctx) {
		d.round(attempts, &helpers, true)
	}
	d.drain(attempts, abort, &helpers)
}

// countShards asks for the number of shards until the store answers. ok is false where ctx ended before.
func (d *Dispatcher) countShards(ctx context.Context) (n int, ok bool) {
	for try := 0; ; try++ {
		n, err := d.o.Shards(ctx)
		if err == nil {
			return n, true
		}
		if !redisstore.Sleep(ctx, backoff(try)) {
			return 0, false
		}
	}
}

// wait returns when a round has something to do: an outcome, a push, a due time, a lease to renew. Until then it
// processes the answers of rounds under way.
func (d *Dispatcher) wait(ctx context.Context) {
	for woken := false; ctx.Err() == nil; {
		pause := d.pause()
		if pause <= 0 || woken && d.underWay.Load() == 0 {
			return
		}
		woken = d.await(ctx, pause) || woken
	}
}

// await waits until a round's answer has come, which it processes, until somebody wakes the loop, or for pause.
func (d *Dispatcher) await(ctx context.Context, pause time.Duration) (woken bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-d.wakeup:
		return true
	case b := <-d.answers:
		d.finishRound(b)
	case <-timer.C:
	}
	return false
}

// pause is how long the loop may wait for an attempt to end, a push or an answer; 0 or less where the next round is due.
func (d *Dispatcher) pause() time.Duration {
	now := time.Now()
	next := now.Add(d.o.poll)
	if len(d.inFlight) > 0 {
		next = d.renewed.Add(d.o.Lease / 3)
	}
	switch d.underWay.Load() {
	case 0:
		if d.endedCount() > 0 || d.refusedRounds == 0 && d.allWoken.Load() {
			return 0
		}
		for i := range d.shards {
			if at, ok := d.nextCall(i); ok && at.Before(next) {
				next = at
			}
		}
	case rounds:
		return d.o.poll
	default:
		if d.endedCount() >= d.overlap() {
			return 0
		}
	}
	return next.Sub(now)
}

// endedCount is how many attempts ended that the loop has not taken over.
func (d *Dispatcher) endedCount() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.done)
}

// overlap is how many attempts have to end before a second round begins beside one that is under way.
func (d *Dispatcher) overlap() int { return max(1, d.Slots()/overlapShare) }

// nextCall is when the next call for a shard is due. ok is false where no outcome waits and no slot is free for a claim.
func (d *Dispatcher) nextCall(shard int) (at time.Time, ok bool) {
	if len(d.settling[shard]) == 0 {
		if len(d.inFlight) >= d.slots.current {
			return at, false
		}
		at = d.shards[shard].next
	}
	if retry := d.health[shard].retry; retry.After(at) {
		at = retry
	}
	return at, true
}

// drain ends a run: it waits up to Grace for the attempts in flight, aborts the others, and settles all of them.
func (d *Dispatcher) drain(ctx context.Context, abort func(), helpers *sync.WaitGroup) {
	settling := context.WithoutCancel(ctx) // the abort must not end it
	deadline, aborted := time.Now().Add(d.o.Grace), false
	d.stopping = true
	for len(d.inFlight) > 0 || d.unsettled > 0 || d.underWay.Load() > 0 {
		if left := time.Until(deadline); left <= 0 && !aborted {
			abort()
			deadline, aborted = time.Now().Add(d.o.Lease), true
		} else if left <= 0 {
			d.o.Logger.Error("stopping with unsettled attempts; they are made again after their lease", "attempts", len(d.inFlight)+d.unsettled)
			return
		}
		next := min(time.Until(deadline), d.o.Lease/3)
		if d.underWay.Load() < rounds { // otherwise no round can begin before an answer has come
			if d.endedCount() > 0 {
				next = 0
			}
			for i := range d.health {
				if len(d.settling[i]) > 0 {
					next = min(next, time.Until(d.health[i].retry))
				}
			}
		}
		if next > 0 {
			d.await(settling, next)
		}
		if d.underWay.Load() < rounds {
			d.round(settling, helpers, false)
		}
	}
}

// backoff is the pause before the next try after so many failed ones: 20 ms doubled with each, 1 s at most.
func backoff(try int) time.Duration {
	d := 20 * time.Millisecond << min(try, 6)
	return min(d, time.Second)
}
