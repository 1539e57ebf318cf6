package queue

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// combiner gathers the events of one shard that are pushed while a call of the push script is under way, and sends them together in the
// next call. So the number of calls follows the speed of the store, not the number of events.
//
// Batches and events with many lanes are kept apart: each account has a queue of its own for them, whose calls are made one after the
// other, so that its events are stored in order. Over all shards only pushTurns of these calls are made at a time. They carry no event of
// another account, so a single event waits for the calls that are under way and for nothing else.
type combiner struct {
	// send makes one call and returns, in order, the events that are not done: one that is stored in some of its lanes only, and those
	// for which the call had no room. It answers all others; an event that it neither returns nor answers would leave its publisher waiting.
	send func([]*pushed) []*pushed
	// turns is a semaphore that the combiners of all shards share: it holds a value for each call of an accountQueue under way.
	turns    chan struct{}
	maxLanes int // lanes that one call may write to

	mu      sync.Mutex
	waiting []*pushed
	running int // goroutines in sendWaiting, at most pushCalls

	accounts map[string]*accountQueue // by account
	due      []*accountQueue          // those with waiting events, the next one first
	working  bool                     // a goroutine is in sendAccounts
}

// turnTimeout is how long a call of an accountQueue waits for its turn before it is made without one.
const turnTimeout = 50 * time.Millisecond

// accountQueue holds the events of one account that are sent one call after the other.
type accountQueue struct {
	account       string
	waiting       []*pushed
	latestWide    *pushed // latest event with more than manyLanes lanes; nil for none
	expectedLanes int     // lanes of the latest event, which the next ones are expected to have too
}

// manyLanes is the number of lanes above which it pays to take them from an earlier event with the same topics.
const manyLanes = 64

// reuseLanes names the latest wide event to those of a batch with the same topics, so that push.lua can take its lanes.
func (a *accountQueue) reuseLanes(batch []*pushed) {
	for _, p := range batch {
		if a.latestWide != nil && slices.Equal(p.event.Topics, a.latestWide.event.Topics) {
			p.likeJob = a.latestWide.answer.Job
		}
	}
}

// remember keeps what the next batch needs of this one: how many lanes its events had, and its latest wide event.
func (a *accountQueue) remember(batch []*pushed) {
	for _, p := range batch {
		if p.answer.Outcome != "" {
			a.expectedLanes = len(p.answer.Lanes)
		}
		if p.answer.Outcome == PushNew && len(p.answer.Lanes) > manyLanes && p.event.target() == "" {
			a.latestWide = p
		}
	}
}

// add takes events to send. It does not wait for them.
func (c *combiner) add(ps ...*pushed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range ps {
		if c.accounts[p.event.Account] != nil || len(ps) > 1 {
			c.addToAccount(p)
			continue
		}
		c.waiting = append(c.waiting, p)
		if c.running < pushCalls {
			c.running++
			go c.sendWaiting()
		}
	}
}

// addToAccount puts an event at the end of its account's queue. c.mu is held.
func (c *combiner) addToAccount(p *pushed) {
	account := p.event.Account
	a := c.accounts[account]
	if a == nil {
		a = &accountQueue{account: account}
		c.accounts[account] = a
		c.due = append(c.due, a)
	}
	a.waiting = append(a.waiting, p)
	if !c.working {
		c.working = true
		go c.sendAccounts()
	}
}

// sendAccounts makes one call for each account in turn, until none has events left.
func (c *combiner) sendAccounts() {
	for {
		c.mu.Lock()
		if len(c.due) == 0 {
			c.working = false
			c.mu.Unlock()
			return
		}
		a := c.due[0]
		c.due = c.due[1:]
		batch := cutBatch(&a.waiting, c.maxLanes, a.expectedLanes)
		c.mu.Unlock()

		a.reuseLanes(batch)
		release := c.acquireTurn()
		rest := c.send(batch)
		release()
		a.remember(batch)

		c.mu.Lock()
		if a.waiting = append(rest, a.waiting...); len(a.waiting) > 0 {
			c.due = append(c.due, a)
		} else {
			delete(c.accounts, a.account)
		}
		c.mu.Unlock()
	}
}

// acquireTurn waits until turns has room, for turnTimeout at most: a store that does not answer another shard's call must not hold up this
// one. The call is made in either case; release has to follow it.
func (c *combiner) acquireTurn() (release func()) {
	timeout := time.NewTimer(turnTimeout)
	defer timeout.Stop()
	select {
	case c.turns <- struct{}{}:
		return func() { <-c.turns }
	case <-timeout.C:
		return func() {}
	}
}

// sendWaiting makes calls of the events that are in no account's queue, until none waits.
func (c *combiner) sendWaiting() {
	for {
		c.mu.Lock()
		interleaveAccounts(c.waiting)
		batch := cutBatch(&c.waiting, c.maxLanes, 1)
		if len(batch) == 0 {
			c.running--
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		if rest := c.send(batch); len(rest) > 0 {
			c.putBack(rest)
		}
	}
}

// putBack puts what a call did not finish in front of what came later. An event that is stored in some of its lanes goes to its account's
// queue, and so do all events of that account that wait here, or they would overtake it.
func (c *combiner) putBack(rest []*pushed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var waiting []*pushed
	for _, p := range append(rest, c.waiting...) {
		if p.begun || c.accounts[p.event.Account] != nil {
			c.addToAccount(p)
		} else {
			waiting = append(waiting, p)
		}
	}
	c.waiting = waiting
}

// interleaveAccounts orders waiting events so that the first of every account comes before the second of any: nobody waits for all that
// another account publishes. The events of one account keep their order.
func interleaveAccounts(waiting []*pushed) {
	if !slices.ContainsFunc(waiting, func(p *pushed) bool { return p.event.Account != waiting[0].event.Account }) {
		return
	}
	place, count := make(map[*pushed]int, len(waiting)), map[string]int{}
	for _, p := range waiting {
		place[p] = count[p.event.Account]
		count[p.event.Account]++
	}
	// Of events with the same place, the one whose account has the fewest comes first: another's may have many lanes, and use up the call.
	slices.SortStableFunc(waiting, func(a, b *pushed) int {
		return cmp.Or(cmp.Compare(place[a], place[b]), cmp.Compare(count[a.event.Account], count[b.event.Account]))
	})
}

// withdraw takes all waiting events out, so that they are not sent any more, and returns them.
func (c *combiner) withdraw() []*pushed {
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting := c.waiting
	c.waiting = nil
	for _, a := range c.accounts {
		waiting = append(waiting, a.waiting...)
		a.waiting = nil
	}
	return waiting
}

// cutBatch takes the events of one call off the front of waiting: one at least, pushBytes of payload at most, and as many as are expected to
// fit into maxLanes when each has expectedLanes. An event that was begun gets a call of its own, as push.lua starts nothing behind it.
// Taking more than the call has room for would send those events again with every call until their turn comes.
func cutBatch(waiting *[]*pushed, maxLanes, expectedLanes int) []*pushed {
	all := *waiting
	n, size, room := 0, 0, maxLanes
	for n < len(all) && (n == 0 || room > 0) {
		p := all[n]
		if size += len(p.event.Payload); n > 0 && (size > pushBytes || p.begun) {
			break
		}
		if room -= max(expectedLanes, 1); p.begun {
			room = 0
		}
		n++
	}
	*waiting = all[n:]
	if n == len(all) {
		*waiting = nil // so that the array can be freed
	}
	return all[:n:n]
}
