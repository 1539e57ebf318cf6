package queue

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/redisstore"
)

// batch is the script calls of one round trip, each with what to do with its answer.
type batch struct {
	began    time.Time
	calls    []redisstore.Call
	shards   []int
	handlers []func(*redis.Cmd) error
	claims   []*claiming
	failed   error // before the calls

	answers []*redis.Cmd
}

// claiming is a call of a batch that claims. What came of it is read before the round's answers are taken.
type claiming struct {
	call, shard int
	token       string

	claimed
	err error
}

func (b *batch) add(shard int, c redisstore.Call, then func(*redis.Cmd) error) {
	b.calls = append(b.calls, c)
	b.shards = append(b.shards, shard)
	b.handlers = append(b.handlers, then)
}

// round settles what ended, renews what takes long and claims for the idle workers, in one round trip, whose answers
// take takes.
func (d *Dispatcher) round(ctx context.Context, helpers *sync.WaitGroup, claim bool) {
	b := &batch{began: time.Now()}
	d.collectEnded()
	d.applyWakeups()
	d.markSlow(b.began)
	d.slots.resize(b.began)
	d.slotCount.Store(int64(d.slots.current))

	// Not cancelled by the stop of the dispatcher: what was claimed must be known, to be handed back.
	call, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*d.o.Store.Timeout())
	peeked := false
	d.addSettles(b, b.began)
	d.addRenewals(b, b.began)
	if claim {
		peeked, b.failed = d.peek(call, b.began)
		d.addClaims(ctx, b, helpers, b.began)
	}
	if len(b.calls) == 0 {
		cancel()
		if peeked {
			d.countRefusals(b.failed)
		}
		return
	}
	d.underWay.Add(1)
	helpers.Go(func() {
		defer cancel()
		b.answers = d.o.Store.RunAll(call, b.calls)
		d.readClaims(context.WithoutCancel(ctx), b)
		d.answers <- b // has room for every round
	})
}

// readClaims reads what the claims of a round got, and the payloads that they left where they are.
func (d *Dispatcher) readClaims(ctx context.Context, b *batch) {
	var jobs []*Job
	for _, c := range b.claims {
		c.claimed, c.err = readClaimed(b.answers[c.call], c.shard, c.token)
		jobs = append(jobs, c.jobs...)
	}
	ctx, cancel := context.WithTimeout(ctx, d.o.Store.Timeout())
	defer cancel()
	d.o.Queue.readLarge(ctx, jobs)
}

// finishRound takes the answers of a round.
func (d *Dispatcher) finishRound(b *batch) {
	d.underWay.Add(-1)
	failed, again := b.failed, false
	for i, cmd := range b.answers {
		err := b.handlers[i](cmd)
		d.health[b.shards[i]].answered(err, b.began)
		if err != nil {
			failed = err
		}
		again = again || redisstore.Retried(cmd)
	}
	d.wakeOthers()
	if again {
		d.allWoken.Store(true) // a settle may have come after the claim of its round, whose answer then says nothing of it
	}
	d.countRefusals(failed)
}

// countRefusals keeps count of rounds that the store refused.
func (d *Dispatcher) countRefusals(failed error) {
	if failed == nil {
		if d.refusedRounds > 0 {
			d.o.Logger.Info("queue: store answers again", "after_rounds", d.refusedRounds)
		}
		d.refusedRounds = 0
		d.lastRound.Store(time.Now().UnixMilli())
		return
	}
	if d.refusedRounds%64 == 0 {
		d.o.Logger.Error("queue: store refused a round; trying again", "error", failed, "unsettled", d.unsettled)
	}
	d.refusedRounds++
}

// answered notes one answer of the round that began at now. The first refusal of a round counts.
func (h *health) answered(err error, now time.Time) {
	switch {
	case h.retry.After(now):
	case err == nil:
		*h = health{}
	default:
		h.failing++
		h.retry = time.Now().Add(backoff(h.failing))
	}
}

// collectEnded takes over the attempts that ended.
func (d *Dispatcher) collectEnded() {
	d.mu.Lock()
	done := d.done
	d.done = nil
	d.mu.Unlock()
	for _, o := range done {
		d.release(o.Job)
		d.settling[o.Shard] = append(d.settling[o.Shard], o)
		d.unsettled++
	}
}

// settlePart says how many outcomes, from the first, go into one call.
func settlePart(outcomes []*outcome) int {
	writes, lanes := 0, make(map[[2]string]bool, min(len(outcomes), settleBatch))
	for n, o := range outcomes {
		switch of := [2]string{o.Lane, o.token}; {
		case !o.plain():
			writes += otherWrites
		case lanes[of]:
			writes += plainWrites
		default:
			lanes[of] = true
			writes += plainWrites + laneWrites
		}
		if n == settleBatch || n > 0 && writes > settleWrites {
			return n
		}
	}
	return len(outcomes)
}

func (d *Dispatcher) addSettles(b *batch, now time.Time) {
	for shard, outcomes := range d.settling {
		if d.health[shard].retry.After(now) {
			continue
		}
		for len(outcomes) > 0 {
			n := settlePart(outcomes)
			part := outcomes[:n]
			outcomes = outcomes[n:]
			b.add(shard, d.o.Queue.settleCall(shard, part, d.stopping), func(cmd *redis.Cmd) error {
				notices, lost, err := settled(cmd)
				if err != nil {
					d.settling[shard] = append(d.settling[shard], part...)
					return err
				}
				d.unsettled -= len(part)
				if lost > 0 {
					d.o.Logger.Warn("queue: leases ran out before their attempts were settled; those are made again", "attempts", lost)
				}
				d.reportNotices(shard, notices)
				return nil
			})
		}
		if len(d.settling[shard]) > 0 {
			d.settling[shard] = nil
			d.shards[shard].reset() // its lanes may be ready again
		}
	}
}

func (d *Dispatcher) reportNotices(shard int, notices int64) {
	if notices > 0 && d.o.OnNotices != nil {
		d.o.OnNotices(shard)
	}
}

func (d *Dispatcher) addRenewals(b *batch, now time.Time) {
	if now.Sub(d.renewed) < d.o.Lease/3 {
		return
	}
	d.renewed = now
	old := make([][]*Job, len(d.shards))
	for j := range d.inFlight {
		if now.Sub(j.began) >= d.o.Lease/4 {
			old[j.Shard] = append(old[j.Shard], j)
		}
	}
	for shard, jobs := range old {
		for jobs := range slices.Chunk(jobs, renewBatch) {
			b.add(shard, d.o.Queue.renewCall(shard, d.o.Lease, jobs), func(cmd *redis.Cmd) error { return cmd.Err() })
		}
	}
}

// peek asks the shards in which nothing was left, once their time has come, whether that is still so. It costs Redis
// one command each, where a claim costs a dozen: most shards are idle most of the time.
func (d *Dispatcher) peek(ctx context.Context, now time.Time) (asked bool, err error) {
	pipe := d.o.Store.Client().Pipeline()
	found := map[int]*redis.IntCmd{}
	for i := range d.shards {
		if s := &d.shards[i]; s.empty && !s.next.After(now) && !d.health[i].retry.After(now) {
			var keys []string
			for _, name := range []Key{KeyReady, KeyLeases, KeyAges, KeyNotices, KeyOutbox} {
				keys = append(keys, d.o.Queue.Key(i, name))
			}
			if !s.nextExpiry.After(now) {
				keys = append(keys, d.o.Queue.Key(i, KeySpent))
			}
			found[i] = pipe.Exists(ctx, keys...)
		}
	}
	if len(found) == 0 {
		return false, nil
	}
	_, err = pipe.Exec(ctx)
	for i, n := range found {
		d.health[i].answered(n.Err(), now)
		if n.Err() == nil {
			s := &d.shards[i]
			if s.next = now.Add(d.o.poll); s.nextExpiry.After(now) && s.nextExpiry.Before(s.next) {
				s.next = s.nextExpiry
			}
		}
		if n.Val() > 0 {
			d.shards[i].reset()
		}
	}
	return true, err
}

// addClaims shares the idle workers out among the shards that have something to do.
func (d *Dispatcher) addClaims(ctx context.Context, b *batch, helpers *sync.WaitGroup, now time.Time) {
	free := d.slots.current - len(d.inFlight) - d.requested
	if free <= 0 {
		return
	}
	var due []int
	for i := range d.shards {
		if s := &d.shards[i]; !s.empty && !s.next.After(now) && !d.health[i].retry.After(now) {
			due = append(due, i)
		}
	}
	if len(due) == 0 {
		return
	}
	quantum := max(1, free/laneShare)
	if d.o.OneLane {
		quantum = free
	}
	skip := d.lanesToSkip(quantum)
	share := max(1, free/len(due))
	first := int(now.UnixNano()/1000) % len(due) // where free is less than the shards, each has its turn
	for k := range due {
		if free <= 0 {
			return
		}
		shard, most := due[(first+k)%len(due)], min(share, free)
		free -= most
		token := newToken()
		perLane := quantum
		if !d.o.OneLane {
			perLane = min(quantum, max(1, most/laneShare), d.laneDepth())
		}
		d.requested += most
		state := &d.shards[shard]
		state.next = now.Add(d.o.poll) // until the answer
		turn := state.generation
		c := &claiming{call: len(b.calls), shard: shard, token: token}
		b.claims = append(b.claims, c)
		b.add(shard, d.o.Queue.claimCall(shard, most, min(perLane, d.o.PerLane), d.o.Lease, token, skip[shard]), func(*redis.Cmd) error {
			d.requested -= most
			if c.err != nil {
				state.reset()
				return c.err
			}
			if state.generation == turn {
				state.nextExpiry = time.Time{}
				if c.untilExpiry >= 0 {
					state.nextExpiry = now.Add(max(c.untilExpiry, housekeeping))
				}
			}
			// Redis may have worked on the later of two rounds first, so that one which knows of nothing does not put off the other's.
			state.empty = state.generation == turn && c.wait < 0 && len(c.jobs) == 0 && c.notices == 0
			if next := nextClaim(now, c.claimed, most, d.o.poll); next.Before(state.next) {
				state.next = next
			}
			late := time.Since(now) >= d.o.Lease/2
			var unread error
			for _, j := range c.jobs {
				if unread = cmp.Or(unread, j.unread); late || j.unread != nil { // so late that its lease could end before it is renewed: others would attempt it as well
					d.settling[shard] = append(d.settling[shard], &outcome{Job: j, Outcome: Outcome{Kind: Back}})
					d.unsettled++
					continue
				}
				d.start(ctx, helpers, j)
			}
			d.reportNotices(shard, c.notices)
			for _, e := range c.expired {
				if d.o.OnExpired != nil {
					d.o.OnExpired(e)
				}
			}
			d.slots.full = d.slots.full || len(c.jobs) >= most
			if c.moreDue && (len(d.inFlight) >= d.slots.current || len(skip[shard]) > 0) {
				d.wakeOthersLater(shard, now)
			}
			return unread
		})
	}
}

// housekeeping is the pause between its steps, where there is more of it than one claim does.
const housekeeping = 5 * time.Millisecond

// nextClaim says when a shard is worth another look.
func nextClaim(now time.Time, c claimed, most int, poll time.Duration) time.Time {
	pause := poll
	switch {
	case len(c.jobs) >= most:
		return time.Time{} // there may be more
	case c.wait == 0 && len(c.jobs) == 0:
		return now.Add(housekeeping)
	case c.wait >= 0:
		pause = min(pause, c.wait)
	}
	if c.untilExpiry >= 0 {
		pause = min(pause, max(c.untilExpiry, housekeeping))
	}
	return now.Add(pause)
}

// laneDepth is how much of one lane a claim takes. Where many lanes have work it takes less of each, as each attempt in
// flight to one host needs a connection there; of few it takes more, which costs Redis less.
func (d *Dispatcher) laneDepth() int {
	return max(min(leastDepth, d.o.PerLane), d.o.PerLane*fewLanes/max(fewLanes, len(d.lanes)))
}

const (
	leastDepth = 2
	fewLanes   = 48 // up to so many with attempts in flight are few
)

// lanesToSkip lists, by shard, the lanes that get nothing now: those that hold their share of the free slots, and, once
// attempts that take long hold half of all slots, those with such attempts.
func (d *Dispatcher) lanesToSkip(quantum int) map[int][]string {
	manySlow := d.slow*2 >= d.slots.current
	if d.o.OneLane || !manySlow && quantum >= d.o.PerLane {
		return nil // no lane can hold more than its share
	}
	skip := map[int][]string{}
	for lane, l := range d.lanes {
		if l.inFlight >= quantum || manySlow && l.slow > 0 {
			skip[l.shard] = append(skip[l.shard], lane)
		}
	}
	return skip
}
