package queue

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// clock is a bundle on the in-memory store, whose time stands still until the test moves it.
type clock struct {
	*bundle
	now time.Time
}

func newClock(t *testing.T, change func(*Limits)) *clock {
	s := redistest.Open(t, config.Redis{URL: config.Memory})
	c := &clock{bundle: newBundle(t, s, change), now: time.UnixMilli(1_800_000_000_000)}
	s.SetTime(c.now)
	return c
}

func (c *clock) advance(d time.Duration) {
	c.now = c.now.Add(d)
	c.store.SetTime(c.now)
}

// fail claims one job and fails it.
func (c *clock) fail(detail string) *Job {
	return c.settleOne(Outcome{Kind: Failed, Reason: "exhausted", Detail: detail})
}

func (c *clock) succeed() *Job { return c.settleOne(Outcome{Kind: Succeeded}) }

// settleOne claims one job and settles it.
func (c *clock) settleOne(o Outcome) *Job {
	jobs := c.claim(1).jobs
	require.Len(c, jobs, 1)
	c.settle(o, jobs[0])
	return jobs[0]
}

func (b *bundle) redis() redis.UniversalClient { return b.store.Client() }

func (b *bundle) key(name string) string { return b.Tag(0) + name }

// state says where a job of a lane is.
func (b *bundle) state(lane, job string) string { return b.standing(lane, job).word() }

func (b *bundle) standing(lane, job string) Standing {
	s, err := b.Inspect(b.Context(), 0, lane, job)
	require.NoError(b, err)
	return s[0]
}

func (b *bundle) setConf(lane string, fields ...any) {
	require.NoError(b, b.redis().HSet(b.Context(), b.key("conf:"+lane), fields...).Err())
}

// setStatus is what the owner of the lanes does when a status changes.
var setStatusScript = Script(`
local conf = base .. 'conf:' .. ARGV[10]
call('HSET', conf, 'st', ARGV[11])
local h = call('HMGET', conf, 'fl', 'w', 'cap')
offer(ARGV[10], ARGV[11], tonumber(h[1]) or 0, window_of(h[2], h[3]), nil, 0)
wake()
return 'ok'`)

func (b *bundle) setStatus(lane, status string) {
	_, err := b.Queue.Run(b.Context(), 0, setStatusScript, lane, status)
	require.NoError(b, err)
}

// setOrdered is what the owner of the lanes does when one is ordered from then on, or no longer.
var setOrderedScript = Script(`
local lane, conf = ARGV[10], base .. 'conf:' .. ARGV[10]
set_ordered(lane, ARGV[11] == '1')
call('HSET', conf, 'cap', ARGV[11])
local h = call('HMGET', conf, 'st', 'fl', 'w', 'cap', 'hu')
offer(lane, h[1], tonumber(h[2]) or 0, window_of(h[3], h[4]), h[5], 0)
wake()
return 'ok'`)

func (b *bundle) setOrdered(lane string, ordered bool) {
	_, err := b.Queue.Run(b.Context(), 0, setOrderedScript, lane, flag(ordered))
	require.NoError(b, err)
}

// orderedLane makes a lane whose jobs go out one after the other.
func (b *bundle) orderedLane(name string, fields ...any) {
	b.lane(name, append(fields, "ord", "1", "cap", "1", "a", "a")...)
}

// deleteLane is what the owner of the lanes does when one goes: at once, and its jobs afterwards.
var deleteLaneScript = Script(`
local lane = ARGV[10]
call('HSET', base .. 'conf:' .. lane, 'st', 'deleted')
call('SREM', base .. 'topic:all', lane)
call('ZREM', base .. 'ready', lane)
local jobs = call('ZRANGE', base .. 'lane:' .. lane, 0, -1)
for _, job in ipairs(jobs) do
  cancel(lane, job)
  call('ZREM', base .. 'lane:' .. lane, job)
end
count_waiting(-#jobs)
local by_account = {}
add_waiting(by_account, call('HGET', base .. 'conf:' .. lane, 'a'), -#jobs)
count_waiting_of(by_account)
return #jobs`)

func (b *bundle) deleteLane(lane string) {
	_, err := b.Queue.Run(b.Context(), 0, deleteLaneScript, lane)
	require.NoError(b, err)
}

func (b *bundle) waitingCount() int64 {
	n, _ := b.redis().HGet(b.Context(), b.key("stats"), "waiting").Int64()
	return n
}

// outbox reads the notices, as "kind lane count".
func (b *bundle) outbox() []string {
	entries, err := b.redis().XRange(b.Context(), b.key("outbox"), "-", "+").Result()
	require.NoError(b, err)
	var out []string
	for _, e := range entries {
		out = append(out, strings.Join([]string{e.Values["k"].(string), e.Values["l"].(string), e.Values["n"].(string)}, " "))
	}
	return out
}

// lanesOf are the lanes of jobs, in order.
func lanesOf(jobs []*Job) (lanes []string) {
	for _, j := range jobs {
		lanes = append(lanes, j.Lane)
	}
	return lanes
}

// to is an event for one lane.
func to(lane string, n int) *Event {
	e := event(n)
	e.ID = lane + strconv.Itoa(n)
	e.Lane = lane
	return e
}

// many are events for one lane.
func many(lane string, n int) []*Event {
	out := make([]*Event, n)
	for i := range out {
		out[i] = to(lane, i)
	}
	return out
}

// started is a dispatcher that runs until the test ends, or until it is stopped.
type started struct {
	*Dispatcher
	cancel, stop func() // stop waits for the end
}

func (b *bundle) dispatch(o Options) *started {
	o.Store = b.store
	if o.Queue == nil {
		o.Queue = b.Queue
	}
	if o.Shards == nil {
		o.Shards = func(context.Context) (int, error) { return 1, nil }
	}
	if o.Concurrency == 0 {
		o.Concurrency = 8
	}
	if o.Grace == 0 {
		o.Grace = 20 * time.Millisecond
	}
	if o.PerLane == 0 {
		o.PerLane = 4
	}
	if o.Lease == 0 {
		o.Lease = time.Minute // no stall is as long
	}
	if o.poll == 0 {
		o.poll = time.Hour // longer than any test waits: only what wakes it, or is due, is behind what it does
	}
	d := NewDispatcher(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Run(ctx)
	}()
	stop := func() {
		cancel()
		<-done
	}
	b.Cleanup(stop)
	return &started{Dispatcher: d, cancel: cancel, stop: stop}
}

// soon is how long a test waits for what must happen at once, on a machine that may be busy with everything else.
const soon = 2 * time.Minute

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, soon, 2*time.Millisecond, what)
}

func receive[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(soon):
		require.FailNow(t, "did not come: "+what)
		panic("unreachable")
	}
}

// word is how a job stands, in one word: where an open or failed one is, else how it ended.
func (s Standing) word() string {
	switch {
	case s.Place != "":
		return string(s.Place)
	case s.State == StateFailed:
		return "dropped" // and not kept
	case s.State == StateSucceeded:
		return "done"
	case s.State == StateCancelled:
		return "gone"
	}
	return "unknown"
}
