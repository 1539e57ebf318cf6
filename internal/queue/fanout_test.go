package queue

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// cutOff publishes as a publisher does that dies after the first call.
func (b *bundle) cutOff(e *Event) Pushed {
	b.Helper()
	p := &pushed{event: e}
	more := p.readAnswer(newReply(b.store.RunDurable(b.Context(), pushScript, b.Tag(0), b.pushArgs([]*pushed{p}, "")...)))
	require.NoError(b, p.err)
	require.True(b, more, "it takes several calls")
	return p.answer
}

var tenLanes = lanesOfATenant[:10]

// Lesson 64: an event whose publisher dies between two calls of its fan-out is finished by whoever comes next, and goes to each
// lane once.
func TestLesson64FanOutIsFinished(t *testing.T) {
	t.Parallel()
	for name, finish := range map[string]func(b *bundle, first *Event){
		"by the publisher's next try": func(b *bundle, _ *Event) {
			again := event(1) // with a job of its own
			p := b.push(again)[0]
			require.Equal(b, PushSame, p.Outcome)
			require.Equal(b, tenLanes, p.Lanes)
		},
		"by the client's": func(b *bundle, first *Event) { require.Equal(b, PushNew, b.push(first)[0].Outcome) },
		"by a task": func(b *bundle, first *Event) {
			whole, _, err := b.FinishPush(b.Context(), 0, first.Job, time.Hour)
			require.NoError(b, err)
			require.False(b, whole, "somebody has just gone on with it")
			whole, _, err = b.FinishPush(b.Context(), 0, first.Job, 0)
			require.NoError(b, err)
			require.True(b, whole)
		},
		"by several at once": func(b *bundle, first *Event) {
			done := make(chan error)
			for range 4 {
				go func() {
					_, err := b.Push(b.Context(), 0, event(1))
					done <- err
				}()
				go func() {
					_, _, err := b.FinishPush(b.Context(), 0, first.Job, 0)
					done <- err
				}()
			}
			for range 8 {
				require.NoError(b, <-done)
			}
		},
		"where the publisher comes with something else first": func(b *bundle, first *Event) {
			other := event(1)
			other.Digest = "other"
			require.Equal(b, PushOther, b.push(other)[0].Outcome)
			_, _, err := b.FinishPush(b.Context(), 0, first.Job, 0)
			require.NoError(b, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
				b := newBundle(t, s, nil)
				b.pushLanes = 3
				for _, lane := range tenLanes {
					b.lane(lane)
				}
				first := event(1)
				require.Equal(t, tenLanes, b.cutOff(first).Lanes)
				delivered := map[string]int{}
				deliver := func() {
					for {
						jobs := b.claim(100).jobs
						if len(jobs) == 0 {
							return
						}
						for _, j := range jobs {
							require.Equal(t, first.Job, j.ID)
							require.Equal(t, first.Payload, j.Payload)
							delivered[j.Lane]++
						}
						b.settle(Outcome{Kind: Succeeded}, jobs...)
					}
				}
				deliver()
				require.Len(t, delivered, 3)
				// What is told is the whole of it, at every moment: what has not come to its lane yet waits.
				e, err := b.Event(t.Context(), 0, "a", first.ID, "", 0)
				require.NoError(t, err)
				require.Len(t, e.Lanes, 10)
				for i, l := range e.Lanes {
					if i < 3 {
						require.Equal(t, StateSucceeded, l.State)
						continue
					}
					require.Equal(t, StatePending, l.State)
					require.Equal(t, PlaceWaiting, l.Place)
					require.False(t, l.Next.IsZero())
				}
				r, err := b.Resend(t.Context(), 0, tenLanes[9], first.Job)
				require.NoError(t, err)
				require.Equal(t, []Resent{ResentUnderWay}, r, "it comes anyway")

				finish(b, first)
				deliver()
				for _, lane := range tenLanes {
					require.Equal(t, 1, delivered[lane], lane)
				}
				require.Zero(t, s.Client().Exists(t.Context(), b.key("chores")).Val())
				require.False(t, s.Client().HExists(t.Context(), b.key("event:"+first.Job), "p").Val())
				require.LessOrEqual(t, s.Client().PTTL(t.Context(), b.key("body:"+first.Job)).Val(), testLimits.Kept, "its last delivery has ended")
				require.Equal(t, PushSame, b.push(event(1))[0].Outcome)
				require.Empty(t, b.claim(100).jobs)
			})
		})
	}
}

// Lesson 64: what a lane is when the fan-out comes to it decides; which lanes it goes to was decided by the first call.
func TestLesson64FanOutMeetsChangedLanes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.pushLanes = 3
		for _, lane := range tenLanes {
			b.lane(lane)
		}
		e := event(1)
		b.cutOff(e)
		b.settle(Outcome{Kind: Succeeded}, b.claim(100).jobs...)
		b.lane("later")
		for _, lane := range tenLanes[3:6] {
			b.deleteLane(lane)
		}
		for _, lane := range tenLanes[6:] {
			b.setStatus(lane, "disabled")
		}
		p := b.push(event(1))[0]
		require.Equal(t, tenLanes, p.Lanes)
		require.Len(t, p.Refused, 4)
		states := s.Client().HGet(t.Context(), b.key("event:"+e.Job), "s").Val()
		require.Equal(t, "sssccc"+"ffff", states)
		require.Equal(t, "0", s.Client().HGet(t.Context(), b.key("event:"+e.Job), "o").Val())
		require.Equal(t, "4", s.Client().HGet(t.Context(), b.key("event:"+e.Job), "d").Val())
		ttl := s.Client().PTTL(t.Context(), b.key("body:"+e.Job)).Val()
		require.LessOrEqual(t, ttl, testLimits.KeptDead, "it has ended with the last part")
		require.Empty(t, b.claim(100).jobs)
	})
}

// Lesson 4: what was begun is finished even where Redis has become full, and nothing else is let in with it.
func TestLesson04FanOutIsFinishedInAFullRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: server.URL()})
	b := newBundle(t, s, nil)
	b.pushLanes = 3
	for _, lane := range tenLanes {
		b.lane(lane)
	}
	b.cutOff(event(1))
	require.NoError(t, server.Client().ConfigSet(t.Context(), "maxmemory", "1").Err())
	answers, errs := b.PushAll(t.Context(), 0, []*Event{event(1), event(2)})
	require.NoError(t, errs[0])
	require.Equal(t, PushSame, answers[0].Outcome)
	require.Error(t, errs[1])
	require.EqualValues(t, 10, b.waitingCount())
}

// Lesson 64: an event that goes to many lanes is answered once it is in all of them, in the order of its account's batch.
func TestLesson64BatchKeepsItsOrder(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.pushLanes = 3
		for _, lane := range tenLanes {
			b.lane(lane)
		}
		var events []*Event
		for i := range 20 {
			events = append(events, event(i))
		}
		answers := b.push(events...)
		for i, a := range answers {
			require.Equal(t, PushNew, a.Outcome)
			require.Equal(t, events[i].Job, a.Job)
		}
		require.EqualValues(t, 200, b.waitingCount())
		for _, lane := range tenLanes {
			entries := s.Client().XRange(t.Context(), b.key("idx:"+lane), "-", "+").Val()
			for i, entry := range entries {
				require.Equal(t, events[i].Job, entry.Values["j"], lane)
			}
		}
	})
}

// Lesson 64: what a call has no room for is not sent with it: each part of a batch would carry all that waits behind it.
func TestLesson64NothingIsSentInVain(t *testing.T) {
	t.Parallel()
	for name, lanes := range map[string][]string{"to many": tenLanes, "to one": tenLanes[:1]} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
				b := newBundle(t, s, nil)
				b.pushLanes = 3
				for _, lane := range lanes {
					b.lane(lane)
				}
				calls, sent := 0, 0
				c := b.combinerOf(0)
				send := c.send
				c.send = func(batch []*pushed) []*pushed { // one goroutine makes the calls of an account's batch
					calls, sent = calls+1, sent+len(batch)
					return send(batch)
				}
				var events []*Event
				for i := range 30 {
					events = append(events, event(i))
				}
				b.push(events...)
				jobs := len(lanes) * len(events)
				require.EqualValues(t, jobs, b.waitingCount())
				require.LessOrEqual(t, calls, len(events)*(len(lanes)/b.pushLanes+1))
				require.LessOrEqual(t, sent, calls+len(events))
			})
		})
	}
}

// To find many lanes again is spared as long as no subscription has changed.
func TestLanesOfAnEventLikeIt(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		lanes := lanesOfATenant[:manyLanes+1]
		for _, lane := range lanes {
			b.lane(lane)
		}
		first := event(1)
		stored := b.push(first)[0].Lanes
		require.ElementsMatch(t, lanes, stored)
		next := 1
		push := func(like string, change func(*Event)) []string {
			next++
			p := &pushed{event: event(next), likeJob: like}
			if change != nil {
				change(p.event)
			}
			p.readAnswer(newReply(b.store.RunDurable(t.Context(), pushScript, b.Tag(0), b.pushArgs([]*pushed{p}, "")...)))
			require.NoError(t, p.err)
			return p.answer.Lanes
		}
		b.lane("new")
		require.ElementsMatch(t, lanes, push(first.Job, nil), "they are not looked for")
		for _, i := range []int{0, 30, manyLanes} {
			require.Equal(t, slices.Delete(slices.Clone(stored), i, i+1), push(first.Job, func(e *Event) { e.TellsOf = stored[i] }))
		}
		require.Equal(t, []string{"new"}, push(first.Job, func(e *Event) { e.Lane = "new" }))
		require.NoError(t, s.Client().HIncrBy(t.Context(), b.key("stats"), "subscriptions", 1).Err())
		require.ElementsMatch(t, append([]string{"new"}, lanes...), push(first.Job, nil))
		require.Len(t, push("no such job", nil), len(lanes)+1)
		b.setConf("other", "st", "active")
		require.Len(t, push("", func(e *Event) { e.TellsOf = "other" }), len(lanes)+1)
		require.ElementsMatch(t, lanes, push("", func(e *Event) { e.TellsOf = "new" }))
	})
}

// Lesson 64: a store that doesn't answer one shard's batch keeps the others' for a moment only.
func TestLesson64HungTurn(t *testing.T) {
	t.Parallel()
	turns := make(chan struct{}, pushTurns)
	hang, done := make(chan struct{}), make(chan struct{})
	newCombiner := func(send func([]*pushed) []*pushed) *combiner {
		return &combiner{send: send, turns: turns, maxLanes: 2, accounts: map[string]*accountQueue{}}
	}
	batch := []*pushed{{event: event(1)}, {event: event(2)}}
	started := make(chan struct{})
	newCombiner(func([]*pushed) []*pushed { close(started); <-hang; return nil }).add(batch...)
	receive(t, started, "the first call")
	newCombiner(func([]*pushed) []*pushed { close(done); return nil }).add(batch...)
	receive(t, done, "the other shard's call")
	close(hang)
}

// Lesson 64: beside a batch, others' events have calls of their own.
func TestLesson64BatchesShareNoCall(t *testing.T) {
	t.Parallel()
	calls, answer := make(chan []*pushed), make(chan struct{})
	c := &combiner{turns: make(chan struct{}, pushTurns), maxLanes: 2, accounts: map[string]*accountQueue{}, send: func(batch []*pushed) (rest []*pushed) {
		calls <- batch
		<-answer
		if p := batch[0]; p.event.Account == "loud" && !p.begun {
			p.begun = true
			return batch // it has only begun with the first
		}
		return batch[1:]
	}}
	of := func(account string, n int) *pushed {
		return &pushed{event: &Event{Account: account, ID: account + string(rune('0'+n))}}
	}
	c.add(of("loud", 1), of("loud", 2))
	require.Len(t, receive(t, calls, "the batch"), 2)
	c.add(of("quiet", 1))
	c.add(of("loud", 3))
	require.Equal(t, "quiet1", receive(t, calls, "the quiet one's")[0].event.ID)
	answer <- struct{}{}
	answer <- struct{}{}
	var order []string
	for range 5 {
		order = append(order, receive(t, calls, "the next")[0].event.ID)
		answer <- struct{}{}
	}
	require.Equal(t, []string{"loud1", "loud2", "loud2", "loud3", "loud3"}, order)
}
