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

// batch holds the script calls of one round trip. The slices calls, shards, handlers and answers have an element for each call.
type batch struct {
	began    time.Time
	calls    []redisstore.Call
	shards   []int
	handlers []func(*redis.Cmd) error // process the answer, in the loop
	claims   []*claiming
	failed   error // of peek, before the calls

	answers []*redis.Cmd
}

// claiming is a claim in a batch. readClaims sets its answer before the loop sees it.
type claiming struct {
	call  int // place in batch.calls
	shard int
	token string

	claimed
	err error
}

func (b *batch) add(shard int, c redisstore.Call, then func(*redis.Cmd) error) {
	b.calls = append(b.calls, c)
	b.shards = append(b.shards, shard)
	b.handlers = append(b.handlers, then)
}

// round settles the attempts that ended, renews the leases of those that take long and, if claim is set, claims jobs for the free slots. It
// starts one round trip with all of that and does not wait for it: finishRound processes the answers.
func (d *Dispatcher) round(ctx context.Context, helpers *sync.WaitGroup, claim bool) {
	b := &batch{began: time.Now()}
	d.collectEnded()
	d.applyWakeups()
	d.markSlow(b.began)
	d.slots.resize(b.began)
	d.slotCount.Store(int64(d.slots.current))

	// A stop of the dispatcher must not cancel the round trip: it has to know what was claimed, to hand that back.
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
		d.answers <- b // never blocks: it has room for all rounds
	})
}

// readClaims reads the answers to the claims of a round, and then the large payloads, which are not in them.
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

// finishRound processes the answers of a round.
func (d *Dispatcher) finishRound(b *batch) {
	d.underWay.Add(-1)
	failed, repeated := b.failed, false
	for i, cmd := range b.answers {
		err := b.handlers[i](cmd)
		d.health[b.shards[i]].note(err, b.began)
		if err != nil {
			failed = err
		}
		repeated = repeated || redisstore.Retried(cmd)
	}
	d.wakeOthers()
	if repeated {
		// A settling may have run after the claim of its round, whose answer then knows nothing of the lanes that it freed.
		d.allWoken.Store(true)
	}
	d.countRefusals(failed)
}

// countRefusals counts the rounds in a row in which something failed, and logs the first, every 64th and the recovery.
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

// note records one answer of the round that began at now. Of several failures in a round only the first counts.
func (h *health) note(err error, now time.Time) {
	switch {
	case h.retry.After(now):
	case err == nil:
		*h = health{}
	default:
		h.failing++
		h.retry = time.Now().Add(backoff(h.failing))
	}
}

// collectEnded moves the outcomes that the workers left in done to settling.
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

// settlePart returns how many outcomes, from the first one on, fit into one call.
func settlePart(outcomes []*outcome) int {
	writes, lanes := 0, make(map[[2]string]bool, min(len(outcomes), settleBatch))
	for n, o := range outcomes {
		switch group := [2]string{o.Lane, o.token}; {
		case !o.plain():
			writes += otherWrites
		case lanes[group]:
			writes += plainWrites
		default:
			lanes[group] = true
			writes += plainWrites + laneWrites
		}
		if n == settleBatch || n > 0 && writes > settleWrites {
			return n
		}
	}
	return len(outcomes)
}

// addSettles adds the calls that settle what is in settling. What the store refuses is put back there.
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
				notices, lost, err := readSettled(cmd)
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
			d.shards[shard].reset() // lanes that were full may have jobs to claim
		}
	}
}

func (d *Dispatcher) reportNotices(shard int, notices int64) {
	if notices > 0 && d.o.OnNotices != nil {
		d.o.OnNotices(shard)
	}
}

// addRenewals adds, every third of a lease, the calls that renew the leases of the attempts in flight. One that began less than a quarter of a
// lease ago is left out, as its lease lasts until the next time.
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

// peek asks those due shards in which nothing was left whether there is something now, and makes them due for a claim if so. It costs
// Redis one command each instead of the dozen of a claim, as most shards are idle most of the time. asked is false where no shard was asked.
func (d *Dispatcher) peek(ctx context.Context, now time.Time) (asked bool, err error) {
	pipe := d.o.Store.Client().Pipeline()
	existing := map[int]*redis.IntCmd{} // by shard: how many of the keys exist that a claim may have to do with
	for i := range d.shards {
		if s := &d.shards[i]; s.empty && !s.next.After(now) && !d.health[i].retry.After(now) {
			var keys []string
			for _, name := range []Key{KeyReady, KeyLeases, KeyAges, KeyNotices, KeyOutbox} {
				keys = append(keys, d.o.Queue.Key(i, name))
			}
			if !s.nextExpiry.After(now) {
				keys = append(keys, d.o.Queue.Key(i, KeySpent))
			}
			existing[i] = pipe.Exists(ctx, keys...)
		}
	}
	if len(existing) == 0 {
		return false, nil
	}
	_, err = pipe.Exec(ctx)
	for i, n := range existing {
		d.health[i].note(n.Err(), now)
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

// addClaims divides the free slots among the shards that are due and adds a claim for each.
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
	first := int(now.UnixNano()/1000) % len(due) // with fewer free slots than shards, it must not always be the same ones that get them
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
		state.next = now.Add(d.o.poll) // the answer sets an earlier time
		generation := state.generation
		c := &claiming{call: len(b.calls), shard: shard, token: token}
		b.claims = append(b.claims, c)
		b.add(shard, d.o.Queue.claimCall(shard, most, min(perLane, d.o.PerLane), d.o.Lease, token, skip[shard]), func(*redis.Cmd) error {
			d.requested -= most
			if c.err != nil {
				state.reset()
				return c.err
			}
			if state.generation == generation {
				state.nextExpiry = time.Time{}
				if c.untilExpiry >= 0 {
					state.nextExpiry = now.Add(max(c.untilExpiry, housekeeping))
				}
			}
			// Redis may have run the later of two rounds first. So an answer that knows of nothing to do must not put off what the other found.
			state.empty = state.generation == generation && c.wait < 0 && len(c.jobs) == 0 && c.notices == 0
			if next := nextClaim(now, c.claimed, most, d.o.poll); next.Before(state.next) {
				state.next = next
			}
			late := time.Since(now) >= d.o.Lease/2
			var unread error
			for _, j := range c.jobs {
				// After a late answer the lease could end before it is renewed, and another process would attempt the job too.
				if unread = cmp.Or(unread, j.unread); late || j.unread != nil {
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

// housekeeping is the pause between two claims of a shard that found no job but have more to tidy up, such as expired leases and payloads.
const housekeeping = 5 * time.Millisecond

// nextClaim is when to claim from a shard again, by the answer to a claim of most jobs. The zero time is now.
func nextClaim(now time.Time, c claimed, most int, poll time.Duration) time.Time {
	pause := poll
	switch {
	case len(c.jobs) >= most:
		return time.Time{} // more may be due
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

// laneDepth is how many jobs of one lane a claim asks for at most. With many lanes it takes fewer of each, as each attempt in
// flight to a host needs a connection there; with few it takes more of each, which costs Redis less.
func (d *Dispatcher) laneDepth() int {
	return max(min(leastDepth, d.o.PerLane), d.o.PerLane*fewLanes/max(fewLanes, len(d.lanes)))
}

const (
	leastDepth = 2
	fewLanes   = 48 // with attempts in flight; from here on laneDepth falls
)

// lanesToSkip lists, by shard, the lanes that the next claims leave out: those with quantum or more attempts in flight and, while slow
// attempts hold half of all slots, those with slow ones.
func (d *Dispatcher) lanesToSkip(quantum int) map[int][]string {
	manySlow := d.slow*2 >= d.slots.current
	if d.o.OneLane || !manySlow && quantum >= d.o.PerLane {
		return nil // PerLane alone keeps each lane within its share
	}
	skip := map[int][]string{}
	for lane, l := range d.lanes {
		if l.inFlight >= quantum || manySlow && l.slow > 0 {
			skip[l.shard] = append(skip[l.shard], lane)
		}
	}
	return skip
}
