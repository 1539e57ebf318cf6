package sender

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// The list of an account is that of its webhooks, newest first, each delivery once, whatever comes and goes between two pages.
func TestAccountDeliveries(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		fails := newSink(t, status(http.StatusInternalServerError))
		works := newSink(t, nil)
		b := newBundle(t, store, once).start()
		one, two := b.webhook(fails.URL, "video.*"), b.webhook(works.URL, "video.*")
		ctx := t.Context()
		var events []string
		for range 30 {
			events = append(events, b.publish(guideData).ID)
		}
		eventually(t, "all is settled", func() bool {
			s, err := b.Stats(ctx, "default", WindowHour)
			require.NoError(t, err)
			return s.Succeeded == 30 && s.Failed == 30
		})
		latest, _, err := b.AccountDeliveries(ctx, "default", DeliveryFilter{Limit: 1})
		require.NoError(t, err)
		eventually(t, "what comes from now on is later", func() bool { return time.Since(latest[0].CreatedAt) > 20*time.Millisecond })
		pages := func(f DeliveryFilter, between func()) (all []Delivery, sizes []int) {
			for {
				items, next, err := b.AccountDeliveries(ctx, "default", f)
				require.NoError(t, err)
				all, sizes = append(all, items...), append(sizes, len(items))
				if next == "" {
					return all, sizes
				}
				f.Cursor = next
				between()
			}
		}
		nothing := func() {}
		all, sizes := pages(DeliveryFilter{Limit: 7}, func() { b.publish(guideData) })
		require.Len(t, all, 60)
		require.Equal(t, []int{7, 7, 7, 7, 7, 7, 7, 7, 4}, sizes)
		seen := map[string]bool{}
		of := map[string][]string{}
		for _, d := range all {
			require.False(t, seen[d.ID])
			seen[d.ID] = true
			of[d.WebhookID] = append([]string{d.EventID}, of[d.WebhookID]...)
			require.Len(t, d.Attempts, 1)
		}
		require.Equal(t, map[string][]string{one.ID: events, two.ID: events}, of)
		until := all[0].CreatedAt // of the latest of them
		for _, d := range all {
			if d.CreatedAt.After(until) {
				until = d.CreatedAt
			}
		}
		eventually(t, "what came meanwhile is settled", func() bool {
			s, err := b.Stats(ctx, "default", WindowHour)
			require.NoError(t, err)
			return s.Succeeded+s.Failed == 2*(30+8)
		})
		failed, sizes := pages(DeliveryFilter{State: StateFailed, Until: until, Limit: 10}, nothing)
		require.Equal(t, 30, len(failed))
		require.True(t, !slices.Contains(sizes[:3], 0) && sizes[0] == 10 && sizes[1] == 10 && sizes[2] == 10)
		for _, d := range failed {
			require.Equal(t, [2]string{one.ID, string(StateFailed)}, [2]string{d.WebhookID, string(d.State)})
		}
		found, _ := pages(DeliveryFilter{WebhookID: two.ID, Limit: 100}, nothing)
		require.Len(t, found, 38)
		found, _ = pages(DeliveryFilter{EventID: events[3], Limit: 1}, nothing)
		require.Len(t, found, 2)
		require.NotEqual(t, found[0].WebhookID, found[1].WebhookID)
		for _, f := range []DeliveryFilter{
			{Event: "video.deleted"}, {EventID: "evt_unknown"}, {WebhookID: "whk_unknown00000"}, {Since: time.Now().Add(time.Hour)},
			{Until: time.Now().Add(-time.Hour)}, {State: StateCancelled},
		} {
			found, _ = pages(f, nothing)
			require.Empty(t, found, "%+v", f)
		}
		found, _ = pages(DeliveryFilter{Event: "video.uploaded", Limit: 100}, nothing)
		require.Len(t, found, 76)
		items, _, err := b.AccountDeliveries(ctx, "other", DeliveryFilter{})
		require.NoError(t, err)
		require.Empty(t, items)
		for _, f := range []DeliveryFilter{{Cursor: writeCursor("1-1:x")}, {Cursor: writeCursor("(1-1:0123456789ab")}, {Since: until, Until: until.Add(-time.Second)}, {State: "lost"}} {
			_, _, err = b.AccountDeliveries(ctx, "default", f)
			require.Error(t, err, "%+v", f)
		}
	})
}

// What went to a webhook that is there no longer is not gone: it is listed as cancelled where it waited, and as failed where it failed.
func TestAccountDeliveriesOfDeletedWebhooks(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, once).start()
		ctx := t.Context()
		waits, fails := b.webhook(newSink(t, nil).URL, "video.*"), b.webhook(newSink(t, status(http.StatusInternalServerError)).URL, "video.*")
		b.update(waits, WebhookUpdate{Status: ptr(StatusPaused)})
		p := b.publish(guideData)
		list := func(s State) (ids []string) {
			items, next, err := b.AccountDeliveries(ctx, "default", DeliveryFilter{State: s})
			require.NoError(t, err)
			require.Empty(t, next)
			for _, d := range items {
				require.Equal(t, p.ID, d.EventID)
				ids = append(ids, d.WebhookID)
			}
			return ids
		}
		eventually(t, "one failed", func() bool { return slices.Equal(list(StateFailed), []string{fails.ID}) })
		require.Equal(t, []string{waits.ID}, list(StatePending))
		for _, w := range []Webhook{waits, fails} {
			require.NoError(t, b.DeleteWebhook(ctx, "default", w.ID))
		}
		eventually(t, "what waited is cancelled", func() bool { return slices.Equal(list(StateCancelled), []string{waits.ID}) })
		require.Equal(t, []string{fails.ID}, list(StateFailed))
		require.ElementsMatch(t, []string{waits.ID, fails.ID}, list(""))
		require.NoError(t, b.DeleteEvent(ctx, "default", p.ID))
		for _, s := range []State{"", StateFailed, StateCancelled} {
			require.Empty(t, list(s))
		}
	})
}
