package queue

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// tally counts what was delivered.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
}

func (c *tally) Handler(_ context.Context, j *Job) Outcome {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]int{}
	}
	c.seen[j.ID]++
	return Outcome{Kind: Succeeded}
}

func (c *tally) missing(jobs []string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, j := range jobs {
		if c.seen[j] == 0 {
			n++
		}
	}
	return n
}

// publish pushes until stopped, as a publisher that tries again with the same ID does, and returns the jobs that it was answered for.
func (b *bundle) publish(stop <-chan struct{}) (jobs []string) {
	for n := 0; ; n++ {
		e := event(n)
		e.Payload = fmt.Sprint("payload ", n)
		for {
			p, err := b.Push(context.WithoutCancel(b.Context()), 0, e)
			if err == nil {
				jobs = append(jobs, p.Job)
				break
			}
			select {
			case <-stop:
				return jobs
			case <-time.After(5 * time.Millisecond):
			}
		}
		select {
		case <-stop:
			return jobs
		default:
		}
	}
}

// Lessons 2, 3 and 4: whatever happens to Redis, what was answered for is delivered, by dispatchers that run all the time.
func TestLesson03RedisComesAndGoes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args   []string
		break_ func(t *testing.T, server *redistest.Server, s *redisstore.Store)
	}{
		"killed and restarted": {[]string{"--appendonly", "yes", "--appendfsync", "always"}, func(t *testing.T, server *redistest.Server, s *redisstore.Store) {
			server.Kill()
			server.Up()
		}},
		"frozen": {nil, func(t *testing.T, server *redistest.Server, s *redisstore.Store) {
			server.Freeze()
			require.Error(t, s.Client().Ping(t.Context()).Err(), "as long as a command may take")
			server.Thaw()
		}},
		"scripts lost": {nil, func(t *testing.T, server *redistest.Server, s *redisstore.Store) {
			require.NoError(t, s.Client().ScriptFlush(t.Context()).Err())
		}},
		"connections dropped": {nil, func(t *testing.T, server *redistest.Server, s *redisstore.Store) {
			c := server.Client()
			require.NoError(t, c.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err())
			require.NoError(t, c.Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err())
		}},
		"out of memory": {nil, func(t *testing.T, server *redistest.Server, s *redisstore.Store) {
			c := server.Client()
			require.NoError(t, c.ConfigSet(t.Context(), "maxmemory", "1").Err())
			eventually(t, "it is full", func() bool { return s.Client().Set(t.Context(), "x", "y", 0).Err() != nil })
			require.NoError(t, c.ConfigSet(t.Context(), "maxmemory", "0").Err())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, test.args...)
			roomy := func(l *Limits) { l.Pending = 1_000_000 }
			b := newBundle(t, redistest.Open(t, config.Redis{URL: server.URL()}), roomy) // what looks on is patient
			b.lane("one")
			s := redistest.Open(t, config.Redis{URL: server.URL(), Timeout: 300 * time.Millisecond})
			hasty := newBundle(t, s, roomy)
			var got tally
			d := hasty.dispatch(Options{Lease: time.Second, Handler: got.Handler})
			stop, published := make(chan struct{}), make(chan []string, 1)
			go func() { published <- hasty.publish(stop) }()
			for range 2 {
				before := d.LastRound()
				eventually(t, "it runs", func() bool { return d.LastRound().After(before) })
				test.break_(t, server, s)
			}
			before := d.LastRound()
			eventually(t, "it runs again", func() bool { return d.LastRound().After(before) })
			close(stop)
			jobs := receive(t, published, "the publisher's end")
			require.NotEmpty(t, jobs)
			eventually(t, "everything is delivered", func() bool { return got.missing(jobs) == 0 })
			eventually(t, "everything is settled", func() bool { return b.conf("one", "fl") == "0" && b.waitingCount() == 0 })
			b.asleep(d)
			b.push(event(-1))
			eventually(t, "and pushes of other processes wake it as before", func() bool { return b.waitingCount() == 0 && b.conf("one", "fl") == "0" })
		})
	}
}

// Lesson 3: where Redis lost one script only, a settle comes after the claim of its round, which then knows nothing of
// what the settle put back.
func TestLesson03OneScriptLost(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("one")
		got, finish := make(chan *Job, 2), make(chan struct{})
		b.dispatch(Options{Lease: time.Hour, Handler: func(ctx context.Context, j *Job) Outcome {
			select {
			case got <- j:
			case <-ctx.Done():
			}
			<-finish
			return Outcome{Kind: Retry, Delay: 50 * time.Millisecond}
		}})
		b.push(event(1))
		receive(t, got, "the first attempt")
		require.NoError(t, s.Client().ScriptFlush(t.Context()).Err())
		b.claim(0)                                                           // loads its own script
		require.NoError(t, s.Client().Del(t.Context(), b.key("ages")).Err()) // else its tick may come in time by chance
		close(finish)
		receive(t, got, "the second attempt")
	})
}

// Lesson 3: what became ready while the subscription was interrupted is found when it is back.
func TestLesson03MissedWakeUp(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := newBundle(t, redistest.Open(t, config.Redis{URL: server.URL()}), nil)
	b.lane("one")
	got := make(chan *Job, 10)
	d := b.dispatch(Options{Handler: succeedTo(got)})
	b.asleep(d)
	b.backlog("one", 1) // told to nobody
	require.NoError(t, server.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err())
	receive(t, got, "the job")
}

// Lesson 4: a full Redis takes no events, but deliveries go on: else it could never become less full.
func TestLesson04FullRedisDrains(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: server.URL()})
	b := newBundle(t, s, nil)
	b.lane("one")
	e := event(0)
	b.push(e)
	b.push(many("one", 100)...)
	before := s.Client().DBSize(t.Context()).Val()
	c := server.Client()
	require.NoError(t, c.ConfigSet(t.Context(), "maxmemory", "1").Err())

	refused := event(1)
	_, err := b.Push(t.Context(), 0, refused)
	require.Error(t, err)
	require.ErrorIs(t, s.Ready(t.Context()), redisstore.ErrUnsafe)
	require.Equal(t, before, s.Client().DBSize(t.Context()).Val(), "nothing is remembered of what was refused")
	again := event(0)
	known, err := b.Push(t.Context(), 0, again)
	require.NoError(t, err, "what is known needs no memory")
	require.Equal(t, PushSame, known.Outcome)

	var got tally
	n := 0
	b.dispatch(Options{Handler: func(ctx context.Context, j *Job) Outcome {
		out := got.Handler(ctx, j)
		if n++; n == 1 {
			out = Outcome{Kind: Retry, Delay: time.Hour, Log: "{}"}
		}
		return out
	}, Concurrency: 1})
	eventually(t, "what waits is delivered", func() bool { return b.waitingCount() == 1 && b.conf("one", "fl") == "0" })

	require.NoError(t, c.ConfigSet(t.Context(), "maxmemory", "0").Err())
	p, err := b.Push(t.Context(), 0, refused)
	require.NoError(t, err)
	require.Equal(t, PushNew, p.Outcome, "the publisher's retry is delivered")
	eventually(t, "Ready again", func() bool { return s.Ready(t.Context()) == nil })
}

// Lesson 4: a master that became a replica takes nothing, and says so.
func TestLesson04ReadOnly(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := redistest.Open(t, config.Redis{URL: server.URL()})
	b := newBundle(t, s, nil)
	b.lane("one")
	b.push(event(0))
	require.NoError(t, s.Ready(t.Context()))
	c := server.Client()
	// Nobody is there: it has no master's data to load, which it would say instead for a moment.
	require.NoError(t, c.ReplicaOf(t.Context(), "127.0.0.1", fmt.Sprint(redistest.FreePort(t))).Err())
	_, err := b.Push(t.Context(), 0, event(1))
	require.Error(t, err)
	require.ErrorIs(t, s.Ready(t.Context()), redisstore.ErrUnsafe)
	require.NoError(t, c.ReplicaOf(t.Context(), "NO", "ONE").Err())
	eventually(t, "ready again", func() bool { return s.Ready(t.Context()) == nil })
	_, err = b.Push(t.Context(), 0, event(1))
	require.NoError(t, err)
}

// Lesson 16: an outcome that can't be settled is not swallowed: it is tried until it is.
func TestLesson16SettleIsRetried(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	b := newBundle(t, redistest.Open(t, config.Redis{URL: server.URL()}), nil) // what looks on is patient
	b.lane("one")
	e := event(1)
	b.push(e)
	hasty := newBundle(t, redistest.Open(t, config.Redis{URL: server.URL(), Timeout: 200 * time.Millisecond}), nil)
	running, finish := make(chan *Job, 10), make(chan struct{})
	hasty.dispatch(Options{Handler: func(_ context.Context, j *Job) Outcome {
		running <- j
		<-finish
		return Outcome{Kind: Succeeded}
	}})
	receive(t, running, "the attempt")
	server.Kill()
	close(finish)
	server.Up()
	eventually(t, "settled after all", func() bool {
		st, err := b.Inspect(t.Context(), 0, "one", e.Job)
		return err == nil && st[0].word() == "done"
	})
	require.Empty(t, running, "one attempt was enough")
}
