package queue

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// permanent are the keys that need no end of their own.
func permanent(name string) bool {
	for _, p := range []string{"conf:", "topic:", "lane:", "account:"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return slices.Contains([]string{"ready", "leases", "ages", "stats", "notices", "outbox", "spent", "chores", "pending", "figures", "accountlist"}, name) // figures drops accounts without attempts by itself
}

// snapshot is all that is in the store, without the tag.
type snapshot struct {
	zsets  map[string]map[string]float64
	hashes map[string]map[string]string
	ttl    map[string]time.Duration // of every key
	kept   map[string]time.Duration // of the payloads in spent
}

func (m *model) snapshot() snapshot {
	ctx := m.Context()
	keys := m.redis().Keys(ctx, m.key("*")).Val()
	pipe := m.redis().Pipeline()
	ttls, zsets, hashes := map[string]*redis.DurationCmd{}, map[string]*redis.ZSliceCmd{}, map[string]*redis.MapStringStringCmd{}
	for _, key := range keys {
		name := strings.TrimPrefix(key, m.Tag(0))
		ttls[name] = pipe.PTTL(ctx, key)
		switch kind, _, _ := strings.Cut(name, ":"); kind {
		case "ready", "leases", "ages", "notices", "lane", "dead", "failed", "gone", "late":
			zsets[name] = pipe.ZRangeWithScores(ctx, key, 0, -1)
		case "job", "event", "conf", "stats", "pending":
			hashes[name] = pipe.HGetAll(ctx, key)
		}
	}
	_, err := pipe.Exec(ctx)
	require.NoError(m, err)
	s := snapshot{map[string]map[string]float64{}, map[string]map[string]string{}, map[string]time.Duration{}, m.keptFor(m.limits.Kept, m.time())}
	for name, cmd := range ttls {
		s.ttl[name] = cmd.Val()
	}
	for name, cmd := range zsets {
		s.zsets[name] = map[string]float64{}
		for _, z := range cmd.Val() {
			s.zsets[name][z.Member.(string)] = z.Score
		}
	}
	for name, cmd := range hashes {
		s.hashes[name] = cmd.Val()
	}
	return s
}

// check compares the store with the model.
func (m *model) check() {
	s := m.snapshot()
	found := m.places(s)
	m.checkLanes(s)
	for d, f := range m.fates {
		want := f.state
		if want == "done" || want == "dropped" || want == "coming" {
			want = ""
		}
		require.Equal(m, want, found[d], "%v; %s", d, m.history())
		_, record := s.ttl["job:"+d.lane+d.job]
		switch f.state {
		case "waiting":
			due := s.zsets["lane:"+d.lane][d.job]
			marked := due != float64(int64(due))
			require.True(m, marked || f.attempts == 0 && f.expiries == 0, "mark of %v; %s", d, m.history())
			require.True(m, m.mixed[d.lane] || f.attempts > 0 || f.expiries > 0 || !marked, "mark of %v; %s", d, m.history())
			require.Equal(m, f.attempts > 0 || f.expiries > 0, record, "record of %v; %s", d, m.history())
		case "done", "dropped", "gone", "coming":
			require.False(m, record, "record of %v; %s", d, m.history())
		}
	}
	for job, lanes := range m.events {
		m.checkEvent(s, job, lanes)
	}
	for lane := range m.lanes {
		m.checkFailed(s, lane)
	}
	for name, ttl := range s.ttl {
		if permanent(name) || ttl >= 0 {
			continue
		}
		lane, isIdx := strings.CutPrefix(name, "idx:")
		_, looked := s.zsets["ages"][lane]
		require.True(m, isIdx && looked, "%s has no end, nor gets one at the next look; %s", name, m.history())
	}
}

// checkFailed compares the list of a lane's failed jobs with the states of its deliveries: it has each that failed for as long as its event is known,
// and no other whose event is.
func (m *model) checkFailed(s snapshot, lane string) {
	dead, failed := s.zsets["dead:"+lane], s.zsets["failed:"+lane]
	for job := range dead {
		if e := s.hashes["event:"+job]; e["a"] != "" && e["c"] != "" {
			require.Contains(m, failed, job, "%s does not list a failed job; %s", lane, m.history())
		}
	}
	for name, e := range s.hashes {
		job, ok := strings.CutPrefix(name, "event:")
		if !ok || e["a"] == "" || e["c"] == "" {
			continue
		}
		at := slices.Index(strings.Fields(e["l"]), lane)
		if at < 0 || at >= len(e["s"]) || e["s"][at:at+1] != string(StateFailed) {
			require.NotContains(m, failed, job, "%s lists a job as failed that is %v; %s", lane, e, m.history())
			continue
		}
		require.Contains(m, failed, job, "%s does not list a job that failed; %s", lane, m.history())
		require.Equal(m, e["c"], strconv.FormatFloat(failed[job], 'f', -1, 64), m.history())
	}
}

// places says where each delivery is.
func (m *model) places(s snapshot) map[delivery]string {
	found := map[delivery]string{}
	put := func(lane, job, state string) {
		d := delivery{lane, job}
		require.Empty(m, found[d], "%v is in two places, one is %s; %s", d, state, m.history())
		found[d] = state
	}
	for member := range s.zsets["leases"] {
		parts := strings.Split(member, ":")
		put(parts[0], parts[1], "leased")
	}
	for kind, state := range map[string]string{"lane:": "waiting", "dead:": "dead", "gone:": "gone"} {
		for lane := range m.lanes {
			for job := range s.zsets[kind+lane] {
				put(lane, job, state)
			}
		}
	}
	return found
}

func (m *model) checkLanes(s snapshot) {
	now := m.time()
	inFlight, waiting := map[string]int{}, 0
	for member := range s.zsets["leases"] {
		lane, _, _ := strings.Cut(member, ":")
		inFlight[lane]++
	}
	for lane, status := range m.lanes {
		jobs, conf := s.zsets["lane:"+lane], s.hashes["conf:"+lane]
		waiting += len(jobs)
		require.LessOrEqual(m, len(s.zsets["dead:"+lane]), m.limits.Pending)
		require.Equal(m, status, conf["st"])
		if status == "deleted" {
			require.NotContains(m, s.zsets["ready"], lane)
			continue
		}
		fl, _ := strconv.Atoi(conf["fl"])
		require.Equal(m, inFlight[lane], fl, "in flight to %s; %s", lane, m.history())
		window, err := strconv.Atoi(conf["w"])
		if err != nil {
			window = 2
		}
		require.True(m, len(jobs) == 0 || has(s.zsets["ages"], lane), "%s has jobs and nobody looks after them; %s", lane, m.history())
		at, ready := s.zsets["ready"][lane]
		if status != "active" && status != "failed" {
			require.False(m, ready, "%s is not to be served; %s", lane, m.history())
		} else if len(jobs) > 0 && fl < min(window, m.inFlightOf(lane)) {
			require.True(m, ready, "%s is lost: it has jobs and room, and is not ready; %s", lane, m.history())
			if due := slices.Min(slices.Collect(maps.Values(jobs))); due <= float64(now.UnixMilli()) && !m.order[lane] {
				require.Less(m, at, float64(now.UnixMilli()+1), "%s has due jobs", lane)
			}
		}
	}
	require.Equal(m, fmt.Sprint(waiting), cmp.Or(s.hashes["stats"]["waiting"], "0"), "waiting; %s", m.history())
	require.Equal(m, fmt.Sprint(waiting), cmp.Or(s.hashes["pending"]["a"], "0"), "waiting of the account; %s", m.history())
}

// inFlightOf is how many attempts a lane may have in flight.
func (m *model) inFlightOf(lane string) int {
	if m.order[lane] {
		return 1
	}
	return m.limits.InFlight
}

// time is that of the store.
func (m *model) time() time.Time {
	if m.now.IsZero() {
		return m.redis().Time(m.Context()).Val()
	}
	return m.now
}

func has(set map[string]float64, member string) bool {
	_, ok := set[member]
	return ok
}

// checkEvent compares what is counted for an event, and how long its payload is kept.
func (m *model) checkEvent(s snapshot, job string, lanes []string) {
	open, dead, states := 0, 0, ""
	for _, lane := range lanes {
		states += string(m.fates[delivery{lane, job}].written())
		switch m.fates[delivery{lane, job}].state {
		case "coming", "waiting", "leased":
			open++
		case "dead":
			dead++
		}
	}
	record, known := s.hashes["event:"+job]
	if known {
		require.Equal(m, states, record["s"], "states of %s in %v; %s", job, lanes, m.history())
	}
	if known && len(lanes) > 1 {
		require.Equal(m, fmt.Sprint(open), record["o"], "open deliveries of %s; %s", job, m.history())
		require.Equal(m, fmt.Sprint(dead), record["d"], "failed deliveries of %s; %s", job, m.history())
	}
	ttl := s.ttl["body:"+job]
	if left, ok := s.kept[job]; ok {
		ttl = min(ttl, left)
	}
	switch {
	case open > 0:
		require.Greater(m, ttl, m.limits.Kept, "payload of %s; %s", job, m.history())
		require.LessOrEqual(m, ttl, m.limits.MaxAge+m.limits.RetrySpan+openSlack)
	case dead > 0:
		require.Greater(m, ttl, m.limits.Kept, "payload of %s; %s", job, m.history())
		require.LessOrEqual(m, ttl, m.limits.KeptDead)
	default:
		require.LessOrEqual(m, ttl, m.limits.Kept, "payload of %s; %s", job, m.history())
	}
}
