//go:build topology

package topology_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/topology"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/store"
)

// childEnv holds the settings of a sender that this program runs as when a test starts it again.
const childEnv = "TOPOLOGY_SENDER"

func TestMain(m *testing.M) {
	if settings := os.Getenv(childEnv); settings != "" {
		if err := deliver(settings); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func senderConfig() config.Sender {
	return config.Sender{AllowHTTP: true, AllowNetworks: []string{"127.0.0.0/8"}, Concurrency: 64}
}

// deliver runs a sender until the process is told to stop.
func deliver(settings string) error {
	var c config.Redis
	if err := json.Unmarshal([]byte(settings), &c); err != nil {
		return err
	}
	store, err := store.Open(c, store.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	s, err := sender.New(sender.Options{Store: store, Config: senderConfig()})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := s.Start(ctx); err != nil {
		return err
	}
	fmt.Println("ready") // from here on a signal ends it in order
	<-ctx.Done()
	return s.Stop(context.Background())
}

// rig is one topology with an endpoint for all deliveries.
type rig struct {
	t       *testing.T
	servers *topology.Servers
	redis   config.Redis
	sink    *sink
}

func newRig(t *testing.T, kind topology.Kind, args ...string) *rig {
	t.Helper()
	servers, err := topology.Start(t.Context(), kind, args...)
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	return &rig{t: t, servers: servers, redis: servers.Redis(), sink: newSink(t)}
}

// sink counts what arrives, by path and event.
type sink struct {
	*httptest.Server
	hold atomic.Int64 // how long an answer takes

	mu   sync.Mutex
	seen map[string]int // path and event → how often
	by   map[string]int // sender's version → deliveries
}

func newSink(t *testing.T) *sink {
	s := &sink{seen: map[string]int{}, by: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else nobody notices that the connection ends
		select {
		case <-time.After(time.Duration(s.hold.Load())):
		case <-r.Context().Done():
			return // whoever sent it is gone: it never arrived
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen[r.URL.Path+" "+r.Header.Get("webhook-id")]++
		s.by[strings.TrimPrefix(r.UserAgent(), "VideoCloud-Webhooks/")]++
	}))
	t.Cleanup(s.Close)
	return s
}

// counts says how many of those events came, and how many copies too many.
func (s *sink) counts(events map[string]bool) (arrived, duplicates int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range events {
		if n := s.seen[e]; n > 0 {
			arrived++
			duplicates += n - 1
		}
	}
	return arrived, duplicates
}

// open makes a sender of its own store, as another process would. It isn't started.
func (r *rig) open(version string, tweak ...func(*config.Redis)) *sender.Sender {
	r.t.Helper()
	c := r.redis
	for _, f := range tweak {
		f(&c)
	}
	var log *slog.Logger
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("sender", version)
	}
	store, err := store.Open(c, store.Options{Logger: log})
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = store.Close() })
	s, err := sender.New(sender.Options{Store: store, Config: senderConfig(), Version: version})
	require.NoError(r.t, err)
	return s
}

func durable(c *config.Redis) { c.Replicas = 1 }

// start starts a sender that stops with the test.
func (r *rig) start(version string, tweak ...func(*config.Redis)) *sender.Sender {
	r.t.Helper()
	s := r.open(version, tweak...)
	require.NoError(r.t, s.Start(r.t.Context()))
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = s.Stop(ctx)
	})
	return s
}

// child starts a sender in a process of its own.
func (r *rig) child() *exec.Cmd {
	r.t.Helper()
	settings, err := json.Marshal(r.redis)
	require.NoError(r.t, err)
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+string(settings))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, cmd.Start())
	r.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	said, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(r.t, err, "it starts")
	require.Equal(r.t, "ready\n", said)
	return cmd
}

// accounts are enough to live on every node.
func accounts() []string {
	names := make([]string, 48)
	for i := range names {
		names[i] = fmt.Sprintf("account-%d", i)
	}
	return names
}

// register makes one webhook for each account.
func (r *rig) register(s *sender.Sender, accounts ...string) {
	r.t.Helper()
	for _, a := range accounts {
		_, _, err := s.CreateWebhook(r.t.Context(), a, sender.NewWebhook{Settings: sender.Settings{URL: r.sink.URL + "/" + a, Events: []string{"*"}}, Secret: "your_webhook_secret"})
		require.NoError(r.t, err)
	}
}

// load publishes without a pause, each event again with the same ID until it is taken, and remembers what was.
type load struct {
	stop  context.CancelFunc
	done  sync.WaitGroup
	mu    sync.Mutex
	taken map[string]bool
	tries int
}

// publish starts publishing by so many at once, round the accounts.
func (r *rig) publish(s *sender.Sender, publishers int, accounts ...string) *load {
	ctx, stop := context.WithCancel(r.t.Context())
	l := &load{stop: stop, taken: map[string]bool{}}
	var next atomic.Int64
	for range publishers {
		l.done.Go(func() {
			for ctx.Err() == nil {
				n := next.Add(1)
				l.one(ctx, s, accounts[int(n)%len(accounts)], fmt.Sprintf("event-%d", n))
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	r.t.Cleanup(func() { l.end() })
	return l
}

// large is data of an event whose payload goes to the store, and back, beside the scripts.
var large = json.RawMessage(`{"note":"` + strings.Repeat("lorem ipsum ", 1000) + `"}`)

func (l *load) one(ctx context.Context, s *sender.Sender, account, id string) {
	data := json.RawMessage(`{"videoId":"vid_123456"}`)
	if len(id)%2 == 0 || strings.HasSuffix(id, "5") {
		data = large
	}
	for {
		_, err := s.Publish(context.WithoutCancel(ctx), account, sender.Event{Type: "video.uploaded", ID: id, Data: data})
		l.mu.Lock()
		l.tries++
		if err == nil {
			l.taken["/"+account+" "+id] = true
		}
		l.mu.Unlock()
		if err == nil || ctx.Err() != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// count is how many events were taken so far.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.taken)
}

// more waits until so many further events were taken.
func (r *rig) more(l *load, n int) {
	r.t.Helper()
	to := l.count() + n
	require.Eventually(r.t, func() bool { return l.count() >= to }, 2*time.Minute, 10*time.Millisecond, "publishing goes on")
}

func (l *load) end() map[string]bool {
	l.stop()
	l.done.Wait()
	return l.taken
}

// arrive waits until everything that was taken has arrived, and returns how many copies came too many.
func (r *rig) arrive(taken map[string]bool) (duplicates int) {
	r.t.Helper()
	require.NotEmpty(r.t, taken)
	arrived := 0
	if !assertSoon(2*time.Minute, func() bool {
		arrived, duplicates = r.sink.counts(taken)
		return arrived == len(taken)
	}) {
		r.t.Fatalf("%d of %d events arrived", arrived, len(taken))
	}
	r.t.Logf("%d events, %d duplicates", len(taken), duplicates)
	return duplicates
}

// beforeAPoll is within what a push that woke a sender arrives, also where the machine is busy: polls come every 15 s.
const beforeAPoll = 10 * time.Second

func assertSoon(within time.Duration, ok func() bool) bool {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

// shardKey is a key of the shard in which an account lives.
func (r *rig) shardOf(account string) string {
	r.t.Helper()
	for shard := range config.DefaultShards {
		tag := fmt.Sprintf("{webhooks:%d}:", shard)
		n := r.servers.Of(r.t.Context(), tag)
		require.NotNil(r.t, n)
		if n.Client().Exists(r.t.Context(), tag+"hooks:"+account).Val() == 1 {
			return tag
		}
	}
	r.t.Fatal("the account lives nowhere")
	return ""
}
