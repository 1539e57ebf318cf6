package receiver

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// mostWrites is what one call of a script may write.
const mostWrites = 2000

var calledTimes = regexp.MustCompile(`cmdstat_([a-z]+):calls=(\d+)`)

// writesOf counts the commands with which do writes to a Redis of its own, those of scripts included.
func writesOf(t *testing.T, client redis.UniversalClient, do func()) (n int) {
	require.NoError(t, client.ConfigResetStat(t.Context()).Err())
	do()
	stats, err := client.Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	for _, found := range calledTimes.FindAllStringSubmatch(stats, -1) {
		switch found[1] {
		case "set", "del", "hset", "hdel", "zadd", "zrem", "pexpire", "incr", "incrby", "hincrby", "sadd", "srem", "mset", "copy", "xadd", "xdel", "lpush", "ltrim", "zremrangebyscore":
			calls, err := strconv.Atoi(found[2])
			require.NoError(t, err)
			n += calls
		}
	}
	return n
}

// TestLesson64_ScriptsOfTheReceiverAreBounded: however many events, items of lists and apps come together, one call writes no more than
// that.
func TestLesson64_ScriptsOfTheReceiverAreBounded(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: server.URL()})
	client := s.Client()
	var queues []*Queue
	for i := range 5 {
		q, err := NewQueue(QueueOptions{Store: redistest.Public(s), Name: "app", Delivery: fmt.Sprint("to", i), Deliver: (&queueApp{}).deliver})
		require.NoError(t, err)
		queues = append(queues, q)
	}
	q := queues[0]
	at := &acceptor{q: q}
	for name, c := range map[string]struct{ items, apps, least int }{
		"plain events":           {1, 1, acceptEvents},
		"lists of a hundred":     {100, 1, 1},
		"several apps":           {1, 5, 10},
		"lists to several apps":  {100, 5, 1},
		"events without a claim": {0, 1, acceptEvents},
	} {
		for _, twice := range []bool{false, true} {
			var events []*accept
			for i := range acceptEvents {
				_, j := queueJob("x")
				a := &accept{ttl: time.Hour.Milliseconds(), payload: j.append([]byte{oneLane}, isAny)}
				for n := range c.apps {
					a.targets = append(a.targets, target{queues[n].queue.Tag(0), fmt.Sprintf("%026d", len(name)*1000+i)})
				}
				for n := range c.items {
					claim := &Claim{ID: EventKey("app", "adyen", fmt.Sprint(name, i, n)), Digest: EventKey("app", "adyen", fmt.Sprint("d", name, i, n)), TTL: time.Hour, At: time.Now()}
					claim.setToken()
					a.claim(q.tag, claim)
				}
				events = append(events, a)
			}
			n := at.most(events)
			require.GreaterOrEqual(t, n, c.least, name)
			writes := writesOf(t, client, func() { at.carry(t.Context(), events[:n]) })
			require.NoError(t, at.err, name)
			if !twice {
				require.Equal(t, strings.Repeat("0", n), at.answers, name)
			}
			require.LessOrEqual(t, writes, mostWrites, "%s: %d events", name, n)
		}
	}

	b := newBatch(client)
	var ops []*op
	for i := range 2 * maxBatch {
		id := EventKey("app", "github", fmt.Sprint("op", i))
		c := &Claim{ID: id, Digest: EventKey("app", "github", fmt.Sprint("digest", i)), TTL: time.Hour, Lease: time.Minute, At: time.Now()}
		c.setToken()
		keys := acceptClaim{}
		keys.id, keys.digest, keys.held = c.inRedis(q.tag, stateDone)
		ops = append(ops, &op{kind: opDone, id: keys.id, digest: keys.digest, held: keys.held, ms: 1000})
	}
	writes := writesOf(t, client, func() { b.carry(t.Context(), ops[:b.most(ops)]) })
	require.NoError(t, b.cmd.Err())
	require.LessOrEqual(t, writes, mostWrites)

	var jobs []string
	for i := range 1000 {
		jobs = append(jobs, fmt.Sprintf("%026d", i))
	}
	calls := 0
	_, err := inBatches(jobs, func(some []string) (int, error) {
		calls++
		require.LessOrEqual(t, 5*len(some), mostWrites)
		return 0, nil
	})
	require.NoError(t, err)
	require.Equal(t, 1000/pageSize, calls)
}
