package sender

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestOptionsAreChecked: what can't work is said when the sender is made, by its option's name and without its secret.
func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := New(Options{})
	require.ErrorContains(t, err, "Store")
	store := redistest.Open(t, config.Redis{URL: config.Memory})
	for option, change := range map[string]func(c *config.Sender){
		"retry":          func(c *config.Sender) { c.Retry = []time.Duration{-1} },
		"timeout":        func(c *config.Sender) { c.Timeout = -1 },
		"concurrency":    func(c *config.Sender) { c.Concurrency = -1 },
		"allow_networks": func(c *config.Sender) { c.AllowNetworks = []string{"localhost"} },
		"proxy":          func(c *config.Sender) { c.Proxy = "ftp://user:unseen@proxy" },
		"encryption_key": func(c *config.Sender) { c.EncryptionKeys = []string{encryptionKey(1), "unseen"} },
		"notify_url":     func(c *config.Sender) { c.NotifyURL, c.NotifySecret = "https://example.com/", "unseen" },
		"brand":          func(c *config.Sender) { c.Brand = "A B" },
	} {
		c := testConfig()
		change(&c)
		_, err := New(Options{Store: redistest.Public(store), Config: c})
		require.ErrorContains(t, err, option)
		require.NotContains(t, err.Error(), "unseen")
	}
}

// TestProxy: with an egress proxy nothing is connected to directly, and it is asked only for what is permitted.
func TestProxy(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	proxy := &http.Server{ErrorLog: discardLog, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method != http.MethodConnect {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		there, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer there.Close()
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer here.Close()
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(there, bufio.NewReader(buffered))
			_ = there.Close()
		}()
		_, _ = io.Copy(here, there)
		_ = here.Close()
		<-done
	})}
	go func() { _ = proxy.Serve(l) }()
	t.Cleanup(func() { _ = proxy.Close() })

	store := redistest.Open(t, config.Redis{URL: config.Memory})
	b := newBundle(t, store, func(o *Options) {
		once(o)
		o.Config.Proxy = "http://" + l.Addr().String()
	}).start()
	to := newSink(t, nil)
	w := b.webhook(to.URL)
	b.reaches(b.publish(guideData), StateSucceeded)
	require.EqualValues(t, 1, asked.Load())
	requireSigned(t, to.got()[0], "your_webhook_secret")
	require.NoError(t, b.Stop(t.Context()))

	strict := newBundle(t, store, func(o *Options) {
		once(o)
		o.Config.AllowNetworks = nil
		o.Config.Proxy = "http://" + l.Addr().String()
	}).start()
	d := strict.reaches(strict.publish(guideData), StateFailed)
	require.Contains(t, d.Attempts[0].Error, destination.NotPublic)
	require.EqualValues(t, 1, asked.Load())
	require.Equal(t, StatusFailed, strict.hook(w).Status)
}

// TestMaxInFlight: a webhook's own bound holds, and a change of it counts at once.
func TestMaxInFlight(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil).start()
		var now, most atomic.Int64
		goOn := make(chan struct{})
		to := newSink(t, func(int, http.ResponseWriter, *http.Request) {
			n := now.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			<-goOn
			now.Add(-1)
		})
		w, _, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: to.URL, Events: []string{"*"}, MaxInFlight: 1}})
		require.NoError(t, err)
		b.fill(12)
		for n := range 4 {
			eventually(t, "one at a time", func() bool { return len(to.got()) == n+1 && now.Load() == 1 })
			goOn <- struct{}{}
		}
		require.EqualValues(t, 1, most.Load())
		b.update(w, WebhookUpdate{Change: func(to *Webhook) error { to.MaxInFlight = 3; return nil }})
		close(goOn)
		eventually(t, "all of them", func() bool { return len(to.got()) == 12 && now.Load() == 0 })
		require.LessOrEqual(t, most.Load(), int64(3))
	})
}

// TestCancelledStaysCancelled: a delivery to a deleted webhook is shown as cancelled for as long as its event is kept,
// which is longer where another delivery failed.
func TestCancelledStaysCancelled(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		w, v := b.webhook("http://127.0.0.1:1/a"), b.webhook("http://127.0.0.1:1/b")
		b.disable(v)
		p := b.publish(guideData)
		require.NoError(t, b.DeleteWebhook(t.Context(), "default", w.ID))
		tag := b.queue.Tag(mustShard(t, b))
		_, job, _ := parseDeliveryID(p.Deliveries[0].ID)
		both := store.Client().TxPipeline() // at one moment
		event, gone := both.PTTL(t.Context(), tag+"event:"+job), both.PTTL(t.Context(), tag+"gone:"+laneOf(w.ID))
		_, err := both.Exec(t.Context())
		require.NoError(t, err)
		require.Positive(t, event.Val())
		require.GreaterOrEqual(t, gone.Val()+time.Second, event.Val())
		states := map[State]bool{}
		e, err := b.Event(t.Context(), "default", p.ID)
		require.NoError(t, err)
		for _, d := range e.Deliveries {
			states[d.State] = true
		}
		require.Equal(t, map[State]bool{StateCancelled: true, StateFailed: true}, states)
	})
}
