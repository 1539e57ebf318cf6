package sender

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// outage is a bundle with an endpoint that fails, and its owner's other webhook, on a clock that stands still.
type outage struct {
	*bundle
	*clock
	code       *answers
	bad, owner *sink
	hook       Webhook
}

func newOutage(t *testing.T, change func(*Options)) *outage {
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
		once(o)
		if change != nil {
			change(o)
		}
	})
	o := &outage{bundle: b, clock: stopClock(b), code: answering(500), owner: newSink(t, nil)}
	b.start()
	o.bad = newSink(t, o.code.answer)
	o.hook = b.webhook(o.bad.URL)
	b.webhook(o.owner.URL, "system.error", "system.warning")
	return o
}

// fail has n deliveries fail.
func (o *outage) fail(n int) {
	o.bundle.t.Helper()
	o.code.set(500)
	for range n {
		o.reaches(o.publish(guideData), StateFailed)
	}
}

func (o *outage) succeed() {
	o.bundle.t.Helper()
	o.advance(time.Second) // or the attempt did not begin after the failure
	o.code.set(200)
	o.reaches(o.publish(guideData), StateSucceeded)
}

// told waits until the owner has so many notices and returns them all.
func (o *outage) told(n int) []noticeBody {
	t := o.bundle.t
	t.Helper()
	eventually(t, fmt.Sprint("the owner has notices: ", n), func() bool { return len(o.owner.got()) >= n })
	o.settled()
	var all []noticeBody
	for _, r := range o.owner.got() {
		all = append(all, readNoticeBody(t, r))
		requireSigned(t, r, "your_webhook_secret")
	}
	require.Len(t, all, n)
	return all
}

// settled waits until no notice is on its way.
func (o *outage) settled() {
	t := o.bundle.t
	t.Helper()
	tag, c := o.queue.Tag(mustShard(t, o.bundle)), o.bundle.store.Client()
	eventually(t, "no notice on its way", func() bool {
		// In the order in which a notice goes through them.
		held, err1 := c.ZCount(t.Context(), tag+"notices", "-inf", strconv.FormatInt(o.at.UnixMilli(), 10)).Result()
		outbox, err2 := c.XLen(t.Context(), tag+"outbox").Result()
		ready, err3 := c.ZCard(t.Context(), tag+"ready").Result()
		leases, err4 := c.ZCard(t.Context(), tag+"leases").Result()
		return errors.Join(err1, err2, err3, err4) == nil && held+outbox+ready+leases == 0
	})
}

func kinds(all []noticeBody) (kinds []string) {
	for _, n := range all {
		kinds = append(kinds, n.Data["kind"].(string))
	}
	return kinds
}

// TestLesson20_OneNoticeAnOutage: at once, then at most one an hour with the count of what came since, and one when it
// is over.
func TestLesson20_OneNoticeAnOutage(t *testing.T) {
	t.Parallel()
	o := newOutage(t, nil)
	since := o.at.UTC().Format(time.RFC3339)
	o.fail(1)
	first := o.told(1)[0]
	require.Equal(t, "system.error", first.Event)
	require.EqualValues(t, 1, first.Data["failedDeliveries"])
	require.Equal(t, since, first.Data["failedSince"])
	o.fail(9)
	o.told(1)
	o.advance(59 * time.Minute)
	o.fail(2)
	o.told(1)
	o.advance(time.Minute)
	second := o.told(2)[1]
	require.EqualValues(t, 11, second.Data["failedDeliveries"], "what came since")
	require.Equal(t, since, second.Data["failedSince"])
	require.Equal(t, "webhook_failed", second.Data["kind"])
	o.advance(3 * time.Hour)
	o.told(2)
	o.fail(1) // more than an hour after the last: at once
	third := o.told(3)[2]
	require.EqualValues(t, 1, third.Data["failedDeliveries"])
	require.Equal(t, since, third.Data["failedSince"], "the outage is the same")

	o.succeed()
	last := o.told(4)[3]
	require.Equal(t, "system.warning", last.Event)
	require.Equal(t, map[string]any{
		"kind": "webhook_recovered", "webhookId": o.hook.ID, "url": o.bad.URL, "failedSince": since, "replay": "POST /webhooks/" + o.hook.ID + "/replay",
	}, last.Data)
	o.succeed()
	o.advance(5 * time.Hour)
	o.told(4)
	require.Equal(t, StatusActive, o.bundle.hook(o.hook).Status)
	for _, r := range o.bad.got() {
		require.Equal(t, "video.uploaded", r.header.Get("X-VideoCloud-Event"), "a webhook gets no notice of itself")
	}
}

// TestLesson27_RarelyFailing: a webhook that refuses some of its events makes at most one notice of a failure an hour,
// and at most one of a recovery for each.
func TestLesson27_RarelyFailing(t *testing.T) {
	t.Parallel()
	o := newOutage(t, nil)
	const hours, each = 3, 8
	began := o.at
	for range hours * each {
		o.fail(1)
		for range 3 {
			o.succeed()
		}
		o.settled()
		o.advance(time.Hour / each)
	}
	o.advance(time.Hour)
	o.advance(time.Hour)
	o.settled()
	count := map[string]int{}
	deliveries := 0
	for _, r := range o.owner.got() {
		n := readNoticeBody(t, r)
		count[n.Data["kind"].(string)]++
		if failed, ok := n.Data["failedDeliveries"].(float64); ok {
			deliveries += int(failed)
		}
		since, err := time.Parse(time.RFC3339, n.Data["failedSince"].(string))
		require.NoError(t, err)
		require.WithinRange(t, since, began, o.at)
	}
	require.Equal(t, hours*each, deliveries, "all were told of")
	require.LessOrEqual(t, count["webhook_failed"], hours+2)
	require.LessOrEqual(t, count["webhook_recovered"], count["webhook_failed"])
	require.Equal(t, StatusActive, o.bundle.hook(o.hook).Status)
}

// TestRecoveredByALaterAttempt: the success of an attempt that began before the failure is no recovery.
func TestRecoveredByALaterAttempt(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, once).start()
		under, goOn := make(chan struct{}), make(chan struct{})
		to := newSink(t, func(n int, w http.ResponseWriter, _ *http.Request) {
			switch n {
			case 1:
				under <- struct{}{}
				<-goOn
			case 2:
				w.WriteHeader(500)
			}
		})
		owner := newSink(t, nil)
		w := b.webhook(to.URL, "video.*")
		b.webhook(owner.URL, "system.*")
		early := b.publish(guideData)
		<-under
		b.reaches(b.publish(guideData), StateFailed)
		require.Equal(t, StatusFailed, b.hook(w).Status)
		eventually(t, "told", func() bool { return len(owner.got()) == 1 })
		close(goOn)
		b.reaches(early, StateSucceeded)
		require.Equal(t, StatusFailed, b.hook(w).Status)
		b.reaches(b.publish(guideData), StateSucceeded)
		require.Equal(t, StatusActive, b.hook(w).Status)
		eventually(t, "told", func() bool { return len(owner.got()) == 2 })
		require.Equal(t, "webhook_recovered", readNoticeBody(t, owner.got()[1]).Data["kind"])
	})
}

// TestLesson20_NoticeSurvivesACrash: the notice is written with the failure. Whoever comes next sends it, once, also
// where it was on its way already.
func TestLesson20_NoticeSurvivesACrash(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		operator, owner := newSink(t, nil), newSink(t, nil)
		configure := func(o *Options) {
			once(o)
			o.Config.NotifyURL, o.Config.NotifySecret = operator.URL, "the_operators_secret"
		}
		// It makes attempts, and dies before it looks at the outbox.
		crashing := newBundle(t, store, configure)
		ctx, crash := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			crashing.dispatcher.Run(ctx)
		}()
		bad := newSink(t, status(500))
		crashing.webhook(bad.URL, "video.*")
		crashing.webhook(owner.URL, "system.*")
		p := crashing.publish(guideData)
		crashing.reaches(p, StateFailed)
		crash()
		<-done
		entries, err := crashing.queue.Notices(t.Context(), mustShard(t, crashing), 10)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Empty(t, owner.got())
		// Another one published it, and died before it took it out of the outbox.
		require.NoError(t, newBundle(t, store, configure).sendNotice(t.Context(), mustShard(t, crashing), readNotice(entries[0])))

		b := newBundle(t, store, configure).start()
		eventually(t, "the outbox is empty", func() bool {
			left, err := crashing.queue.Notices(t.Context(), mustShard(t, crashing), 1)
			return err == nil && len(left) == 0
		})
		eventually(t, "told", func() bool { return len(owner.got()) > 0 && len(operator.got()) > 0 })
		b.reaches(b.publish(guideData), StateFailed) // whatever was queued twice would have gone out before it
		require.Len(t, owner.got(), 1)
		require.Len(t, operator.got(), 1)
		require.Equal(t, owner.got()[0].body, operator.got()[0].body)
		require.Equal(t, p.ID, readNoticeBody(t, owner.got()[0]).Data["eventId"])
	})
}

// TestFailingNotices: a notice that can't be delivered makes no other notice, however the webhooks fail each other.
func TestFailingNotices(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, once).start()
		everybody := newSink(t, status(500))
		one, two := b.webhook(everybody.URL+"/1", "*"), b.webhook(everybody.URL+"/2", "*")
		witness := newSink(t, nil)
		b.webhook(witness.URL, "system.*")
		b.publishes("default", Event{Type: "user.created"})
		eventually(t, "one of both, which are told of each other, and the witness of both", func() bool { return len(witness.got()) == 2 && len(everybody.got()) == 4 })
		for _, w := range []Webhook{one, two} {
			require.Equal(t, StatusFailed, b.hook(w).Status)
		}
		about := map[any]bool{}
		for _, r := range witness.got() {
			about[readNoticeBody(t, r).Data["webhookId"]] = true
		}
		require.Len(t, about, 2)

		// One that fails only at a notice is marked failed, and nobody is told.
		only := newSink(t, status(500))
		w := b.webhook(only.URL, "system.error")
		third := b.webhook(everybody.URL+"/3", "video.deleted")
		b.publishes("default", Event{Type: "video.deleted"})
		eventually(t, "marked", func() bool { return b.hook(w).Status == StatusFailed && b.hook(third).Status == StatusFailed })
		eventually(t, "the witness of the third", func() bool { return len(witness.got()) == 3 })
		b.publishes("default", Event{Type: "system.warning"}) // goes out after whatever was queued before
		eventually(t, "the witness", func() bool { return len(witness.got()) == 4 })
		for _, r := range witness.got()[:3] {
			require.NotEqual(t, w.ID, readNoticeBody(t, r).Data["webhookId"])
		}
	})
}

// TestNoticeOfADeletedWebhook: nobody has to be told any more.
func TestNoticeOfADeletedWebhook(t *testing.T) {
	t.Parallel()
	o := newOutage(t, nil)
	o.fail(3) // two of them held back
	o.told(1)
	require.NoError(t, o.DeleteWebhook(t.Context(), "default", o.hook.ID))
	o.advance(2 * time.Hour)
	o.told(1)
}

// TestFailureWhilePaused: an attempt under way that fails while its webhook is paused is told of, with a time, and the
// webhook stays paused.
func TestFailureWhilePaused(t *testing.T) {
	t.Parallel()
	under, goOn := make(chan struct{}), make(chan struct{})
	o := newOutage(t, nil)
	o.bad.mu.Lock()
	o.bad.answer = func(n int, w http.ResponseWriter, _ *http.Request) {
		under <- struct{}{}
		<-goOn
		w.WriteHeader(500)
	}
	o.bad.mu.Unlock()
	p := o.publish(guideData)
	<-under
	o.update(o.hook, WebhookUpdate{Status: ptr(StatusPaused)})
	close(goOn)
	o.reaches(p, StateFailed)
	require.Equal(t, StatusPaused, o.bundle.hook(o.hook).Status)
	require.Equal(t, o.at.UTC().Format(time.RFC3339), o.told(1)[0].Data["failedSince"])
}

// TestOwnerEndsAnOutage: a webhook that its owner sets back to active makes no notice of that, and a new outage makes one.
func TestOwnerEndsAnOutage(t *testing.T) {
	t.Parallel()
	o := newOutage(t, nil)
	o.fail(1)
	o.told(1)
	o.update(o.hook, WebhookUpdate{Status: ptr(StatusActive)})
	o.succeed()
	o.told(1)
	o.advance(2 * time.Hour)
	o.fail(1)
	require.Equal(t, o.at.UTC().Format(time.RFC3339), o.told(2)[1].Data["failedSince"])
	require.Equal(t, []string{"webhook_failed", "webhook_failed"}, kinds(o.told(2)))
}
