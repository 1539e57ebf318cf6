package queue

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

var testLimits = Limits{
	Kept: time.Hour, KeptDead: 720 * time.Hour, IDLifetime: 72 * time.Hour, LogLength: 100, LogAge: 72 * time.Hour,
	InFlight: 16, Pending: 1000, MaxAge: 24 * time.Hour, RetrySpan: time.Hour,
}

// bundle is a queue of one shard with what a test needs.
type bundle struct {
	*testing.T
	*Queue
	store *redisstore.Store
}

func newBundle(t *testing.T, s *redisstore.Store, change func(*Limits)) *bundle {
	l := testLimits
	if change != nil {
		change(&l)
	}
	return &bundle{T: t, Queue: New(s, l, ShardTags("webhooks")), store: s}
}

// lane makes lanes that get every event, with fields of their conf.
func (b *bundle) lane(name string, fields ...any) {
	ctx := b.Context()
	c := b.store.Client()
	require.NoError(b, c.HSet(ctx, b.Tag(0)+"conf:"+name, append([]any{"st", "active", "meta", "meta of " + name}, fields...)...).Err())
	require.NoError(b, c.SAdd(ctx, b.Tag(0)+"topic:all", name).Err())
}

func event(n int) *Event {
	return &Event{Account: "a", ID: fmt.Sprint("event", n), Job: NewJobID(uuid.Must(uuid.NewV7())), Type: "t", Timestamp: 1, Digest: "d", Topics: []string{"all"}, Payload: fmt.Sprint("payload ", n)}
}

func (b *bundle) push(events ...*Event) []Pushed {
	answers, errs := b.PushAll(b.Context(), 0, events)
	for _, err := range errs {
		require.NoError(b, err)
	}
	return answers
}

// claim claims for so long that no lease ends by itself before its test does.
func (b *bundle) claim(most int, skip ...string) claimed {
	return b.claimFor(time.Hour, most, skip...)
}

func (b *bundle) claimFor(lease time.Duration, most int, skip ...string) claimed {
	token := newToken()
	cmds := b.store.RunAll(b.Context(), []redisstore.Call{b.claimCall(0, most, 16, lease, token, skip)})
	c, err := readClaimed(cmds[0], 0, token)
	require.NoError(b, err)
	b.readLarge(b.Context(), c.jobs)
	return c
}

func (b *bundle) settle(o Outcome, jobs ...*Job) (notices int64, lost int) {
	var all []*outcome
	for _, j := range jobs {
		all = append(all, &outcome{Job: j, Outcome: o})
	}
	cmds := b.store.RunAll(b.Context(), []redisstore.Call{b.settleCall(0, all, false)})
	notices, lost, err := readSettled(cmds[0])
	require.NoError(b, err)
	return notices, lost
}

func (b *bundle) conf(lane, field string) string {
	v, _ := b.store.Client().HGet(b.Context(), b.Tag(0)+"conf:"+lane, field).Result()
	return v
}

func TestPushClaimSettle(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		b.lane("two")
		e := event(1)
		p := b.push(e)[0]
		require.Equal(t, Pushed{Outcome: PushNew, Job: e.Job, Timestamp: 1, Lanes: []string{"one", "two"}}, p)

		c := b.claim(10)
		require.Len(t, c.jobs, 2)
		j := c.jobs[0]
		require.Equal(t, "payload 1", j.Payload)
		require.Equal(t, "meta of "+j.Lane, j.Meta)
		require.Empty(t, b.claim(10).jobs, "a leased job is nobody else's")

		_, lost := b.settle(Outcome{Kind: Succeeded, Log: "{}"}, c.jobs...)
		require.Zero(t, lost)
		_, lost = b.settle(Outcome{Kind: Succeeded}, c.jobs...)
		require.Equal(t, 2, lost, "settling twice does nothing")
		require.Equal(t, "0", b.conf("one", "fl"))
		ttl := b.payloadTTL(e.Job)
		require.LessOrEqual(t, ttl, time.Hour)
		standing, err := b.Inspect(t.Context(), 0, "one", e.Job)
		require.NoError(t, err)
		require.Equal(t, "done", standing[0].word())
		require.Equal(t, "event1", standing[0].EventID)
	})
}

func TestSameIDIsOneEvent(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		first, again, other, foreign := event(1), event(1), event(1), event(1)
		other.Digest = "another"
		foreign.Account = "b"
		answers := b.push(first, again, other, foreign)
		require.Equal(t, PushNew, answers[0].Outcome)
		require.Equal(t, Pushed{Outcome: PushSame, Job: first.Job, Timestamp: 1, Lanes: []string{"one"}}, answers[1])
		require.Equal(t, PushOther, answers[2].Outcome)
		require.Equal(t, PushNew, answers[3].Outcome, "another account's ID is another ID")
	})
}

func TestRetryBuryResend(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		e := event(1)
		b.push(e)
		j := b.claim(1).jobs[0]
		b.settle(Outcome{Kind: Retry, Delay: time.Millisecond}, j)
		eventually(t, "it is due again", func() bool {
			c := b.claim(1)
			if len(c.jobs) == 0 {
				return false
			}
			j = c.jobs[0]
			return true
		})
		require.Equal(t, 1, j.Attempts)
		notices, _ := b.settle(Outcome{Kind: Failed, Reason: "exhausted", Detail: "{}"}, j)
		require.EqualValues(t, 1, notices)
		require.Equal(t, "failed", b.conf("one", "st"))
		standing, err := b.Inspect(t.Context(), 0, "one", e.Job)
		require.NoError(t, err)
		require.Equal(t, "dead", standing[0].word())
		require.Equal(t, 2, standing[0].Attempts)

		resent, err := b.Resend(t.Context(), 0, "one", e.Job)
		require.NoError(t, err)
		require.Equal(t, []Resent{ResentQueued}, resent)
		failed := time.Now()
		eventually(t, "a later millisecond", func() bool { return time.Since(failed) > 2*time.Millisecond })
		j = b.claim(1).jobs[0]
		require.Zero(t, j.Attempts, "a fresh table")
		notices, _ = b.settle(Outcome{Kind: Succeeded}, j)
		require.Equal(t, "active", b.conf("one", "st"))
		require.EqualValues(t, 2, notices, "the recovery")
	})
}

func TestDispatcherRunsEverything(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		for i := range 5 {
			b.lane(fmt.Sprint("lane", i))
		}
		seen := make(chan string, 1000)
		d := NewDispatcher(Options{
			Queue: b.Queue, Store: s, Shards: func(context.Context) (int, error) { return 1, nil }, Concurrency: 8, PerLane: 4,
			Handler: func(_ context.Context, j *Job) Outcome { seen <- j.Lane + j.Payload; return Outcome{Kind: Succeeded} },
		})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() { defer close(stopped); d.Run(ctx) }()
		for i := range 50 {
			b.push(event(i))
		}
		all := map[string]bool{}
		for range 250 {
			select {
			case v := <-seen:
				require.False(t, all[v], "twice: %s", v)
				all[v] = true
			case <-time.After(soon):
				t.Fatalf("only %d of 250 came", len(all))
			}
		}
		cancel()
		<-stopped
		require.Zero(t, s.Client().ZCard(t.Context(), b.Tag(0)+"leases").Val())
		require.Equal(t, "0", s.Client().HGet(t.Context(), b.Tag(0)+"stats", "waiting").Val())
	})
}
