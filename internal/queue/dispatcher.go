package queue

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

// Handler attempts one job. It must return when ctx ends, then with Back unless the attempt was made.
type Handler func(ctx context.Context, j *Job) Outcome

// Options of a [Dispatcher].
type Options struct {
	Queue       *Queue
	Store       *redisstore.Store
	Shards      func(context.Context) (int, error) // how many shards there are; asked until it answers
	Handler     Handler
	Concurrency int           // attempts in flight; 0: as many as pay, see slots
	PerLane     int           // attempts in flight to one lane
	OneLane     bool          // there is one lane only, which may take every slot
	Lease       time.Duration // how long a claim outlives its process; renewed while an attempt goes on. Default: 10s
	Grace       time.Duration // how long a stop waits for attempts in flight. Default: 10s
	OnNotices   func(shard int)
	OnExpired   func(Expired) // jobs failed that waited too long
	Logger      *slog.Logger

	poll time.Duration // Default: defaultPoll
}

const (
	defaultLease = 10 * time.Second
	defaultGrace = 10 * time.Second

	// defaultPoll is the safety net below pushes and due times.
	defaultPoll = 15 * time.Second
	// healthCheck is how often a silent subscription is tried: a lost wake-up costs no more than a poll anyway.
	healthCheck = 15 * time.Second
	// slowAfter is when an attempt counts as one that takes long.
	slowAfter = time.Second
	// laneShare is the part of the free slots that one lane may take: 1/laneShare. With it slots are left for others
	// however many lanes hang at once (dynamic thresholds, as in shared packet buffers).
	laneShare = 4
	// settleBatch bounds the outcomes of one call, and settleWrites what they cost Redis at most: see lib.lua.
	// What comes once in a call is above settleWrites: failed jobs that are dropped, the figures of the shard, what is spent.
	settleBatch  = 256
	settleWrites = 1890
	plainWrites  = 4  // of a plain success whose event is gone already
	laneWrites   = 9  // of its lane, with the first that a claim had of it: log, recovery, the minute of its figures and its account's that is over
	otherWrites  = 33 // of any other outcome and its lane: one that is kept as failed, in place of an older one, with a notice
	// renewBatch bounds the leases of one call.
	renewBatch = 1000
	// rounds is how many round trips are under way at most. The second waits until 1/overlapShare of all slots has ended: fewer make small batches, which cost Redis more.
	rounds       = 2
	overlapShare = 4
)

// Dispatcher claims jobs, runs a handler over them and settles their outcomes. One goroutine does the claiming and the
// settling, for all shards in one round trip; while it waits for Redis the next outcomes gather, so batches grow with
// the load. Once they are many, a second round trip goes on its way before the first has come back: else Redis and the
// workers would wait for each other in turn. It claims only what idle workers start at once.
//
// Failure policy: an outcome that can't be settled is tried again until it is; if its lease runs out first, the job is
// attempted again by whoever claims it, and the late settle does nothing.
type Dispatcher struct {
	o Options

	mu   sync.Mutex
	done []*outcome // ended attempts, not settled

	id       string // marks our own wake-ups of others
	wakeup   chan struct{}
	woken    sync.Map // shard → struct{}: has something to do
	allWoken atomic.Bool

	work chan *Job

	underWay atomic.Int32 // round trips
	answers  chan *batch

	// Owned by the loop.
	shards        []shardState
	health        []health // by shard
	inFlight      map[*Job]struct{}
	lanes         map[string]*laneLoad
	settling      [][]*outcome // by shard
	unsettled     int
	refusedRounds int // rounds in a row that Redis refused
	slowChecked   time.Time
	slow          int
	renewed       time.Time
	lastWoken     map[int]time.Time // shard → when others were woken for it
	shardsToWake  []int             // shards that they are to be woken for
	requested     int               // jobs that are claimed in rounds under way
	stopping      bool
	slots         slots

	lastRound     atomic.Int64
	inFlightCount atomic.Int64
	slotCount     atomic.Int64 // slots.now, for others
}

type shardState struct {
	next       time.Time // when to claim from it; zero: now
	empty      bool      // nothing was left in it, so it is asked whether that is still so before it is claimed from
	nextExpiry time.Time // when the first delivered payload in it is over, which is no work until then; zero: none is known
	generation int       // changes with each reset: an answer that was asked for before that says nothing any more
}

// reset makes a shard due.
func (s *shardState) reset() { *s = shardState{generation: s.generation + 1} }

// health is how the store answers for one shard. Others may be on nodes that are well.
type health struct {
	failing int       // rounds in a row that were refused
	retry   time.Time // nothing is asked of it before then
}

// laneLoad is what this process has in flight to one lane.
type laneLoad struct {
	shard, inFlight, slow int
}

// NewDispatcher returns a dispatcher; [Dispatcher.Run] starts it.
func NewDispatcher(o Options) *Dispatcher {
	if o.Lease == 0 {
		o.Lease = defaultLease
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	if o.poll == 0 {
		o.poll = defaultPoll
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
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

// InFlight is the number of attempts in flight in this process.
func (d *Dispatcher) InFlight() int { return int(d.inFlightCount.Load()) }

// Slots is how many attempts may be in flight in this process.
func (d *Dispatcher) Slots() int { return int(d.slotCount.Load()) }

// LastRound is when Redis last answered the dispatcher.
func (d *Dispatcher) LastRound() time.Time {
	if n := d.lastRound.Load(); n > 0 {
		return time.UnixMilli(n)
	}
	return time.Time{}
}

// Run dispatches until ctx ends. Then it claims nothing more, gives attempts in flight their grace, hands back the
// rest, and returns once everything is settled or Redis has refused it for the length of a lease.
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

// countShards asks for the number of shards until the store answers.
func (d *Dispatcher) countShards(ctx context.Context) (int, bool) {
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

// wait returns when there is something to do: an outcome, a push, a due time, a lease to renew. Meanwhile it takes the
// answers of rounds under way.
func (d *Dispatcher) wait(ctx context.Context) {
	for kicked := false; ; {
		pause := d.pause()
		if pause <= 0 || kicked && d.underWay.Load() == 0 {
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-d.wakeup:
			kicked = true
		case b := <-d.answers:
			d.finishRound(b)
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// pause is for how long there is nothing to do, if nobody ends an attempt or pushes.
func (d *Dispatcher) pause() time.Duration {
	now := time.Now()
	next := now.Add(d.o.poll)
	if len(d.inFlight) > 0 {
		next = d.renewed.Add(d.o.Lease / 3)
	}
	switch d.underWay.Load() {
	case 0:
		if d.ready() > 0 || d.refusedRounds == 0 && d.allWoken.Load() {
			return 0
		}
		for i := range d.shards {
			if at, ok := d.wanted(i); ok && at.Before(next) {
				next = at
			}
		}
	case rounds:
		return d.o.poll
	default:
		if d.ready() >= d.overlap() {
			return 0
		}
	}
	return next.Sub(now)
}

// ready is how many attempts ended that nobody has looked at.
func (d *Dispatcher) ready() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.done)
}

// overlap is how many attempts have to end for a further round beside one that is under way.
func (d *Dispatcher) overlap() int { return max(1, d.Slots()/overlapShare) }

// wanted is when a shard is to be called next, where there is anything to call it for.
func (d *Dispatcher) wanted(shard int) (at time.Time, ok bool) {
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

// drain ends a run: attempts in flight get their grace, then they are aborted and handed back.
func (d *Dispatcher) drain(ctx context.Context, abort func(), helpers *sync.WaitGroup) {
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
		if d.underWay.Load() < rounds { // else an answer has to come first
			if d.ready() > 0 {
				next = 0
			}
			for i := range d.health {
				if len(d.settling[i]) > 0 {
					next = min(next, time.Until(d.health[i].retry))
				}
			}
		}
		if next > 0 {
			timer := time.NewTimer(next)
			select {
			case <-d.wakeup:
			case b := <-d.answers:
				d.finishRound(b)
			case <-timer.C:
			}
			timer.Stop()
		}
		if d.underWay.Load() < rounds {
			d.round(context.WithoutCancel(ctx), helpers, false) // the settles go on after the abort
		}
	}
}

func backoff(try int) time.Duration {
	d := 20 * time.Millisecond << min(try, 6)
	return min(d, time.Second)
}
