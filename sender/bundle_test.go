package sender

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redistest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childStore) != "" {
		child() // one of the processes that a test kills
		return
	}
	goleak.VerifyTestMain(m)
}

// received is one request that reached a sink.
type received struct {
	header http.Header
	body   []byte
	at     time.Time
}

// sink is an endpoint that answers as told.
type sink struct {
	*httptest.Server
	mu     sync.Mutex
	all    []received
	answer func(n int, w http.ResponseWriter, r *http.Request)
}

func newSink(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *sink {
	s := &sink{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.all = append(s.all, received{r.Header.Clone(), body, time.Now()})
		n := len(s.all)
		s.mu.Unlock()
		if s.answer != nil {
			s.answer(n, w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sink) got() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.all...)
}

func status(code int) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// bundle is a sender and its store.
type bundle struct {
	*Sender
	t *testing.T
}

// testLease outlives whatever holds up a machine, or a stopped clock is moved by: what is under way is not made again but where a test says so.
const testLease = 10 * 365 * 24 * time.Hour

// testConfig is what tests begin with. A timeout that none of them sees, as attempts take long on a busy machine and in tests that hold them up.
func testConfig() config.Sender {
	return config.Sender{AllowHTTP: true, AllowNetworks: []string{"127.0.0.0/8", "::1/128"}, Timeout: 2 * time.Minute}
}

func newBundle(t *testing.T, store *Store, change func(*Options)) *bundle {
	t.Helper()
	o := Options{Store: redistest.Public(store), Config: testConfig(), Version: "1.0.0"}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	require.NoError(t, err)
	return (&bundle{s, t}).quick(testLease, 0)
}

func (b *bundle) start() *bundle {
	require.NoError(b.t, b.Start(b.t.Context()))
	b.t.Cleanup(func() { require.NoError(b.t, b.Stop(context.Background())) })
	return b
}

func (b *bundle) webhook(url string, events ...string) Webhook {
	b.t.Helper()
	if len(events) == 0 {
		events = []string{"*"}
	}
	w, _, err := b.CreateWebhook(b.t.Context(), "default", NewWebhook{Settings: Settings{URL: url, Events: events}, Secret: "your_webhook_secret"})
	require.NoError(b.t, err)
	return w
}

const guideData = `{"videoId":"vid_123456","title":"My Video","size":10485760,"duration":120,"format":"mp4","userId":"usr_123456","status":"processing"}`

func (b *bundle) publish(data string) Published {
	b.t.Helper()
	p, err := b.Publish(b.t.Context(), "default", Event{Type: "video.uploaded", Data: json.RawMessage(data)})
	require.NoError(b.t, err)
	return p
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 2*time.Minute, 2*time.Millisecond, what)
}

func mustShard(t *testing.T, b *bundle) int {
	shard, err := b.shard(t.Context(), "default")
	require.NoError(t, err)
	return shard
}

// quick replaces the dispatcher by one with other leases and another grace, which are short for tests of crashes and shutdowns; 0 is the usual.
func (b *bundle) quick(lease, grace time.Duration) *bundle {
	b.dispatcher = queue.NewDispatcher(queue.Options{
		Queue: b.queue, Store: b.store, Shards: b.store.Shards, Handler: b.attempt, Lease: lease, Grace: grace,
		Concurrency: b.c.Concurrency, PerLane: b.c.PerWebhook, OnNotices: b.wakeTasks, OnExpired: b.recordExpired, Logger: b.log,
	})
	return b
}

// in registers a webhook of an account.
func (b *bundle) in(account, url string, events ...string) Webhook {
	b.t.Helper()
	if len(events) == 0 {
		events = []string{"*"}
	}
	w, _, err := b.CreateWebhook(b.t.Context(), account, NewWebhook{Settings: Settings{URL: url, Events: events}})
	require.NoError(b.t, err)
	return w
}

func (b *bundle) update(w Webhook, u WebhookUpdate) Webhook {
	b.t.Helper()
	w, err := b.UpdateWebhook(b.t.Context(), "default", w.ID, u)
	require.NoError(b.t, err)
	return w
}

func (b *bundle) hook(w Webhook) Webhook {
	b.t.Helper()
	w, err := b.Webhook(b.t.Context(), "default", w.ID)
	require.NoError(b.t, err)
	return w
}

func (b *bundle) delivery(p Published) Delivery {
	b.t.Helper()
	d, err := b.Delivery(b.t.Context(), "default", p.Deliveries[0].ID)
	require.NoError(b.t, err)
	return d
}

// read is delivery for those who ask again: the store may not answer in time.
func (b *bundle) read(p Published) (Delivery, bool) {
	d, err := b.Delivery(b.t.Context(), "default", p.Deliveries[0].ID)
	return d, err == nil
}

// failed counts a webhook's failed deliveries without the cost of listing them.
func (b *bundle) failed(w Webhook) int {
	b.t.Helper()
	n, err := b.store.Client().ZCard(b.t.Context(), b.queue.Tag(mustShard(b.t, b))+"dead:"+laneOf(w.ID)).Result()
	require.NoError(b.t, err)
	return int(n)
}

// reaches waits until a published event's first delivery is in a state and returns it.
func (b *bundle) reaches(p Published, state State) Delivery {
	b.t.Helper()
	require.NotEmpty(b.t, p.Deliveries)
	var d Delivery
	eventually(b.t, "the delivery is "+string(state), func() (ok bool) {
		d, ok = b.read(p)
		return ok && d.State == state
	})
	return d
}

// attempted waits until a delivery has so many attempts behind it.
func (b *bundle) attempts(p Published, n int) Delivery {
	b.t.Helper()
	var d Delivery
	eventually(b.t, "attempts were made", func() (ok bool) {
		d, ok = b.read(p)
		return ok && len(d.Attempts) >= n && d.State != StatePending && (d.State != StateRetrying || d.NextAttemptAt != nil)
	})
	require.Len(b.t, d.Attempts, n)
	return d
}

// rests waits until nothing of an account's shard is under way: every attempt is settled, and not only seen by its endpoint.
func (b *bundle) rests(account string) {
	b.t.Helper()
	shard, err := b.shard(b.t.Context(), account)
	require.NoError(b.t, err)
	eventually(b.t, "nothing is under way", func() bool {
		n, err := b.store.Client().ZCard(b.t.Context(), b.queue.Tag(shard)+"leases").Result()
		return err == nil && n == 0
	})
}

// timesOut has the time for each attempt be over when a test says so, however fast or slow the machine is, and not before.
func (b *bundle) timesOut(over <-chan struct{}) {
	b.withTimeout = func(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
		assert.Equal(b.t, b.c.Timeout, timeout)
		ctx, cancel := context.WithCancelCause(ctx)
		go func() {
			select {
			case <-over:
				cancel(context.DeadlineExceeded)
			case <-ctx.Done():
			}
		}()
		return timed{ctx}, func() { cancel(context.Canceled) }
	}
}

// timed is a context that was cancelled because its time is over.
type timed struct{ context.Context }

func (c timed) Err() error {
	if c.Context.Err() != nil && context.Cause(c.Context) == context.DeadlineExceeded {
		return context.DeadlineExceeded
	}
	return c.Context.Err()
}

// clock is the stopped clock of an in-memory store.
type clock struct {
	b  *bundle
	at time.Time
}

// stopClock stops the clock of b's store, which must be in memory.
func stopClock(b *bundle) *clock {
	c := &clock{b: b, at: time.Now().Truncate(time.Second)}
	b.store.SetTime(c.at)
	return c
}

func (c *clock) advance(d time.Duration) {
	c.at = c.at.Add(d)
	c.b.store.SetTime(c.at)
	n, err := c.b.store.Shards(c.b.t.Context())
	require.NoError(c.b.t, err)
	for i := range n {
		c.b.dispatcher.Wake(i)
	}
}

// answers is a sink's answer that can be changed.
type answers struct{ code atomic.Int64 }

func answering(code int) *answers {
	a := &answers{}
	a.set(code)
	return a
}

func (a *answers) set(code int) { a.code.Store(int64(code)) }

func (a *answers) answer(_ int, w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(int(a.code.Load()))
}

// logText is a log that can be read while it is written.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logText) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// addrPort is the address of a server's URL.
func addrPort(t *testing.T, raw string) netip.AddrPort {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	a, err := netip.ParseAddrPort(u.Host)
	require.NoError(t, err)
	return a
}

// raw is an endpoint below HTTP: serve gets each connection after the request's header was read.
func raw(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer c.Close()
				head := make([]byte, 0, 4096)
				for !bytes.Contains(head, []byte("\r\n\r\n")) {
					part := make([]byte, 4096)
					n, err := c.Read(part)
					if err != nil {
						return
					}
					head = append(head, part[:n]...)
				}
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		conns.Wait()
	})
	return "http://" + l.Addr().String()
}

// requireError checks that err is an Error of a code, about a field, that says something.
func requireError(t *testing.T, err error, code Code, field string) {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, err)
	require.Equal(t, field, e.Field, err)
	require.Greater(t, len(strings.Fields(e.Message)), 2, "a message says what to do")
}

func ptr[T any](v T) *T { return &v }
