package queue

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

var calledTimes = regexp.MustCompile(`cmdstat_([a-z]+):calls=(\d+)`)

// TestWhoUsesNoneOfItPaysNothing: filters, order, retries and auth of their own cost a webhook that has none of them no command of Redis,
// neither when others in its shard have them nor when nobody has. A feature that adds one has to say here what for.
func TestWhoUsesNoneOfItPaysNothing(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: server.URL(), Timeout: redistest.Patience})
	b := newBundle(t, s, nil)
	b.lane("plain", "a", "a")
	client := server.Client()
	count := func(do func()) map[string]int { return commands(t, client, do) }
	// delivery is what one delivery costs. Of several the least counts: at times a minute ends, or a look is due.
	events := 0
	delivery := func() (push, claim, settle map[string]int) {
		for range 8 {
			events++
			e := event(events)
			var jobs []*Job
			push = least(push, count(func() { b.push(e) }))
			claim = least(claim, count(func() { jobs = b.claim(1).jobs }))
			require.Len(t, jobs, 1)
			require.Equal(t, "plain", jobs[0].Lane)
			settle = least(settle, count(func() { b.settle(Outcome{Kind: Succeeded}, jobs...) }))
		}
		return push, claim, settle
	}
	noMore := func(when string) {
		push, claim, settle := delivery()
		for i, calls := range []map[string]int{push, claim, settle} {
			step := plainDelivery[i]
			for name, n := range calls {
				require.LessOrEqual(t, n, step.calls[name], "%s, %s: %s; in all %v", step.name, when, name, calls)
			}
		}
	}
	noMore("nobody has any of it")

	// Others in the shard have all of it, with events that wait.
	b.filtered("filtered", "v1")
	require.NoError(t, s.Client().SMove(t.Context(), b.key("topic:all"), b.key("topic:filtered"), Member("filtered", "v1")).Err())
	b.setConf("filtered", "a", "b", "st", "paused")
	b.setConf("ordered", "st", "active", "a", "b", "ord", "1", "w", 1)
	for n := range 4 {
		e := event(1000 + n)
		e.Account, e.Lane = "b", "ordered"
		b.push(e)
		e = event(2000 + n)
		e.Account, e.Topics = "b", []string{"filtered"}
		e.Verdicts = b.push(e)[0].Asked.Signature + string(VerdictFail)
		require.Equal(t, []string{"filtered"}, b.push(e)[0].Lanes)
	}
	head := b.claim(16).jobs
	require.Len(t, head, 1)
	b.settle(Outcome{Kind: Retry, Delay: time.Hour}, head...)
	noMore("others have all of it")
}

// TestEventsWithoutRecordsHaveNoStates: where events have no record, as in a receiver's queue, a settle writes no state of any: it made one for
// each job only to find that there was none, and to delete it again.
func TestEventsWithoutRecordsHaveNoStates(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: server.URL(), Timeout: redistest.Patience})
	b := newBundle(t, s, func(l *Limits) { l.IDLifetime = 0 })
	b.lane("plain", "fix", "1", "w", "1000000")
	const many = 16
	for n := range many {
		e := event(n)
		b.push(e)
		require.NoError(t, s.Client().Del(t.Context(), b.key("event:"+e.Job)).Err())
	}
	jobs := b.claim(many).jobs
	require.Len(t, jobs, many)
	calls := commands(t, server.Client(), func() {
		b.settle(Outcome{Kind: Succeeded}, jobs[:many-1]...)
		b.settle(Outcome{Kind: Retry, Delay: time.Hour}, jobs[many-1])
	})
	require.Zero(t, calls["hexists"], calls)
	require.Less(t, calls["hset"], many, calls)
	require.Less(t, calls["del"], many, calls)
	left, err := s.Client().Keys(t.Context(), b.key("event:*")).Result()
	require.NoError(t, err)
	require.Empty(t, left)
}

// commands counts how often each command ran while something was done, within scripts and outside.
func commands(t *testing.T, client redis.UniversalClient, do func()) map[string]int {
	t.Helper()
	require.NoError(t, client.ConfigResetStat(t.Context()).Err())
	do()
	stats, err := client.Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	calls := map[string]int{}
	for _, found := range calledTimes.FindAllStringSubmatch(stats, -1) {
		calls[found[1]], err = strconv.Atoi(found[2])
		require.NoError(t, err)
	}
	return calls
}

// plainDelivery are the commands of one delivery to a webhook without any of these features, as they were before there were any; only what is
// of use to all was added since.
var plainDelivery = []struct {
	name  string
	calls map[string]int
}{
	{"push", map[string]int{
		"evalsha": 1, "time": 1,
		"get": 1, "sunion": 1, "hmget": 3, "zcard": 1, // the ID, the webhooks, whether the account ends, the event's job, and how the webhook stands
		"set": 2, "hset": 1, "pexpire": 2, "xadd": 2, // the payload, the ID, the event, its place in the list of its account and of its webhook
		"zadd": 3, "hincrby": 2, "publish": 1, // the job, when it is looked at, and that it is ready; what waits in all and in the account
	}},
	{"claim", map[string]int{
		"evalsha": 1, "time": 1,
		"xlen": 1, "del": 1, "xrange": 1, // notices and payloads whose time is over
		"zrangebyscore": 5, "zrange": 5, "hmget": 1, "mget": 1, // what is due, and when to come back
		"zadd": 1, "zremrangebyrank": 1, "hset": 1, "zrem": 1, "hincrby": 2, // the lease; the account's share of what waits
		"hdel": 1, // an account where nothing waits is not counted
	}},
	{"settle", map[string]int{
		"evalsha": 1, "time": 1,
		"zmscore": 2, "hmget": 2, "xlen": 1, "zrange": 1, "zrem": 2, "hset": 3, "xadd": 1, "del": 1, // the end, and figures of the webhook, the account and all
	}},
}

// least are the smaller figures of two counts.
func least(a, b map[string]int) map[string]int {
	if a == nil {
		return b
	}
	both := map[string]int{}
	for name, n := range a {
		if n = min(n, b[name]); n > 0 {
			both[name] = n
		}
	}
	return both
}
