package sender

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// TestNotifyURL: the operator's copy has the same body, is signed with its own secret, and is tried again.
func TestNotifyURL(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		operator := newSink(t, func(n int, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				w.WriteHeader(503)
			}
		})
		owner := newSink(t, nil)
		const secret = "whsec_dGhlIG9wZXJhdG9ycyBvd24gc2VjcmV0"
		b := newBundle(t, store, func(o *Options) {
			o.Config.Retry = []time.Duration{0, 0}
			o.Config.NotifyURL, o.Config.NotifySecret = operator.URL+"/alarms", secret
		}).start()
		for i, account := range []string{"default", sameShard(t, b, "default")} {
			bad := newSink(t, status(500))
			w := b.in(account, bad.URL, "video.*")
			b.in(account, owner.URL, "system.*")
			b.publishes(account, Event{ID: "same-in-both"})
			eventually(t, "told", func() bool { return len(operator.got()) == 2+i && len(owner.got()) == 1+i })
			last := operator.got()[1+i]
			requireSigned(t, last, secret)
			require.Equal(t, owner.got()[i].body, last.body)
			require.Equal(t, owner.got()[i].header.Get("webhook-id"), last.header.Get("webhook-id"))
			require.Equal(t, "system.error", last.header.Get("X-VideoCloud-Event"))
			n := readNoticeBody(t, last)
			require.Equal(t, w.ID, n.Data["webhookId"])
			require.EqualValues(t, 2, n.Data["attempts"])
			require.Equal(t, bad.URL, n.Data["url"])
		}
		require.Equal(t, []string{"1", "2", "1"}, []string{attemptOf(operator.got()[0]), attemptOf(operator.got()[1]), attemptOf(operator.got()[2])})
	})
}

// TestNotifyURLFails: a notify_url that is down bothers nobody.
func TestNotifyURLFails(t *testing.T) {
	t.Parallel()
	var told atomic.Int64
	o := newOutage(t, func(o *Options) {
		o.Config.NotifyURL, o.Config.NotifySecret = "http://127.0.0.1:1/", "the_operators_secret"
		o.OnEvent = func(context.Context, string, map[string]any) { told.Add(1) }
	})
	o.fail(3)
	o.told(1)
	o.succeed()
	o.told(2)
	require.EqualValues(t, 2, told.Load())
}

// TestOnEvent: the host program is told what the owner is, and whose it is.
func TestOnEvent(t *testing.T) {
	t.Parallel()
	type event struct {
		name string
		data map[string]any
	}
	events := make(chan event, 10)
	o := newOutage(t, func(o *Options) {
		o.OnEvent = func(_ context.Context, name string, data map[string]any) { events <- event{name, data} }
	})
	o.fail(1)
	e := <-events
	want := o.told(1)[0].Data
	want["account"] = "default"
	require.Equal(t, event{"webhook_failed", want}, e)
	o.succeed()
	require.Equal(t, "webhook_recovered", (<-events).name)
	o.told(2)
}
