package sender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redistest"
)

const (
	markOfAccount = "Zq7-account"
	markOfURL     = "Zq7-path"
)

// marks are what an account of these tests has in everything that it stores.
var marks = []string{markOfAccount, markOfURL, markOfPayload, markOfAnswer}

func requireNoMarks(t *testing.T, b *bundle) {
	t.Helper()
	for line := range strings.SplitSeq(b.contents(), "\n") {
		for _, mark := range marks {
			require.NotContains(t, line, mark)
		}
	}
}

// full fills an account with everything that one can have, and lets some attempts hang until let is called.
func full(t *testing.T, b *bundle) (let func()) {
	ctx := t.Context()
	under, goOn := make(chan struct{}, 8), make(chan struct{})
	let = sync.OnceFunc(func() { close(goOn) })
	answer := func(code int, wait bool) string {
		return newSink(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			if wait {
				under <- struct{}{}
				<-goOn
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, markOfAnswer)
		}).URL + "/" + markOfURL
	}
	made := func(url, key string) Webhook {
		w, _, err := b.CreateWebhook(ctx, markOfAccount, NewWebhook{Settings: Settings{URL: url, Events: []string{"video.*"}}, IdempotencyKey: key})
		require.NoError(t, err)
		return w
	}
	succeeded, failed, paused := made(answer(200, false), markOfPayload+"-1"), made(answer(500, false), ""), made(answer(200, false), "")
	_, err := b.UpdateWebhook(ctx, markOfAccount, paused.ID, WebhookUpdate{Status: new(StatusPaused)})
	require.NoError(t, err)
	made(answer(200, true), "")
	made(answer(500, true), "")
	t.Cleanup(let) // before the endpoints end, which wait for what they answer
	filter := `data.v == "` + markOfPayload + `"`
	_, err = b.UpdateWebhook(ctx, markOfAccount, succeeded.ID, WebhookUpdate{Change: func(to *Webhook) error { to.Filter = filter; return nil }})
	require.NoError(t, err)

	gone := made(answer(200, false), markOfPayload+"-2")
	for i := range 3 {
		p, err := b.Publish(ctx, markOfAccount, Event{ID: fmt.Sprint(markOfPayload, "-", i), Type: "video.uploaded", Data: json.RawMessage(`{"v":"` + markOfPayload + `"}`)})
		require.NoError(t, err)
		eventually(t, "some ended", func() bool {
			e, err := b.Event(ctx, markOfAccount, p.ID)
			require.NoError(t, err)
			n := 0
			for _, d := range e.Deliveries {
				if (d.WebhookID == succeeded.ID || d.WebhookID == failed.ID || d.WebhookID == gone.ID) && !d.State.open() {
					n++
				}
			}
			return n == 3
		})
	}
	require.NoError(t, b.DeleteWebhook(ctx, markOfAccount, gone.ID))
	_, err = b.Publish(ctx, markOfAccount, Event{Type: "user.created", Data: json.RawMessage(`{"v":"` + markOfPayload + `"}`)})
	require.NoError(t, err)
	for range 2 {
		<-under
	}
	_, _, err = b.UpdateAccount(ctx, markOfAccount, AccountUpdate{Name: new(markOfPayload), Emails: &[]string{markOfPayload + "@example.com"}, NotifyURL: new(answer(200, false))})
	require.NoError(t, err)
	shard, err := b.shard(ctx, markOfAccount)
	require.NoError(t, err)
	told, err := json.Marshal(mailEntry{Account: markOfAccount, URL: markOfURL})
	require.NoError(t, err)
	require.NoError(t, b.addMail(ctx, shard, boxKindMail, boxName(markOfAccount, markOfPayload+"@example.com"), "1:1-1", string(told), time.Hour))
	require.NoError(t, b.addMail(ctx, 0, boxKindMail, boxName(notifyAccount, "ops@example.com"), "1:1-1", string(told), time.Hour))
	_, err = b.StartReplay(ctx, markOfAccount, succeeded.ID, ReplayRequest{Since: time.Now().Add(-time.Hour), State: "all"})
	require.NoError(t, err)
	_, value, err := b.CreateKey(ctx, NewKey{Account: markOfAccount, Role: "all", By: "cfg_1", Root: "cfg_1"})
	require.NoError(t, err)
	of, err := b.FindKey(ctx, value)
	require.NoError(t, err)
	_, _, err = b.CreateKey(ctx, NewKey{Account: markOfAccount, Role: "read", By: of.ID, Root: "cfg_1"})
	require.NoError(t, err)
	return let
}

func (s State) open() bool { return s == StatePending || s == StateRetrying }

// TestADeletedAccountLeavesNothingBehind: whatever it had, and also where attempts are under way.
func TestADeletedAccountLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		notified := newSink(t, func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, markOfAnswer) })
		b := newBundle(t, store, func(o *Options) {
			once(o)
			o.Config.NotifyURL, o.Config.NotifySecret = notified.URL, "your_webhook_secret"
		}).start()
		other := b.in("other", newSink(t, nil).URL)
		let := full(t, b)
		eventually(t, "the operator was told", func() bool { return len(notified.got()) > 0 })
		before := b.contents()
		for _, mark := range marks {
			require.Contains(t, before, mark)
		}

		ending, err := b.DeleteAccount(t.Context(), markOfAccount)
		require.NoError(t, err)
		if ending { // on a slow machine: the rest is a task
			eventually(t, "the rest is done", func() bool { return !strings.Contains(b.contents(), "account:"+markOfAccount) })
		}
		requireNoMarks(t, b)
		let()
		require.NoError(t, b.Stop(context.Background())) // with all that was under way settled
		requireNoMarks(t, b)
		require.NotContains(t, b.contents(), "chores")

		_, err = b.DeleteAccount(t.Context(), markOfAccount)
		requireError(t, err, CodeNotFound, "")
		list, _, err := b.Accounts(t.Context(), "", 0)
		require.NoError(t, err)
		require.Len(t, list, 1)
		keys, _, err := b.ListKeys(t.Context(), "*", "", 0)
		require.NoError(t, err)
		require.Empty(t, keys)

		b = newBundle(t, store, once).start()
		// Its name may be used afresh, and others have lost nothing.
		to := newSink(t, nil)
		b.in(markOfAccount, to.URL)
		p, err := b.Publish(t.Context(), markOfAccount, Event{ID: markOfPayload + "-1", Type: "video.uploaded", Data: json.RawMessage(`{}`)})
		require.NoError(t, err)
		require.False(t, p.Duplicate)
		eventually(t, "it is delivered", func() bool { return len(to.got()) == 1 })
		_, err = b.Webhook(t.Context(), "other", other.ID)
		require.NoError(t, err)
	})
}

// TestADeletedAccountTakesNothing: from the first step on, whatever is asked for.
func TestADeletedAccountTakesNothing(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	w := b.webhook("http://127.0.0.1:1/")
	shard := mustShard(t, b)
	far, err := b.queue.EndAccount(t.Context(), shard, "default", accountLanes("default"), true)
	require.NoError(t, err)
	require.Equal(t, queue.AccountEndHooks, far)
	_, err = b.Publish(t.Context(), "default", Event{Type: "video.uploaded", Data: json.RawMessage(`{}`)})
	requireError(t, err, CodeConflict, "")
	require.Error(t, b.PublishBatch(t.Context(), "default", []Event{{Type: "video.uploaded", Data: json.RawMessage(`{}`)}})[0].Err)
	_, _, err = b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: "http://127.0.0.1:1/", Events: []string{"*"}}})
	requireError(t, err, CodeConflict, "")
	_, _, err = b.CreateKey(t.Context(), NewKey{Account: "default", Role: "all", By: "cfg_1", Root: "cfg_1"})
	requireError(t, err, CodeConflict, "")
	_, _, err = b.UpdateAccount(t.Context(), "default", AccountUpdate{Name: new("x")})
	requireError(t, err, CodeConflict, "")
	_, err = b.TestWebhook(t.Context(), "default", w.ID)
	requireError(t, err, CodeConflict, "")
	list, _, err := b.Accounts(t.Context(), "", 0)
	require.NoError(t, err)
	require.Empty(t, list)

	b.start() // whoever comes next does the rest
	eventually(t, "it is gone", func() bool { return !strings.Contains(b.contents(), "default") })
}

// cutOff fails every command to a store after the first so many.
type cutOff struct{ left atomic.Int64 }

func (c *cutOff) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *cutOff) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if c.left.Add(-1) < 0 {
			cmd.SetErr(errCut)
			return errCut
		}
		return next(ctx, cmd)
	}
}

func (c *cutOff) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if c.left.Add(-1) < 0 {
			for _, cmd := range cmds {
				cmd.SetErr(errCut)
			}
			return errCut
		}
		return next(ctx, cmds)
	}
}

// TestDeletingAnAccountGoesOnAfterAKill: wherever it is killed, between any two things that it asks of the store, a process that is started
// afterwards finishes it.
func TestDeletingAnAccountGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	const never = 1 << 40
	// killed deletes an account, for so many commands. How many it takes differs by a few: what attempts under way left is told in one notice or in two.
	killed := func(t *testing.T, after int64) (b *bundle, used int64, ended bool) {
		store := redistest.Open(t, config.Redis{URL: config.Memory})
		b = newBundle(t, store, once)
		require.NoError(t, b.Start(t.Context()))
		let := full(t, b)
		let()
		require.NoError(t, b.Stop(context.Background()))
		cut := &cutOff{}
		b = newBundle(t, store, once)
		b.store.Client().AddHook(cut)
		cut.left.Store(after)
		_, err := b.DeleteAccount(t.Context(), markOfAccount)
		used = after - cut.left.Swap(never)
		require.Equal(t, used > after, err != nil, "one that was not cut succeeds, one that was does not")
		return b, used, err == nil
	}
	b, all, ended := killed(t, never)
	require.True(t, ended)
	requireNoMarks(t, b)
	require.Greater(t, all, int64(10))
	for n := range all {
		t.Run(fmt.Sprint("after ", n), func(t *testing.T) {
			t.Parallel()
			b, _, ended := killed(t, n)
			if ended {
				requireNoMarks(t, b)
				return
			}
			begun := strings.Contains(b.contents(), "account:"+markOfAccount+`"`) || !strings.Contains(b.contents(), markOfURL)
			b.start()
			if n < 3 && !begun {
				eventually(t, "it is taken once the store answers again", func() bool {
					_, err := b.DeleteAccount(t.Context(), markOfAccount)
					return err == nil || errors.Is(err, errNoAccount) // what failed after its first step was done by the sender
				})
			}
			eventually(t, "the rest is done", func() bool { return !strings.Contains(b.contents(), "account:"+markOfAccount) })
			requireNoMarks(t, b)
		})
	}
}

// TestOwnerAndOperatorAreBothTold: one notice has one ID, and goes to both.
func TestOwnerAndOperatorAreBothTold(t *testing.T) {
	t.Parallel()
	owner, operator, failing := newSink(t, nil), newSink(t, nil), newSink(t, status(500))
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
		once(o)
		o.Config.NotifyURL, o.Config.NotifySecret = operator.URL, "your_webhook_secret"
	}).start()
	_, _, err := b.UpdateAccount(t.Context(), "default", AccountUpdate{NotifyURL: &owner.URL})
	require.NoError(t, err)
	b.webhook(failing.URL)
	b.publish(guideData)
	eventually(t, "both are told", func() bool { return len(owner.got()) > 0 && len(operator.got()) > 0 })
	require.Equal(t, owner.got()[0].body, operator.got()[0].body)
}
