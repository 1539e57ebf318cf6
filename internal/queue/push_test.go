package queue

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// Lessons 2, 23 and 24: what the same ID means.
func TestLesson24SameEvent(t *testing.T) {
	t.Parallel()
	given := func(e *Event, ts int64) { e.Given, e.Timestamp = true, ts }
	for name, test := range map[string]struct {
		first, again func(*Event)
		want         PushOutcome
	}{
		"again":                                         {want: PushSame},
		"again without a timestamp, later":              {again: func(e *Event) { e.Timestamp = 99 }, want: PushSame},
		"given first, not given again":                  {first: func(e *Event) { given(e, 5) }, again: func(e *Event) { e.Timestamp = 99 }, want: PushSame},
		"given first and again":                         {first: func(e *Event) { given(e, 5) }, again: func(e *Event) { given(e, 5) }, want: PushSame},
		"given again as it was made first":              {again: func(e *Event) { given(e, 1) }, want: PushSame},
		"given otherwise":                               {first: func(e *Event) { given(e, 5) }, again: func(e *Event) { given(e, 6) }, want: PushOther},
		"other content":                                 {again: func(e *Event) { e.Digest = "other" }, want: PushOther},
		"another account":                               {again: func(e *Event) { e.Account = "b" }, want: PushNew},
		"an account whose name and ID join to the same": {first: func(e *Event) { e.Account, e.ID = "a:b", "c" }, again: func(e *Event) { e.Account, e.ID = "a", "b:c" }, want: PushNew},
		"a new ID of our own making":                    {again: func(e *Event) { e.OwnID = true }, want: PushNew},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
				b := newBundle(t, s, nil)
				b.lane("one")
				first, again := event(1), event(1)
				if test.first != nil {
					test.first(first)
				}
				if test.again != nil {
					test.again(again)
				}
				b.push(first)
				p := b.push(again)[0]
				require.Equal(t, test.want, p.Outcome)
				switch test.want {
				case PushSame:
					require.Equal(t, Pushed{Outcome: PushSame, Job: first.Job, Timestamp: first.Timestamp, Lanes: []string{"one"}}, p, "the first answer")
					require.EqualValues(t, 1, b.waitingCount())
				case PushNew:
					require.Equal(t, again.Job, p.Job)
					require.EqualValues(t, 2, b.waitingCount())
				}
			})
		})
	}
}

// IDs of our own form stand for their job: they need no key, and are recognised when a publisher repeats one.
func TestOwnFormIDs(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		made := event(1)
		made.OwnID, made.IDJob = true, made.Job
		b.push(made)
		require.Empty(t, s.Client().Keys(t.Context(), b.key("id:*")).Val())

		again := event(1)
		again.ID, again.IDJob = made.ID, made.Job
		require.Equal(t, PushSame, b.push(again)[0].Outcome)
		again.Digest = "other"
		require.Equal(t, PushOther, b.push(again)[0].Outcome)

		// Another account made up the same: it must not learn of the first.
		foreign := event(1)
		foreign.Account, foreign.ID, foreign.IDJob, foreign.Job = "b", made.ID, made.Job, made.Job
		require.Equal(t, PushTaken, b.push(foreign)[0].Outcome)
		require.EqualValues(t, 1, b.waitingCount())
		foreign.Job = event(1).Job
		require.Equal(t, PushNew, b.push(foreign)[0].Outcome)
		require.Equal(t, PushNew, b.push(foreign)[0].Outcome, "the same call again: its answer was lost")
		foreign.Job = event(1).Job
		require.Equal(t, PushSame, b.push(foreign)[0].Outcome)
		require.Equal(t, PushSame, b.push(again.with("d"))[0].Outcome, "the first is still what it was")

		// A job whose event had an ID of another form is not what its own-form ID names.
		named := event(7)
		b.push(named)
		clash := event(8)
		clash.ID, clash.IDJob, clash.Job = "of own form", named.Job, named.Job
		require.Equal(t, PushTaken, b.push(clash)[0].Outcome)
		clash.Job = event(8).Job
		require.Equal(t, PushNew, b.push(clash)[0].Outcome)
		clash.Job = event(8).Job
		require.Equal(t, PushSame, b.push(clash)[0].Outcome)
	})
}

func (e Event) with(digest string) *Event {
	e.Digest = digest
	return &e
}

// An ID is remembered for its lifetime and no longer, whatever became of its event.
func TestIDLifetime(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		e := to("one", 1)
		b.push(e)
		b.settle(Outcome{Kind: Succeeded}, b.claim(1).jobs...)
		nobody := event(2)
		nobody.Topics = []string{"nobody"}
		require.Empty(t, b.push(nobody)[0].Lanes)
		for _, key := range []string{"id:a:" + e.ID, "event:" + e.Job, "id:a:" + nobody.ID, "event:" + nobody.Job} {
			ttl := s.Client().PTTL(t.Context(), b.key(key)).Val()
			require.Greater(t, ttl, testLimits.IDLifetime-time.Minute, key)
			require.LessOrEqual(t, ttl, testLimits.IDLifetime, key)
		}
		require.Zero(t, s.Client().Exists(t.Context(), b.key("body:"+nobody.Job)).Val(), "nobody needs its payload")
		again := to("one", 1)
		require.Equal(t, PushSame, b.push(again)[0].Outcome)
		require.NoError(t, s.Client().Del(t.Context(), b.key("event:"+e.Job)).Err())
		require.Equal(t, PushNew, b.push(e)[0].Outcome, "its record is gone: it counts as new")
	})
}

// One event goes to the lanes of all its topics, once each, and can leave one out.
func TestFanOut(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		for topic, lanes := range map[string][]string{"video.*": {"a", "b"}, "video.done": {"b", "c"}, "*": {"d", "a"}} {
			for _, l := range lanes {
				b.setConf(l, "st", "active")
				require.NoError(t, s.Client().SAdd(t.Context(), b.key("topic:"+topic), l).Err())
			}
		}
		push := func(change func(*Event)) []string {
			e := event(int(time.Now().UnixNano()))
			e.Topics = []string{"video.*", "video.done", "*"}
			change(e)
			return b.push(e)[0].Lanes
		}
		require.Equal(t, []string{"a", "b", "c", "d"}, push(func(*Event) {}))
		require.Equal(t, []string{"a", "c", "d"}, push(func(e *Event) { e.TellsOf = "b" }))
		b.setConf("x", "st", "active")
		require.Equal(t, []string{"a", "b", "c", "d"}, push(func(e *Event) { e.TellsOf = "x" }))
		require.Empty(t, push(func(e *Event) { e.TellsOf = "nobody" }), "nothing is told of one that is not there")
		require.Equal(t, []string{"c"}, push(func(e *Event) { e.Lane = "c" }))
		require.Empty(t, push(func(e *Event) { e.Topics = []string{"none", "of", "these"} }))
		require.Empty(t, push(func(e *Event) { e.Topics = nil }))
		require.EqualValues(t, 12, b.waitingCount())
	})
}

// One event that can't be right does not spoil the others of its call.
func TestPushWithoutTopicsSpoilsNoOther(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		nowhere := event(2)
		nowhere.Topics = nil
		answers := b.push(event(1), nowhere, event(3))
		require.Equal(t, []string{"one"}, answers[0].Lanes)
		require.Empty(t, answers[1].Lanes)
		require.Equal(t, []string{"one"}, answers[2].Lanes)
		require.EqualValues(t, 2, b.waitingCount())
	})
}

// A batch of a thousand goes in several calls, and answers come in order.
func TestPushAllOfAThousand(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		events := make([]*Event, 1000)
		for i := range events {
			events[i] = event(i % 900) // the last hundred are known by then
		}
		answers := b.push(events...)
		for i, p := range answers {
			if i < 900 {
				require.Equal(t, Pushed{Outcome: PushNew, Job: events[i].Job, Timestamp: 1, Lanes: []string{"one"}}, p)
			} else {
				require.Equal(t, Pushed{Outcome: PushSame, Job: events[i-900].Job, Timestamp: 1, Lanes: []string{"one"}}, p)
			}
		}
		require.EqualValues(t, 900, b.waitingCount())
	})
}

// Big payloads are spread over calls; none is too big for one of its own.
func TestPushBigPayloads(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, func(l *Limits) { l.InFlight = 100 })
		b.lane("one", "w", 100)
		events := many("one", 12)
		for i, e := range events {
			e.Payload = strings.Repeat(fmt.Sprint(i%10), 300<<10)
		}
		events[0].Payload = strings.Repeat("0", 3<<20)
		b.push(events...)
		claims, got := 0, map[string]string{}
		for len(got) < len(events) {
			jobs := b.claimQuantum(time.Hour, 100, 100).jobs
			require.NotEmpty(t, jobs)
			size := 0
			for _, j := range jobs {
				got[j.ID] = j.Payload
				size += len(j.Payload)
			}
			require.LessOrEqual(t, size-len(jobs[len(jobs)-1].Payload), claimBytes, "a claim is bounded in bytes")
			claims++
		}
		require.Greater(t, claims, 3)
		for _, e := range events {
			require.True(t, e.Payload == got[e.Job], "byte for byte")
		}
	})
}

// Many publishers at once: every event is answered for itself.
func TestPushConcurrently(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		var all sync.WaitGroup
		jobs := make([]string, 300)
		for i := range jobs {
			all.Add(1)
			go func() {
				defer all.Done()
				e := event(i % 100)
				p, err := b.Push(t.Context(), 0, e)
				if err == nil {
					jobs[i] = fmt.Sprint(i%100, " ", p.Job)
				}
			}()
		}
		all.Wait()
		sort.Strings(jobs)
		different := map[string]bool{}
		for _, j := range jobs {
			different[j] = true
		}
		require.NotContains(t, different, "")
		require.Len(t, different, 100, "three publishers of one event get one answer")
		require.EqualValues(t, 100, b.waitingCount())
	})
}

// A publisher that gives up is answered at once, and the others get their events.
func TestPushContext(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := b.Push(gone, 0, event(1))
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
		_, errs := b.PushAll(gone, 0, []*Event{event(2), event(3)})
		require.Len(t, errs, 2)
		b.push(event(4))
	})
}

// Lesson 4: while Redis does not answer, publishers do not queue up one behind the other's timeout: what waits behind a call fails with it.
func TestLesson04UnreachableFailsAllThatWait(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	newBundle(t, redistest.Open(t, config.Redis{URL: server.URL()}), nil).lane("one")
	b := newBundle(t, redistest.Open(t, config.Redis{URL: server.URL(), Timeout: 300 * time.Millisecond}), nil)
	c, calls := b.combinerOf(0), 0
	send := c.send
	c.send = func(batch []*pushed) []*pushed { // one goroutine makes the calls of an account's batch
		calls++
		return send(batch)
	}
	server.Freeze()
	all := make([]*pushed, 3000)
	for i := range all {
		all[i] = &pushed{event: event(i), done: make(chan struct{})}
	}
	c.add(all...)
	for _, p := range all {
		receive(t, p.done, "an answer")
		require.Error(t, p.err)
	}
	require.Equal(t, 1, calls, "not a timeout for each call's worth of them")
	server.Thaw()
	eventually(t, "pushes work again", func() bool {
		_, err := b.Push(t.Context(), 0, event(5000))
		return err == nil
	})
}

func TestJobIDs(t *testing.T) {
	t.Parallel()
	var b [16]byte
	for i := range b {
		b[i] = byte(7 * i)
	}
	id := NewJobID(b)
	require.Len(t, id, JobIDLength)
	back, ok := JobBytes(id)
	require.True(t, ok)
	require.Equal(t, b, back)
	for _, bad := range []string{"", id[1:], id + "0", strings.ToUpper(id), strings.Repeat("u", JobIDLength), strings.Repeat("é", JobIDLength/2)} {
		_, ok := JobBytes(bad)
		require.False(t, ok, bad)
	}
	later := b
	later[5]++
	require.Less(t, id, NewJobID(later), "IDs sort by time")
}
