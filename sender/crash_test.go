package sender

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestLesson01_KilledInMidAttempt: the delivery comes back, as the same attempt.
func TestLesson01_KilledInMidAttempt(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redistest.Open(t, config.Redis{URL: server.URL(), Timeout: redistest.Patience})
	api := newBundle(t, store, func(o *Options) { o.Config.DeliverOff = true })
	under := make(chan struct{}, 1)
	to := newSink(t, func(n int, _ http.ResponseWriter, r *http.Request) {
		if n == 1 {
			under <- struct{}{}
			<-r.Context().Done()
		}
	})
	w := api.webhook(to.URL)
	kill := startChild(t, server.URL(), childLease+"=1h")
	p := api.publish(guideData)
	<-under
	kill()
	require.Equal(t, StatePending, api.delivery(p).State)
	require.NotZero(t, api.leasesEnd("default"))
	newBundle(t, store, nil).start()
	d := api.reaches(p, StateSucceeded)
	require.Len(t, d.Attempts, 1, "a crash is not an attempt")
	require.Equal(t, "1", attemptOf(to.got()[1]))
	require.Equal(t, to.got()[0].body, to.got()[1].body)
	require.Equal(t, StatusActive, api.hook(w).Status)
}

// TestLesson06_Poison: a delivery that kills its sender each time ends, and is not made again for ever.
func TestLesson06_Poison(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redistest.Open(t, config.Redis{URL: server.URL(), Timeout: redistest.Patience})
	api := newBundle(t, store, func(o *Options) { o.Config.DeliverOff = true })
	under := make(chan struct{})
	to := newSink(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		under <- struct{}{}
		<-r.Context().Done()
	})
	api.webhook(to.URL)
	p := api.publish(guideData)
	for range poisonAfter {
		kill := startChild(t, server.URL(), childLease+"=1h")
		<-under
		kill()
		require.NotZero(t, api.leasesEnd("default"))
	}
	newBundle(t, store, once).quick(time.Minute, time.Millisecond).start()
	d := api.reaches(p, StateFailed)
	require.Equal(t, ReasonPoison, d.Reason)
	require.Len(t, d.Attempts, 1)
	require.Contains(t, d.Attempts[0].Error, "stopped three times")
	require.Len(t, to.got(), poisonAfter)
	_, err := api.RetryDelivery(t.Context(), "default", d.ID)
	require.NoError(t, err, "it can be sent again")
	<-under
}

// TestLesson03_ScriptsAreLoadedAgain: a Redis that forgot its scripts is told them again.
func TestLesson03_ScriptsAreLoadedAgain(t *testing.T) {
	t.Parallel()
	store := redistest.Open(t, config.Redis{URL: redistest.Start(t).URL(), Timeout: redistest.Patience})
	b := newFast(t, store, nil).start()
	to := newSink(t, nil)
	flush := func() { require.NoError(t, store.Client().ScriptFlush(t.Context()).Err()) }
	flush()
	w := b.webhook(to.URL)
	flush()
	p := b.publish(guideData)
	b.reaches(p, StateSucceeded)
	flush()
	b.update(w, WebhookUpdate{Change: func(to *Webhook) error { to.Description = "x"; return nil }})
	flush()
	b.reaches(b.publish(guideData), StateSucceeded)
	flush()
	require.Equal(t, 2, b.replayed(b.replay(w, ReplayRequest{State: "all"}).ID).Sent)
	flush()
	require.NoError(t, b.DeleteWebhook(t.Context(), "default", w.ID))
}

// slowToEnd is a transport whose requests end when the test says so, also where they are cut off.
type slowToEnd struct {
	*destination.Transport
	goOn <-chan struct{}
}

func (s slowToEnd) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := s.Transport.RoundTrip(r)
	<-s.goOn
	return answer, err
}

// TestStopGivesUpWaiting: a stop whose time is up says so, and what is under way is handed back all the same.
func TestStopGivesUpWaiting(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil).quick(time.Minute, time.Millisecond)
		require.NoError(t, b.Stop(t.Context()), "one that was not started")
		under, goOn := make(chan struct{}), make(chan struct{})
		b.transport = slowToEnd{b.transport.(*destination.Transport), goOn}
		require.NoError(t, b.Start(t.Context()))
		b.webhook(newSink(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
			under <- struct{}{}
			<-r.Context().Done()
		}).URL)
		p := b.publish(guideData)
		<-under
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, b.Stop(ctx), ctx.Err(), "the attempt has not ended")
		close(goOn)
		require.NoError(t, b.Stop(t.Context()))
		d := b.delivery(p)
		require.Equal(t, StatePending, d.State)
		require.NotNil(t, d.NextAttemptAt)
	})
}

// TestLesson09_EndpointThatDoesNotRead: an endpoint that never takes the body costs no more than the timeout.
func TestLesson09_EndpointThatDoesNotRead(t *testing.T) {
	t.Parallel()
	release, over := make(chan struct{}), make(chan struct{})
	url := raw(t, func(net.Conn) {
		close(over)
		<-release
	})
	t.Cleanup(func() { close(release) })
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), once)
	b.timesOut(over)
	b.start()
	b.webhook(url)
	d := b.reaches(b.publishes("default", Event{Data: json.RawMessage(`{"p":"` + strings.Repeat("x", 255<<10) + `"}`)}), StateFailed)
	require.Equal(t, "no complete answer in time", d.Attempts[0].Error)
}
