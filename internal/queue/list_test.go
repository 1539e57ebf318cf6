package queue

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// hook makes a lane one of an account's.
func (b *bundle) hook(account, lane string) {
	b.lane(lane, "a", account)
	require.NoError(b, b.redis().ZAdd(b.Context(), b.key("hooks:"+account), redis.Z{Member: lane}).Err())
}

// listed goes through a list, page by page, and returns what is on it as <job> <lane>, and how many were on each page.
func (b *bundle) listed(f ListFilter) (all []string, sizes []int) {
	b.Helper()
	for {
		jobs, next, err := b.List(b.Context(), 0, f)
		require.NoError(b, err)
		for _, j := range jobs {
			all = append(all, j.Job+" "+j.Lane)
		}
		if sizes = append(sizes, len(jobs)); next == nil {
			return all, sizes
		}
		f.After = *next
		require.Less(b, len(sizes), 1000, "it ends")
	}
}

// An account's list has what came as long as its events are listed, what failed before that, each once and the newest first, and what went to a lane
// that is deleted as long as its event is known.
func TestAccountListGoesBackToWhatFailedLongAgo(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.hook("a", "one")
	c.hook("a", "two")
	c.hook("other", "three")
	var before, now, failed, all []string
	job := func(n int) string {
		e := event(n)
		c.push(e)
		return e.Job
	}
	fate := func(job string, bad map[string]bool) {
		for range 3 {
			claimed := c.claim(1).jobs[0]
			require.Equal(t, job, claimed.ID)
			if bad[claimed.Lane] {
				c.settle(Outcome{Kind: Failed, Reason: "exhausted", Detail: "{}"}, claimed)
			} else {
				c.settle(Outcome{Kind: Succeeded}, claimed)
			}
		}
	}
	for n := range 9 {
		j := job(n)
		switch n % 3 {
		case 0:
			fate(j, map[string]bool{"one": true, "two": true, "three": true})
			before = append([]string{j + " two", j + " one"}, before...)
		case 1:
			fate(j, map[string]bool{"two": true})
			before = append([]string{j + " two"}, before...)
		default:
			fate(j, nil)
		}
		c.advance(time.Second)
	}
	for range 20 { // what is looked at moves to what is old meanwhile
		c.advance(4 * time.Hour)
		c.claim(1)
	}
	for n := range 5 {
		j := job(100 + n)
		if n%2 == 0 {
			fate(j, map[string]bool{"one": true})
			failed = append([]string{j + " one"}, failed...)
		} else {
			fate(j, nil)
		}
		now = append([]string{j + " one", j + " three", j + " two"}, now...)
		c.advance(time.Second)
	}
	all = append(append(all, now...), before...)
	failed = append(failed, before...)
	for most := 1; most <= 24; most++ {
		f := ListFilter{Account: "a", Most: most, Through: 500, Entries: 100}
		found, _ := c.listed(f)
		require.ElementsMatch(t, all, found, "pages of %d", most)
		require.Equal(t, before, found[len(now):], "pages of %d", most)
		f.State = StateFailed
		found, sizes := c.listed(f)
		require.Len(t, found, len(failed), "pages of %d", most)
		require.ElementsMatch(t, failed, found, "pages of %d", most)
		for _, n := range sizes[:len(sizes)-1] {
			require.Equal(t, most, n, "pages are full")
		}
		f.Lane = "one"
		found, _ = c.listed(f)
		require.Len(t, found, 3+3, "pages of %d", most)
		f.Since, f.Until = c.now.Add(-time.Hour), c.now
		found, _ = c.listed(f)
		require.Len(t, found, 3)
	}
	// A small step of a scan is a page that is short, and ends no list.
	found, sizes := c.listed(ListFilter{Account: "a", State: StateFailed, Type: "none", Most: 5, Through: 2, Entries: 1})
	require.Empty(t, found)
	require.Greater(t, len(sizes), 3)
	found, _ = c.listed(ListFilter{Account: "a", State: StateSucceeded, Most: 3, Through: 2, Entries: 1})
	require.Len(t, found, 5*3-3, "what succeeded before is not known any more")

	// What is sent again is not listed as failed any more, nor is what went to a lane that is there no longer lost.
	c.deleteLane("one")
	require.NoError(t, c.redis().ZRem(t.Context(), c.key("hooks:a"), "one").Err())
	require.NoError(t, c.redis().ZAdd(t.Context(), c.key("unhooked:a"), redis.Z{Member: "one", Score: float64(c.now.UnixMilli())}).Err())
	found, _ = c.listed(ListFilter{Account: "a", State: StateFailed, Most: 5, Through: 500, Entries: 1})
	require.ElementsMatch(t, failed, found)
	_, err := c.Resend(t.Context(), 0, "two", before[0][:JobIDLength])
	require.NoError(t, err)
	found, _ = c.listed(ListFilter{Account: "a", State: StateFailed, Most: 5, Through: 500, Entries: 1})
	require.Len(t, found, len(failed)-1)
}

// Failed jobs of events that came in one millisecond are all there, whichever of them a page ends with.
func TestFailedOfOneMoment(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	var want []string
	for _, lane := range []string{"one", "two", "three"} {
		c.hook("a", lane)
		c.setStatus(lane, "disabled")
	}
	for n := range 40 {
		e := event(n)
		c.push(e)
		for _, lane := range []string{"one", "two", "three"} {
			want = append(want, e.Job+" "+lane)
		}
	}
	for _, most := range []int{1, 2, 7, 50, 100} {
		found, sizes := c.listed(ListFilter{Account: "a", State: StateFailed, Most: most, Through: 500, Entries: 1})
		require.ElementsMatch(t, want, found)
		require.Len(t, sizes, (len(want)+most-1)/most)
	}
}

// A list of failed jobs has the same ones as a list of all that says of each how it stands: also those that are not kept any more, as more failed
// than may be kept or as failed ones are kept for less long than their events are known; and nothing stays in it that is not known.
func TestFailedListAgreesWithTheListOfAll(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Limits){
		"more failed than are kept":                func(l *Limits) { l.Pending = 4 },
		"kept for less long than events are known": func(l *Limits) { l.KeptDead = time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock(t, change)
			c.hook("a", "one")
			c.hook("a", "two")
			agree := func(want int) {
				t.Helper()
				for _, lane := range []string{"", "one", "two"} {
					f := ListFilter{Account: "a", Lane: lane, Most: 3, Through: 500, Entries: 100}
					var all []string
					for {
						jobs, next, err := c.List(t.Context(), 0, f)
						require.NoError(t, err)
						for _, j := range jobs {
							if j.Standing.State == StateFailed {
								all = append(all, j.Job+" "+j.Lane)
							}
						}
						if next == nil {
							break
						}
						f.After = *next
					}
					f.After, f.State = ListPlace{}, StateFailed
					found, _ := c.listed(f)
					require.ElementsMatch(t, all, found, "lane %q", lane)
					if lane == "one" {
						require.Len(t, found, want)
					}
				}
			}
			var old []string
			for n := range 10 {
				e := event(n)
				c.push(e)
				c.fail("{}")
				c.succeed()
				old = append(old, c.key("event:"+e.Job))
				c.advance(20 * time.Minute)
			}
			agree(10)
			first, err := c.redis().ZRange(t.Context(), c.key("failed:one"), 0, 0).Result()
			require.NoError(t, err)
			_, err = c.Resend(t.Context(), 0, "one", first[0])
			require.NoError(t, err)
			agree(9)
			c.succeed()
			agree(9)

			c.advance(100 * time.Hour)
			require.NoError(t, c.redis().Del(t.Context(), old...).Err()) // they have ended: this store's keys do so by another clock
			for n := range 10 {
				c.push(event(100 + n))
				c.fail("{}")
				c.succeed()
			}
			listed, err := c.redis().ZCard(t.Context(), c.key("failed:one")).Result()
			require.NoError(t, err)
			require.EqualValues(t, 10, listed, "what is not known any more has left")
		})
	}
}

// history is what an account has had: events that each went to some of many lanes.
type history struct {
	*bundle
	events, lanes int
}

const (
	seededLanes = 100 // of an account
	seededEach  = 2   // of these that an event goes to
	seededSpare = 997 // each so manyth event failed
)

// newHistory fills a Redis as so many events would have.
func newHistory(t testing.TB, client redis.UniversalClient, b *bundle, events int) *history {
	seed := redis.NewScript(`
local base, from, to, lanes, each, spare, now = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
for n = from, to do
  local job, ms = string.format('%026d', n), string.format('%.0f', now + n)
  local l, s = {}, n % spare == 0 and 'f' or 's'
  for k = 0, each - 1 do
    l[#l + 1] = string.format('lane%08d', (n + k * 7) % lanes)
    redis.call('XADD', base .. 'idx:' .. l[#l], ms .. '-0', 'j', job)
    redis.call('RPUSH', base .. 'log:' .. l[#l], job .. ms .. 'what happened')
    if s == 'f' then
      redis.call('ZADD', base .. 'failed:' .. l[#l], ms, job)
      redis.call('ZADD', base .. 'dead:' .. l[#l], ms, job)
    end
  end
  redis.call('HSET', base .. 'event:' .. job, 'a', 'a', 'y', n % 2 == 0 and 'even' or 'odd', 't', '1', 'c', ms, 'l', table.concat(l, ' '), 's', string.rep(s, each))
  redis.call('XADD', base .. 'events:a', ms .. '-0', 'j', job, 'y', n % 2 == 0 and 'even' or 'odd')
end
return 1`)
	ctx, began := t.Context(), time.Now().Add(-time.Hour).UnixMilli()
	pipe := client.Pipeline()
	for n := range seededLanes {
		lane := fmt.Sprintf("lane%08d", n)
		pipe.HSet(ctx, b.key("conf:"+lane), "st", "active", "a", "a")
		pipe.ZAdd(ctx, b.key("hooks:a"), redis.Z{Member: lane})
	}
	_, err := pipe.Exec(ctx)
	require.NoError(t, err)
	for from := 0; from < events; from += 2000 {
		require.NoError(t, seed.Run(ctx, client, []string{b.Tag(0)}, from, min(from+1999, events-1), seededLanes, seededEach, seededSpare, began).Err())
	}
	return &history{b, events, seededLanes}
}

// cost is what a page cost Redis: commands of scripts, and µs.
type cost struct{ commands, usec int }

// page reads a page and says what that cost.
func (h *history) page(t testing.TB, client redis.UniversalClient, f ListFilter) (jobs []ListedJob, next *ListPlace, c cost) {
	ctx := t.Context()
	before := spentBy(t, client)
	jobs, next, err := h.List(ctx, 0, f)
	require.NoError(t, err)
	after := spentBy(t, client)
	return jobs, next, cost{after.commands - before.commands, after.usec - before.usec}
}

var commandStats = regexp.MustCompile(`cmdstat_([a-z|]+):calls=(\d+),usec=(\d+)`)

func spentBy(t testing.TB, client redis.UniversalClient) (c cost) {
	text, err := client.Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	for _, m := range commandStats.FindAllStringSubmatch(text, -1) {
		calls, _ := strconv.Atoi(m[2])
		usec, _ := strconv.Atoi(m[3])
		switch m[1] {
		case "evalsha", "eval": // their time has that of what they call
			c.usec += usec
		case "info", "script|load":
		default:
			c.commands += calls
		}
	}
	return c
}

// lists are the lists of an account with a hundred lanes, and the places in the middle of each.
func (h *history) lists(t testing.TB, client redis.UniversalClient) map[string][2]ListFilter {
	all := map[string][2]ListFilter{}
	for name, f := range map[string]ListFilter{
		"all of an account":     {},
		"failed of an account":  {State: StateFailed},
		"of a type":             {Type: "odd"},
		"all of a lane":         {Lane: "lane00000007"},
		"failed of a lane":      {Lane: "lane00000007", State: StateFailed},
		"succeeded of an event": {State: StateSucceeded, Type: "even"},
	} {
		f.Account, f.Most, f.Through, f.Entries = "a", 50, 500, 2000
		// The place of what is in the middle: a page that begins with the middle's time gives the place behind it.
		middle := f
		first, err := client.XRangeN(t.Context(), h.key("events:a"), "-", "+", 1).Result()
		require.NoError(t, err)
		began, err := strconv.ParseInt(first[0].ID[:13], 10, 64)
		require.NoError(t, err)
		to := f
		to.Most, to.Until = 1, time.UnixMilli(began+int64(h.events/2))
		_, next, err := h.List(t.Context(), 0, to)
		require.NoError(t, err)
		require.NotNil(t, next, name)
		middle.After = *next
		all[name] = [2]ListFilter{f, middle}
	}
	return all
}

// A page costs what is on it, wherever it is and however much there was: so many commands in Redis, whose time depends on the machine.
func TestListsCostWhatTheirPagesDo(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := newBundle(t, redistest.Open(t, config.Redis{URL: server.URL()}), nil)
	h := newHistory(t, server.Client(), b, 100_000)
	for name, pages := range h.lists(t, server.Client()) {
		_, _, _ = h.page(t, server.Client(), pages[0]) // loads the script
		jobs, _, first := h.page(t, server.Client(), pages[0])
		later, _, middle := h.page(t, server.Client(), pages[1])
		t.Logf("%-22s first %5d commands %6d µs, middle %5d commands %6d µs", name, first.commands, first.usec, middle.commands, middle.usec)
		require.NotEmpty(t, jobs, name)
		require.NotEmpty(t, later, name)
		found := jobs
		if pages[0].State == StateFailed { // until when they were attempted is known
			found = append(found, later...)
		}
		for _, j := range found {
			require.False(t, j.LogLeftOut, name)
			require.Len(t, j.Log, 1, "%s: its attempt was found among thousands", name)
		}
		require.LessOrEqual(t, middle.commands, 2*first.commands, name)
		require.LessOrEqual(t, first.commands, 50*8+3*seededLanes+50+50*30, "%s: its jobs, its lanes, the places in their logs, and some", name)
	}
}

// BenchmarkLists says what pages of long lists cost Redis: go test ./internal/queue -bench Lists -benchtime 200x
func BenchmarkLists(b *testing.B) {
	server := redistest.Start(b)
	q := &bundle{Queue: New(redistest.Open(b, config.Redis{URL: server.URL()}), testLimits, ShardTags("webhooks"))}
	h := newHistory(b, server.Client(), q, 1_000_000)
	for name, pages := range h.lists(b, server.Client()) {
		b.Run(name, func(b *testing.B) {
			var spent [2]int
			for range b.N {
				for i, f := range pages {
					_, _, c := h.page(b, server.Client(), f)
					spent[i] += c.usec
				}
			}
			b.ReportMetric(float64(spent[0])/float64(b.N), "µs-first")
			b.ReportMetric(float64(spent[1])/float64(b.N), "µs-middle")
		})
	}
}
