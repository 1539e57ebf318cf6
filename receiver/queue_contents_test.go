package receiver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

func (q *Queue) all(t *testing.T, s Selection) (items []Queued) {
	t.Helper()
	for cursor := ""; ; {
		page, next, err := q.List(t.Context(), s, cursor, 3)
		require.NoError(t, err)
		items = append(items, page...)
		if cursor = next; cursor == "" {
			return items
		}
	}
}

// putAll fills a queue that nobody delivers from, with events of two types a minute apart.
func putAll(t *testing.T, q *Queue, n int, change func(i int, j *Job)) time.Time {
	t.Helper()
	first := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	for i := range n {
		c, j := queueJob(fmt.Sprint("evt_", i))
		j.Event, j.Received = []string{"video.uploaded", "video.deleted"}[i%2], first.Add(time.Duration(i)*time.Minute)
		if change != nil {
			change(i, j)
		}
		result, err := q.Enqueue(t.Context(), c, j)
		require.NoError(t, err)
		require.Equal(t, Enqueued, result)
	}
	return first
}

func TestContentsOfAQueue(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		q := newQueue(t, s, &queueApp{}, config.Queue{})
		long := strings.Repeat("x", 2*headerBytes)
		first := putAll(t, q, 20, func(i int, j *Job) {
			j.Header.Set("X-Api-Key", "very secret")
			j.Header.Set("X-Gitlab-Token", "very secret")
			if i == 7 {
				j.Header.Set("X-Long", long)
			}
		})
		require.Empty(t, q.all(t, Selection{}))
		items := q.all(t, Selection{State: PlaceWaiting})
		require.Len(t, items, 20)
		seen := map[string]bool{}
		for _, item := range items {
			seen[item.ID] = true
			require.Equal(t, PlaceWaiting, item.State)
			require.NotNil(t, item.Due)
			require.Equal(t, len(`{"id":""}`)+len(item.ID), item.Size)
			require.Equal(t, []string{"application/json"}, item.Headers["Content-Type"])
			require.Equal(t, []string{Hidden}, item.Headers["X-Api-Key"])
			require.Equal(t, []string{Hidden}, item.Headers["X-Gitlab-Token"])
		}
		require.Len(t, seen, 20)
		require.Len(t, q.all(t, Selection{State: PlaceWaiting, Event: "video.deleted"}), 10)
		middle := q.all(t, Selection{State: PlaceWaiting, Since: first.Add(5 * time.Minute), Until: first.Add(8 * time.Minute)})
		require.Len(t, middle, 4)

		found, err := q.Find(t.Context(), "evt_7")
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, long, found[0].Headers.Get("X-Long"))
		byJob, err := q.Find(t.Context(), found[0].Job)
		require.NoError(t, err)
		require.Equal(t, found, byJob)
		stored, err := q.Stored(t.Context(), found[0].Job)
		require.NoError(t, err)
		require.Equal(t, `{"id":"evt_7"}`, string(stored.Body))
		for _, nobody := range []string{"evt_99", "", "evt_", "x"} {
			found, err := q.Find(t.Context(), nobody)
			require.NoError(t, err)
			require.Empty(t, found, nobody)
		}
		_, _, err = q.List(t.Context(), Selection{}, "nonsense", 1)
		require.ErrorIs(t, err, ErrCursor)
	})
}

// TestListsGoOnWhereEventsLeave: what is retried in front of a page leaves none behind it out.
func TestListsGoOnWhereEventsLeave(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		q := newQueue(t, s, &queueApp{}, config.Queue{})
		putAll(t, q, 9, nil)
		page, next, err := q.List(t.Context(), Selection{State: PlaceWaiting}, "", 3)
		require.NoError(t, err)
		jobs := []string{page[0].Job, page[1].Job, page[2].Job} // the last is the one that the cursor names
		n, err := q.Purge(t.Context(), jobs...)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		left := map[string]bool{}
		for next != "" {
			page, next, err = q.List(t.Context(), Selection{State: PlaceWaiting}, next, 3)
			require.NoError(t, err)
			for _, item := range page {
				left[item.Job] = true
			}
		}
		for _, item := range q.all(t, Selection{State: PlaceWaiting}) {
			require.True(t, left[item.Job], item.ID)
		}
	})
}

func TestRetryAndPurgeByFilter(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		app := &queueApp{status: http.StatusInternalServerError}
		q := newQueue(t, s, app, config.Queue{Retry: []time.Duration{0}})
		first := putAll(t, q, 130, nil) // more than a step
		startQueue(t, q)
		dead := func() int {
			d, err := q.Depth(t.Context())
			require.NoError(t, err)
			return d.Dead
		}
		require.Eventually(t, func() bool { return dead() == 130 }, time.Minute, time.Millisecond)
		for _, item := range q.all(t, Selection{}) {
			require.Equal(t, PlaceDead, item.State)
			require.Equal(t, 1, item.Attempts)
			require.Equal(t, "the app answered 500", item.Error)
		}
		app.set(http.StatusOK)
		n, err := q.RetryAll(t.Context(), Selection{Event: "video.uploaded", Since: first.Add(10 * time.Minute)})
		require.NoError(t, err)
		require.Equal(t, 60, n)
		require.Eventually(t, func() bool { return app.count() == 130+60 }, time.Minute, time.Millisecond)
		n, err = q.PurgeAll(t.Context(), Selection{Until: first.Add(9 * time.Minute)})
		require.NoError(t, err)
		require.Equal(t, 10, n)
		require.Equal(t, 60, dead())
		n, err = q.PurgeAll(t.Context(), Selection{})
		require.NoError(t, err)
		require.Equal(t, 60, n)
		require.Zero(t, dead())
	})
}

func appQueue(t *testing.T, s *redisstore.Store, name string, app *queueApp, c config.Queue) *Queue {
	t.Helper()
	return patientQueue(t, QueueOptions{Config: c, Store: redistest.Public(s), Name: "app", Delivery: name, Deliver: app.deliver})
}

// TestARenamedDeliverIsMoved: what waited and what was dead for a deliver that is gone goes on at another, with its time and attempts.
func TestARenamedDeliverIsMoved(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		down, up := &queueApp{status: http.StatusInternalServerError}, &queueApp{}
		old := appQueue(t, s, "old", down, config.Queue{Retry: []time.Duration{0}})
		old.Start(t.Context())
		putAll(t, old, 3, nil)
		require.Eventually(t, func() bool { d, err := old.Depth(t.Context()); return err == nil && d.Dead == 3 }, time.Minute, time.Millisecond)
		require.NoError(t, old.Stop(t.Context()))
		for i := range 150 {
			old.put(t, fmt.Sprint("later_", i))
		}
		renamed := appQueue(t, s, "new", up, config.Queue{})
		d, err := NewDeliveries(renamed)
		require.NoError(t, err)
		forgotten, err := d.OrphanedQueues(t.Context())
		require.NoError(t, err)
		require.Len(t, forgotten, 1)
		require.Equal(t, "old", forgotten[0].Delivery)
		require.Equal(t, 150, forgotten[0].Depth.Waiting)
		require.Equal(t, 3, forgotten[0].Depth.Dead)

		_, err = forgotten[0].MoveTo(t.Context(), forgotten[0].Queue)
		require.Error(t, err)
		n, err := forgotten[0].MoveTo(t.Context(), renamed)
		require.NoError(t, err)
		require.Equal(t, 153, n)
		forgotten, err = d.OrphanedQueues(t.Context())
		require.NoError(t, err)
		require.Empty(t, forgotten)
		for _, item := range renamed.all(t, Selection{}) {
			require.Equal(t, "the app answered 500", item.Error)
			require.Equal(t, 1, item.Attempts)
		}
		startQueue(t, renamed)
		require.Eventually(t, func() bool { return up.count() == 150 }, time.Minute, time.Millisecond)
		n, err = renamed.RetryAll(t.Context(), Selection{})
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Eventually(t, func() bool { return up.count() == 153 }, time.Minute, time.Millisecond)
		for id, times := range up.ids {
			require.Equal(t, 1, times, id)
		}
		keys, err := s.Client().Keys(t.Context(), "*q:old:*").Result()
		require.NoError(t, err)
		require.Empty(t, keys, "nothing is left of it")
	})
}

// TestMovingKeepsWithinTheOtherQueue: what finds no room stays where it is.
func TestMovingKeepsWithinTheOtherQueue(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		old := appQueue(t, s, "", &queueApp{}, config.Queue{})
		putAll(t, old, 8, nil)
		renamed := appQueue(t, s, "new", &queueApp{}, config.Queue{MaxLength: 5})
		n, err := old.MoveTo(t.Context(), renamed)
		require.ErrorIs(t, err, ErrQueueFull)
		require.Equal(t, 5, n)
		require.Len(t, old.all(t, Selection{State: PlaceWaiting}), 3)
		n, err = old.Drop(t.Context())
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Empty(t, old.all(t, Selection{State: PlaceWaiting}))
		require.Len(t, renamed.all(t, Selection{State: PlaceWaiting}), 5)
	})
}

// TestALeaseOfARenamedDeliverIsNotLost: a gateway died with the event, and nobody gives back leases in a queue without workers.
func TestALeaseOfARenamedDeliverIsNotLost(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		old := appQueue(t, s, "old", &queueApp{}, config.Queue{})
		putAll(t, old, 2, nil)
		jobs := old.all(t, Selection{State: PlaceWaiting})
		tag, c := old.queue.Tag(0), s.Client()
		lease := func(job string, until time.Time) {
			require.NoError(t, c.ZRem(t.Context(), tag+"lane:app", job).Err())
			require.NoError(t, c.Do(t.Context(), "ZADD", tag+"leases", until.UnixMilli(), "app:"+job+":token").Err())
		}
		lease(jobs[0].Job, time.Now().Add(-time.Second))
		lease(jobs[1].Job, time.Now().Add(time.Hour))
		renamed := appQueue(t, s, "new", &queueApp{}, config.Queue{})
		d, err := NewDeliveries(renamed)
		require.NoError(t, err)
		forgotten, err := d.OrphanedQueues(t.Context())
		require.NoError(t, err)
		require.Len(t, forgotten, 1)
		n, err := forgotten[0].MoveTo(t.Context(), renamed)
		require.True(t, errors.Is(err, ErrUnderWay), err)
		require.Equal(t, 1, n)
		moved := renamed.all(t, Selection{State: PlaceWaiting})
		require.Len(t, moved, 1)
		require.Equal(t, jobs[0].ID, moved[0].ID)
		held := old.all(t, Selection{State: PlaceInFlight})
		require.Len(t, held, 1)
		require.Equal(t, jobs[1].ID, held[0].ID)
	})
}
