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
		if err := runSender(settings); err != nil {
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

// runSender runs a sender until the process is told to stop.
func runSender(settings string) error {
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
	fmt.Println("ready") // a signal from here on ends it in order
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
	delay atomic.Int64 // how long an answer takes, a time.Duration

	mu       sync.Mutex
	seen     map[string]int // path and event → how often
	bySender map[string]int // sender's version → deliveries
}

func newSink(t *testing.T) *sink {
	s := &sink{seen: map[string]int{}, bySender: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice that the connection ends
		select {
		case <-time.After(time.Duration(s.delay.Load())):
		case <-r.Context().Done():
			return // the sender did not wait for the answer, so this does not count
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen[r.URL.Path+" "+r.Header.Get("webhook-id")]++
		s.bySender[strings.TrimPrefix(r.UserAgent(), "VideoCloud-Webhooks/")]++
	}))
	t.Cleanup(s.Close)
	return s
}

// counts returns how many of some events arrived, and how many times more than once.
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

// openSender makes a sender with connections of its own, as another process would. It isn't started.
func (r *rig) openSender(version string, tweak ...func(*config.Redis)) *sender.Sender {
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

func withReplica(c *config.Redis) { c.Replicas = 1 }

// startSender starts a sender that stops with the test.
func (r *rig) startSender(version string, tweak ...func(*config.Redis)) *sender.Sender {
	r.t.Helper()
	s := r.openSender(version, tweak...)
	require.NoError(r.t, s.Start(r.t.Context()))
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = s.Stop(ctx)
	})
	return s
}

// startChild starts a sender in a process of its own.
func (r *rig) startChild() *exec.Cmd {
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
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(r.t, err, "it starts")
	require.Equal(r.t, "ready\n", line)
	return cmd
}

// accounts are so many that some live on each node of a cluster.
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

// load publishes without a pause, each event again with the same ID until it is taken, and keeps which were.
type load struct {
	cancel     context.CancelFunc
	publishers sync.WaitGroup
	mu         sync.Mutex
	taken      map[string]bool
}

// startLoad starts a load by so many publishers, to the accounts in turn.
func (r *rig) startLoad(s *sender.Sender, publishers int, accounts ...string) *load {
	ctx, cancel := context.WithCancel(r.t.Context())
	l := &load{cancel: cancel, taken: map[string]bool{}}
	var next atomic.Int64
	for range publishers {
		l.publishers.Go(func() {
			for ctx.Err() == nil {
				n := next.Add(1)
				l.publishUntilTaken(ctx, s, accounts[int(n)%len(accounts)], fmt.Sprintf("event-%d", n))
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	r.t.Cleanup(func() { l.stop() })
	return l
}

// large is data of an event whose payload is so large that it goes to the store, and back, beside the scripts.
var large = json.RawMessage(`{"note":"` + strings.Repeat("lorem ipsum ", 1000) + `"}`)

func (l *load) publishUntilTaken(ctx context.Context, s *sender.Sender, account, id string) {
	data := json.RawMessage(`{"videoId":"vid_123456"}`)
	if len(id)%2 == 0 || strings.HasSuffix(id, "5") {
		data = large
	}
	for {
		_, err := s.Publish(context.WithoutCancel(ctx), account, sender.Event{Type: "video.uploaded", ID: id, Data: data})
		if err == nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.taken["/"+account+" "+id] = true
			return
		}
		if ctx.Err() != nil {
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

// waitForTaken waits until so many further events were taken.
func (r *rig) waitForTaken(l *load, n int) {
	r.t.Helper()
	to := l.count() + n
	require.Eventually(r.t, func() bool { return l.count() >= to }, 2*time.Minute, 10*time.Millisecond, "publishing goes on")
}

// stop ends a load and returns the events that were taken.
func (l *load) stop() map[string]bool {
	l.cancel()
	l.publishers.Wait()
	return l.taken
}

// waitForArrival waits until all of some events have arrived, and returns how many times more than once.
func (r *rig) waitForArrival(taken map[string]bool) (duplicates int) {
	r.t.Helper()
	require.NotEmpty(r.t, taken)
	arrived := 0
	if !eventually(2*time.Minute, func() bool {
		arrived, duplicates = r.sink.counts(taken)
		return arrived == len(taken)
	}) {
		r.t.Fatalf("%d of %d events arrived", arrived, len(taken))
	}
	r.t.Logf("%d events, %d duplicates", len(taken), duplicates)
	return duplicates
}

// wakeLimit is within what an event arrives whose push woke a sender, also where the machine is busy. A sender that was not woken
// finds it by a poll, every 15 s.
const wakeLimit = 10 * time.Second

func eventually(within time.Duration, ok func() bool) bool {
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

// shardPrefix returns how the keys of the shard begin in which an account lives.
func (r *rig) shardPrefix(account string) string {
	r.t.Helper()
	for shard := range config.DefaultShards {
		tag := fmt.Sprintf("{webhooks:%d}:", shard)
		n := r.servers.MasterOf(r.t.Context(), tag)
		require.NotNil(r.t, n)
		if n.Client().Exists(r.t.Context(), tag+"hooks:"+account).Val() == 1 {
			return tag
		}
	}
	r.t.Fatal("the account lives nowhere")
	return ""
}
