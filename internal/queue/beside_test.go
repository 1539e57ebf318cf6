package queue

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// large gives an event a payload that goes beside the scripts.
func large(e *Event) *Event {
	e.Payload = strings.Repeat(e.Payload+"\x00\xff", besideFrom)
	return e
}

func (b *bundle) body(e *Event) string {
	return b.store.Client().Get(b.Context(), b.key("body:"+e.Job)).Val()
}

// puts are the keys of payloads that no event took.
func (b *bundle) puts() []string { return b.store.Client().Keys(b.Context(), b.key("put:*")).Val() }

// call makes one call of the push script with some events.
func (b *bundle) call(batch ...*pushed) (any, error) { return b.runPush(b.Context(), 0, batch) }

// A large payload is stored and read like any other, and is kept for as long.
func TestLargePayload(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one", "w", 8)
		b.lane("two", "w", 8)
		small, single, both := to("one", 1), large(to("one", 2)), large(event(3))
		b.push(small)
		require.Empty(t, b.conf("one", "lp"))
		b.push(single, both)
		require.Equal(t, "1"+single.Payload, b.body(single))
		require.Equal(t, "+"+both.Payload, b.body(both))
		for _, e := range []*Event{small, single, both} {
			left := s.Client().PTTL(t.Context(), b.key("body:"+e.Job)).Val()
			require.Greater(t, left, testLimits.MaxAge+testLimits.RetrySpan, "for as long as it may wait")
		}

		token := newToken()
		cmd := s.RunAll(t.Context(), []redisstore.Call{b.claimCall(0, 8, 8, time.Hour, token, nil)})[0]
		c, err := readClaimed(cmd, 0, token)
		require.NoError(t, err)
		require.Len(t, c.jobs, 4)
		for _, j := range c.jobs {
			require.Equal(t, j.ID != small.Job, j.unread != nil, "only small ones pass through the script")
		}
		b.readLarge(t.Context(), c.jobs)
		got := map[string]string{}
		for _, j := range c.jobs {
			require.NoError(t, j.unread)
			require.Equal(t, j.ID != both.Job, j.single)
			got[j.Lane+j.ID] = j.Payload
		}
		require.Equal(t, map[string]string{
			"one" + small.Job: small.Payload, "one" + single.Job: single.Payload, "one" + both.Job: both.Payload, "two" + both.Job: both.Payload,
		}, got)
		b.settle(Outcome{Kind: Succeeded}, c.jobs...)
		require.LessOrEqual(t, s.Client().PTTL(t.Context(), b.key("body:"+both.Job)).Val(), testLimits.Kept)

		b.push(to("one", 4))
		require.Equal(t, "payload 4", b.claim(8).jobs[0].Payload)
		require.Equal(t, "0", b.conf("one", "lp"), "one that found no large one asks for no lengths any more")
		again := large(to("one", 5))
		b.push(again)
		require.Equal(t, again.Payload, b.claim(8).jobs[0].Payload)
	})
}

// What refuses an event leaves nothing of its payload, and nothing overwrites that of another.
func TestLargePayloadOfNothing(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		first := large(to("one", 1))
		b.push(first)
		b.push(first)
		again, other, clash := large(to("one", 1)), large(to("one", 1)).with("other"), large(to("one", 2))
		again.Payload = strings.ToUpper(again.Payload)
		clash.Job = first.Job
		nobody, closing, gone := large(event(3)), large(event(4)), large(event(5))
		nobody.Topics = []string{"nobody"}
		require.NoError(t, s.Client().HSet(t.Context(), b.key("account:closing"), "c", "1", "x", "1").Err())
		closing.Account = "closing"
		gone.TellsOf = "nothing"
		for outcome, e := range map[PushOutcome]*Event{PushSame: again, PushOther: other, PushTaken: clash, PushNew: nobody, PushEnding: closing, PushGone: gone} {
			require.Equal(t, outcome, b.push(e)[0].Outcome)
		}
		require.Equal(t, []string{b.key("body:" + first.Job)}, s.Client().Keys(t.Context(), b.key("body:*")).Val())
		require.Empty(t, b.puts())
		require.Equal(t, "1"+first.Payload, b.body(first))
		require.Equal(t, first.Payload, b.claim(1).jobs[0].Payload)
	})
}

// A payload that a repeated call put after its delivery ended goes.
func TestLargePayloadOfACallThatComesAgain(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		e := large(to("one", 1))
		b.push(e)
		b.settle(Outcome{Kind: Succeeded}, b.claim(1).jobs...)
		require.NoError(t, s.Client().Del(t.Context(), b.key("body:"+e.Job)).Err())
		require.Equal(t, PushNew, b.push(e)[0].Outcome, "the answer of the first call")
		require.Zero(t, s.Client().Exists(t.Context(), b.key("body:"+e.Job)).Val())
		require.Empty(t, b.puts())
		require.Empty(t, b.claim(1).jobs)
	})
}

// A crash between a payload and its event leaves what ends by itself.
func TestLargePayloadBeforeACrash(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		e := large(event(1))
		nothing := redisstore.NewScript(`return {}`)
		_, values := b.putBeside(0, []*pushed{{event: e}})
		_, err := s.RunWithValues(t.Context(), values, nothing, b.Tag(0))
		require.NoError(t, err)
		require.Len(t, b.puts(), 1)
		left := s.Client().PTTL(t.Context(), b.puts()[0]).Val()
		require.Positive(t, left)
		require.LessOrEqual(t, left, besideKept)
		require.Equal(t, PushNew, b.push(e)[0].Outcome, "its publisher tries again")
		require.Equal(t, e.Payload, b.claim(1).jobs[0].Payload)
	})
}

// What a try left whose script never came is not the payload of a later one with the same ID: that may be another account's, or have been changed.
func TestLargePayloadOfAnotherTry(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		first := large(to("one", 1))
		first.IDJob = first.Job // an ID of our own form
		second := *first
		second.Account, second.Digest, second.Payload = "b", "other", strings.ToUpper(first.Payload)
		_, values := b.putBeside(0, []*pushed{{event: first}})
		_, err := s.RunWithValues(t.Context(), values, redisstore.NewScript(`return {}`), b.Tag(0))
		require.NoError(t, err)
		require.Equal(t, PushNew, b.push(&second)[0].Outcome)
		require.True(t, second.Payload == b.claim(1).jobs[0].Payload, "what its publisher heard yes for")
	})
}

// What a call has no room for leaves nothing until the next.
func TestLargePayloadsOfSeveralCalls(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		lanes := make([]string, 3)
		for i := range lanes {
			lanes[i] = "lane" + strconv.Itoa(i)
			b.lane(lanes[i], "w", 8)
		}
		b.pushLanes = 2
		events := []*Event{large(event(1)), large(event(2)), large(event(3))}
		batch := make([]*pushed, len(events))
		for i, e := range events {
			batch[i] = &pushed{event: e}
		}
		_, err := b.call(batch...)
		require.NoError(t, err)
		require.Empty(t, b.puts())
		for i, p := range b.push(events...) {
			require.Equal(t, PushNew, p.Outcome)
			require.Equal(t, "+"+events[i].Payload, b.body(events[i]))
		}
		require.Empty(t, b.puts())
	})
}

// A full Redis keeps nothing of what it refuses: else payloads on their way would keep it full, and no event came in any more.
func TestLargePayloadsRefusedFillNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: server.URL()})
	b := newBundle(t, s, nil)
	b.lane("one")
	b.push(large(event(0)))
	for room := 16 << 10; room <= 512<<10; room += 16 << 10 {
		info := server.Client().InfoMap(t.Context(), "memory").Val()["Memory"]
		used, err := strconv.Atoi(info["used_memory"])
		require.NoError(t, err)
		require.NoError(t, server.Client().ConfigSet(t.Context(), "maxmemory", strconv.Itoa(used+room)).Err())
		events := make([]*Event, 8)
		for i := range events {
			events[i] = large(event(i + 1))
			events[i].ID += "of" + strconv.Itoa(room)
		}
		_, _ = b.PushAll(t.Context(), 0, events)
		there := len(s.Client().Keys(t.Context(), b.key("event:*")).Val())
		require.Len(t, s.Client().Keys(t.Context(), b.key("body:*")).Val(), there)
		require.Empty(t, b.puts())
	}
}

// Nobody hears yes for an event whose payload is not there, and nothing of its account overtakes it.
func TestLargePayloadThatIsNotThere(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		refusal, together := errors.New("full"), new(pushGroup)
		batch := []*pushed{{event: large(event(1)), group: together}, {event: event(2), group: together}, {event: large(event(3))}, {event: event(4)}}
		batch[2].event.Account, batch[3].event.Account = "other", "third"
		name, _ := b.putBeside(0, batch)
		batch[0].beside.Err = refusal
		r := newReply(b.RunDurable(t.Context(), 0, pushScript, b.pushArgs(batch, name)[len(b.limits):]...))
		for _, p := range batch {
			require.False(t, p.readAnswer(r))
			p.tellGroup()
		}
		require.ErrorIs(t, batch[0].err, refusal)
		require.ErrorIs(t, batch[1].err, refusal, "what was handed in with it")
		require.Equal(t, PushLater, batch[1].answer.Outcome)
		require.ErrorIs(t, batch[2].err, ErrUnsaved)
		require.NoError(t, batch[3].err)
		require.Equal(t, PushNew, batch[3].answer.Outcome)
		require.Equal(t, []string{b.key("event:" + batch[3].event.Job)}, s.Client().Keys(t.Context(), b.key("event:*")).Val())
		require.EqualValues(t, 1, b.waitingCount())
		require.Equal(t, PushNew, b.push(batch[0].event)[0].Outcome)
	})
}

// A full Redis refuses a large payload as it refuses its event.
func TestLargePayloadInAFullRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: server.URL()})
	b := newBundle(t, s, nil)
	b.lane("one")
	b.push(event(0))
	require.NoError(t, server.Client().ConfigSet(t.Context(), "maxmemory", "1").Err())
	_, errs := b.PushAll(t.Context(), 0, []*Event{large(event(1)), event(2)})
	require.True(t, redis.HasErrorPrefix(errs[0], "OOM"), "%v", errs[0])
	require.Error(t, errs[1])
	_, err := b.Push(t.Context(), 0, large(event(3)))
	require.True(t, redis.HasErrorPrefix(err, "OOM"), "%v", err)
	require.Len(t, s.Client().Keys(t.Context(), b.key("event:*")).Val(), 1)
	require.NoError(t, server.Client().ConfigSet(t.Context(), "maxmemory", "0").Err())
	b.push(large(event(1)))
}

// unreadable has reading of payloads fail some times.
type unreadable struct{ times atomic.Int32 }

func (*unreadable) DialHook(next redis.DialHook) redis.DialHook { return next }

func (*unreadable) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (u *unreadable) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if cmds[0].Name() != "mget" || u.times.Add(-1) < 0 {
			return next(ctx, cmds)
		}
		err := errors.New("connection lost")
		for _, cmd := range cmds {
			cmd.SetErr(err)
		}
		return err
	}
}

// A claimed job whose payload can't be read is neither attempted nor ended: it comes again.
func TestLargePayloadThatCannotBeRead(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one", "w", 8)
		e := large(to("one", 1))
		b.push(e)
		var broken unreadable
		broken.times.Store(3)
		s.Client().AddHook(&broken)
		seen := make(chan *Job, 8)
		b.dispatch(Options{Handler: func(_ context.Context, j *Job) Outcome {
			seen <- j
			return Outcome{Kind: Succeeded}
		}})
		j := receive(t, seen, "it is attempted")
		require.Negative(t, broken.times.Load())
		require.True(t, e.Payload == j.Payload, "with its payload")
		require.Zero(t, j.Attempts+j.Expiries, "for the first time")
		eventually(t, "it is settled", func() bool { return b.waitingCount() == 0 && b.conf("one", "fl") == "0" })
		require.Empty(t, seen, "once")
	})
}

// A payload that is gone by the time it is read is like one that was gone before.
func TestLargePayloadThatIsGone(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one", "w", 8)
		gone, there := large(to("one", 1)), large(to("one", 2))
		b.push(gone, there)
		token := newToken()
		c, err := readClaimed(s.RunAll(t.Context(), []redisstore.Call{b.claimCall(0, 8, 8, time.Hour, token, nil)})[0], 0, token)
		require.NoError(t, err)
		require.NoError(t, s.Client().Del(t.Context(), b.key("body:"+gone.Job)).Err())
		b.readLarge(t.Context(), c.jobs)
		require.Len(t, c.jobs, 2)
		for _, j := range c.jobs {
			require.NoError(t, j.unread)
		}
		require.Empty(t, c.jobs[0].Payload)
		require.Equal(t, there.Payload, c.jobs[1].Payload)
	})
}

// A payload is copied once, and what is stored beside is never that of before a change.
func TestCarry(t *testing.T) { // not parallel, as it counts allocations
	data := []byte(strings.Repeat("x", besideFrom))
	e := &Event{}
	e.Carry("head\n", data)
	require.Equal(t, "head\n"+string(data), e.Payload)
	require.Equal(t, oneLane+e.Payload, e.beside())
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = e.beside() }))
	e.Payload = "another"
	require.Equal(t, oneLane+"another", e.beside())
	require.Equal(t, oneLane, (&Event{}).beside())
}
