package queue

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// mostWrites is what one call of a script may write: see lib.lua.
const mostWrites = 2000

// counted makes a script that counts what it writes, beside its keys.
func counted(lua string) *redisstore.Script {
	const plain = "local call = redis.call\n"
	return redisstore.NewScript(strings.Replace(source("lib"), plain, `
local READS = { TIME = true, GET = true, HGET = true, HMGET = true, MGET = true, EXISTS = true, PTTL = true, STRLEN = true, XLEN = true, XRANGE = true, XREVRANGE = true,
  ZCARD = true, ZCOUNT = true, ZRANGE = true, ZRANGEBYSCORE = true, ZSCORE = true, ZMSCORE = true, SUNION = true, HEXISTS = true, HSCAN = true, PUBLISH = true, LRANGE = true, SRANDMEMBER = true }
local function call(command, ...)
  if not READS[command] then redis.call('INCR', KEYS[1] .. 'writes') end
  return redis.call(command, ...)
end
`, 1), lua)
}

// writes runs a counted script and returns its answer and how many writes it made.
func (c *clock) writes(script *redisstore.Script, args []any) (*redis.Cmd, int) {
	c.Helper()
	require.NoError(c, c.redis().Del(c.Context(), c.key("writes")).Err())
	cmd := c.store.RunAll(c.Context(), []redisstore.Call{{Script: script, Key: c.Tag(0), Args: args}})[0]
	require.NoError(c, cmd.Err())
	n, err := c.redis().Get(c.Context(), c.key("writes")).Int()
	require.NoError(c, err)
	require.Positive(c, n)
	return cmd, n
}

// bounded is writes of a script that keeps to the bound.
func (c *clock) bounded(script *redisstore.Script, args []any) *redis.Cmd {
	c.Helper()
	cmd, n := c.writes(script, args)
	require.LessOrEqual(c, n, mostWrites)
	return cmd
}

var lanesOfATenant = func() (names []string) {
	for i := range 1000 {
		names = append(names, fmt.Sprintf("lane%03d", i))
	}
	return names
}()

// inServer is a clock that runs, on a Redis of its own, which runs long scripts many times as fast as the in-memory store.
func inServer(t *testing.T, change func(*Limits)) *clock {
	return &clock{bundle: newBundle(t, redistest.Open(t, config.Redis{URL: redistest.Start(t).URL()}), change), now: time.Now()}
}

// failed keeps so many failed jobs for a lane, since then.
func (c *clock) failed(lane string, n int, since float64) {
	c.Helper()
	var jobs []redis.Z
	for i := range n {
		jobs = append(jobs, redis.Z{Score: since, Member: fmt.Sprintf("%026d", i)})
	}
	if n > 0 {
		require.NoError(c, c.redis().ZAdd(c.Context(), c.key("dead:"+lane), jobs...).Err())
	}
}

// crowded makes lanes which keep more failed jobs than they may: what fails next drops some.
func crowded(t *testing.T, lanes, failed int, fields ...any) *clock {
	c := inServer(t, func(l *Limits) { l.Pending = 5 })
	for _, lane := range lanesOfATenant[:lanes] {
		c.lane(lane, fields...)
		c.failed(lane, failed, float64(c.now.UnixMilli()))
	}
	return c
}

// pushWrites is what one call of the push script may write: no more than many small events cost.
const pushWrites = 1800

// Lesson 64: a batch to lanes that take nothing is as many calls as it takes, and so is one event to many lanes.
func TestLesson64PushIsBounded(t *testing.T) {
	t.Parallel()
	script := counted(source("push"))
	for name, tc := range map[string]struct {
		lanes, failed, events int
		fields                []any
		most                  int
	}{
		"one event to many":                   {950, 0, 1, nil, 500},
		"one event to many disabled ones":     {950, 6, 1, []any{"st", "disabled"}, 500},
		"some events to many that are full":   {300, 6, 7, []any{"st", "paused"}, 500},
		"some events to many deleted ones":    {300, 0, 2, []any{"st", "deleted"}, 500},
		"a batch to many":                     {300, 0, 32, nil, 500},
		"a batch to one":                      {1, 0, 128, nil, pushWrites},
		"a batch to one disabled":             {1, 30, 128, []any{"st", "disabled"}, pushWrites},
		"a batch to disabled ones":            {60, 30, 128, []any{"st", "disabled"}, pushWrites},
		"a batch to full ones":                {60, 30, 128, []any{"st", "paused"}, pushWrites},
		"a batch to nobody":                   {0, 0, 128, nil, pushWrites},
		"a batch to almost as many as a part": {120, 0, 20, nil, 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := crowded(t, tc.lanes, tc.failed, tc.fields...)
			var all, rest []*pushed
			for i := range tc.events {
				all = append(all, &pushed{event: event(i)})
			}
			for batch := all; len(batch) > 0; batch, rest = rest, nil {
				cmd, writes := c.writes(script, c.pushArgs(batch, ""))
				require.LessOrEqual(t, writes, tc.most)
				r := newReply(cmd.Result())
				for i, p := range batch {
					if i > 0 && len(r.values) == 0 || p.readAnswer(r) {
						rest = append(rest, p)
					}
					require.NoError(t, p.err)
				}
			}
			for _, p := range all {
				require.Equal(t, PushNew, p.answer.Outcome)
				require.Len(t, p.answer.Lanes, tc.lanes)
			}
			require.Zero(t, c.redis().Exists(t.Context(), c.key("chores")).Val())
		})
	}
}

// Lesson 64: a claim gives back what a dead process held, and fails what waited too long, some at a time.
func TestLesson64ClaimIsBounded(t *testing.T) {
	t.Parallel()
	const lanes, each = 60, 20
	c := newClock(t, func(l *Limits) { l.Pending = 1000; l.InFlight = 100 })
	for _, lane := range lanesOfATenant[:lanes] {
		c.lane(lane, "w", 100)
		c.push(many(lane, each)...)
	}
	script := counted(source("claim"))
	claim := func(most int) claimed {
		t.Helper()
		token := newToken()
		got, err := readClaimed(c.bounded(script, c.claimCall(0, most, 100, time.Minute, token, nil).Args), 0, token)
		require.NoError(t, err)
		return got
	}
	jobs := 0
	for range 100 {
		if jobs += len(claim(4096).jobs); jobs == lanes*each {
			break
		}
	}
	require.Equal(t, lanes*each, jobs)
	// Fewer may be kept from now on, and all of their leases run out.
	c.Queue = New(c.store, func() Limits { l := testLimits; l.Pending = 5; return l }(), ShardTags("webhooks"))
	c.advance(2 * time.Minute)
	claims := 0
	for ; c.redis().ZCount(t.Context(), c.key("leases"), "-inf", fmt.Sprint(c.now.UnixMilli())).Val() > 0; claims++ {
		require.Zero(t, claim(0).wait, "the rest is due at once")
	}
	require.LessOrEqual(t, claims, lanes*each/20)
	for _, lane := range lanesOfATenant[:lanes] {
		c.failed(lane, 30, 1)
	}
	c.advance(testLimits.MaxAge + time.Hour)
	failed := 0
	for claims = 0; failed < lanes*each && claims < 500; claims++ {
		for _, e := range claim(0).expired {
			failed += e.Count
		}
		c.advance(2 * time.Millisecond)
	}
	require.Equal(t, lanes*each, failed)
	require.Zero(t, c.waitingCount())
}

// Lesson 64: many lanes with one job each are served in several claims.
func TestLesson64ClaimOfManyLanesIsBounded(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	for _, lane := range lanesOfATenant {
		c.lane(lane)
	}
	c.push(event(1))
	script, jobs := counted(source("claim")), 0
	for jobs < len(lanesOfATenant) {
		token := newToken()
		got, err := readClaimed(c.bounded(script, c.claimCall(0, 4096, 100, time.Minute, token, nil).Args), 0, token)
		require.NoError(t, err)
		require.NotEmpty(t, got.jobs)
		jobs += len(got.jobs)
	}
}

// Lesson 64: outcomes that cost much are settled in several calls, those that cost little in few.
func TestLesson64SettleIsBounded(t *testing.T) {
	t.Parallel()
	c := crowded(t, 512, 30)
	script := counted(source("figures") + source("settle"))
	settle := func(o Outcome) (calls int) {
		t.Helper()
		var outcomes []*outcome
		for len(outcomes) < 512 {
			jobs := c.claimFor(time.Minute, 512).jobs
			require.NotEmpty(t, jobs)
			for _, j := range jobs {
				outcomes = append(outcomes, &outcome{Job: j, Outcome: o})
			}
		}
		for ; len(outcomes) > 0; calls++ {
			n := settlePart(outcomes)
			_, lost, err := readSettled(c.bounded(script, c.settleCall(0, outcomes[:n], false).Args))
			require.NoError(t, err)
			require.Zero(t, lost)
			outcomes = outcomes[n:]
		}
		return calls
	}
	c.push(event(1))
	settle(Outcome{Kind: Failed, Reason: "exhausted", Detail: "{}", Log: "{}", Hold: time.Millisecond})
	c.advance(time.Second)
	for i, lane := range lanesOfATenant[:512] {
		c.push(to(lane, i))
	}
	require.Equal(t, 4, settle(Outcome{Kind: Succeeded, Log: "{}"}))
}

// Many lanes, each of an account of its own, recover in the minute after their last attempts, with full logs, and their events are gone: the
// figures of each lane and account are written too, and those of accounts that were idle go.
func TestASettleOfManyLanesWithFiguresIsBounded(t *testing.T) {
	t.Parallel()
	const lanes = 300
	c := newClock(t, func(l *Limits) { l.Kept = 100 * time.Hour })
	for _, lane := range lanesOfATenant[:lanes] {
		c.lane(lane, "a", "account of "+lane)
	}
	script := counted(source("figures") + source("settle"))
	settle := func(kind Kind) (most int) {
		t.Helper()
		var outcomes []*outcome
		for len(outcomes) < lanes {
			jobs := c.claimFor(time.Minute, 512).jobs
			require.NotEmpty(t, jobs)
			for _, j := range jobs {
				c.redis().Del(t.Context(), c.key("event:"+j.ID))
				outcomes = append(outcomes, &outcome{Job: j, Outcome: Outcome{Kind: kind, Reason: "exhausted", Detail: "{}", Log: "{}", DisableAfter: time.Hour, Took: time.Second}})
			}
		}
		for len(outcomes) > 0 {
			n := settlePart(outcomes)
			cmd, writes := c.writes(script, c.settleCall(0, outcomes[:n], false).Args)
			require.NoError(t, cmd.Err())
			require.LessOrEqual(t, writes, mostWrites)
			most, outcomes = max(most, writes), outcomes[n:]
		}
		return most
	}
	push := func() {
		for i, lane := range lanesOfATenant[:lanes] {
			e := to(lane, i)
			e.Account = "account of " + lane
			c.push(e)
		}
	}
	push()
	settle(Failed)
	idle := c.redis().HGet(t.Context(), c.key("figures"), "account of "+lanesOfATenant[0]).Val()
	require.NotEmpty(t, idle)
	for i := range 100 {
		require.NoError(t, c.redis().HSet(t.Context(), c.key("figures"), fmt.Sprint("idle", i), "\x00\x00\x00"+idle[3:]).Err())
	}
	full := slices.Repeat([]any{strings.Repeat("x", 50)}, testLimits.LogLength+100)
	for _, lane := range lanesOfATenant[:lanes] {
		require.NoError(t, c.redis().RPush(t.Context(), c.key("log:"+lane), full...).Err())
	}
	c.advance(2 * time.Hour)
	push()
	require.Greater(t, settle(Succeeded), mostWrites-500, "it is the worst case, nearly")
}

// Lesson 64: a webhook with a long backlog is deleted in steps.
func TestLesson64CancelIsBounded(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one")
	c.lane("two")
	for i := range 400 {
		c.push(event(i))
	}
	require.NoError(t, c.redis().HSet(t.Context(), c.key("conf:one"), "st", "deleted").Err())
	c.bounded(counted(source("cancel")), c.argv([]any{"one", cancelBatch}))
	require.EqualValues(t, 250, c.redis().ZCard(t.Context(), c.key("lane:one")).Val())
}
