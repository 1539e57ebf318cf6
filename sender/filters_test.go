package sender

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/filter"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redistest"
)

// filtered registers a webhook with a filter.
func (b *bundle) filtered(source string) Webhook {
	b.t.Helper()
	return b.having("http://127.0.0.1:1/", func(v *Settings) { v.Filter = source })
}

// goes publishes an event and says to which webhooks it goes.
func (b *bundle) goes(data string) (ids []string) {
	b.t.Helper()
	ids = []string{}
	for _, d := range b.publish(data).Deliveries {
		ids = append(ids, d.WebhookID)
	}
	return ids
}

func TestAFilterKeepsEventsOut(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		all := b.filtered("")
		require.Equal(t, []string{all.ID}, b.goes(guideData))
		large := b.filtered(`data.size > 1000000 && data.format == "mp4"`)
		require.ElementsMatch(t, []string{all.ID, large.ID}, b.goes(guideData))
		small := b.publish(`{"size":1,"format":"mp4"}`)
		require.Len(t, small.Deliveries, 1)
		require.Equal(t, all.ID, small.Deliveries[0].WebhookID)

		items, _, err := b.Deliveries(t.Context(), "default", large.ID, DeliveryFilter{})
		require.NoError(t, err)
		require.Len(t, items, 1, "what is kept out is not stored for it")
		e, err := b.Event(t.Context(), "default", small.ID)
		require.NoError(t, err)
		require.Len(t, e.Deliveries, 1)

		b.change(large, func(v *Settings) { v.Filter = "data.size < 10" })
		require.ElementsMatch(t, []string{all.ID, large.ID}, b.goes(`{"size":1}`))
		b.change(large, func(v *Settings) { v.Events = []string{"user.*"} })
		require.Equal(t, []string{all.ID}, b.goes(`{"size":1}`))
		b.change(large, func(v *Settings) { v.Events, v.Filter = []string{"video.*"}, "" })
		require.ElementsMatch(t, []string{all.ID, large.ID}, b.goes(`{"size":100}`))
		b.change(large, func(v *Settings) { v.Filter = `event == "video.deleted"` })
		require.NoError(t, b.DeleteWebhook(t.Context(), "default", large.ID))
		require.Equal(t, []string{all.ID}, b.goes(`{}`))
		members, err := b.store.Client().SMembers(t.Context(), b.queue.Tag(mustShard(t, b))+"topic:default:video.*").Result()
		require.NoError(t, err)
		require.Equal(t, []string{laneOf(all.ID)}, members)
	})
}

func TestABatchIsFiltered(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		odd := b.filtered("data.n % 2 == 1")
		users := b.having("http://127.0.0.1:1/", func(v *Settings) { v.Events, v.Filter = []string{"user.*"}, "data.n >= 100" })
		var events []Event
		for i := range 200 {
			events = append(events, Event{Type: []string{"video.uploaded", "user.registered"}[i/100], Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))})
		}
		for i, r := range b.PublishBatch(t.Context(), "default", events) {
			require.NoError(t, r.Err)
			var want []string
			switch {
			case i >= 100:
				want = []string{users.ID}
			case i%2 == 1:
				want = []string{odd.ID}
			}
			var got []string
			for _, d := range r.Published.Deliveries {
				got = append(got, d.WebhookID)
			}
			require.Equal(t, want, got, i)
		}
	})
}

// A filter that fails on an event loses none: it lets it through, and that is counted.
func TestAFailingFilterLetsThroughAndIsCounted(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		w, other := b.filtered("data.sise > 10"), b.having("http://127.0.0.1:1/", func(v *Settings) { v.Events = []string{"user.*"} })
		inStats := func(id string) int {
			s, err := b.WebhookStats(t.Context(), "default", id, WindowHour)
			require.NoError(t, err)
			return s.FilterErrors
		}
		for i := range 3 {
			require.Equal(t, []string{w.ID}, b.goes(`{"size":1}`))
			require.Equal(t, i+1, b.hook(w).FilterErrors)
			require.Equal(t, i+1, inStats(w.ID))
			require.Zero(t, inStats(other.ID))
		}
		require.Empty(t, b.goes(`{"sise":1}`))
		require.Equal(t, 3, b.hook(w).FilterErrors)
		b.change(w, func(v *Settings) { v.Description = "x" })
		require.Equal(t, 3, b.hook(w).FilterErrors)
		got := b.update(w, WebhookUpdate{Change: func(to *Webhook) error { to.Filter = "data.size > 10"; return nil }})
		require.Zero(t, got.FilterErrors)
		require.Zero(t, b.hook(w).FilterErrors, "another filter's failures")
		require.Zero(t, inStats(w.ID))
	})
}

// A repetition is answered as it was, whatever the filter says by now, and no more is counted.
func TestARepetitionIsNotFilteredAgain(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		w := b.filtered("data.n == 1")
		e := Event{ID: "mine", Type: "video.uploaded", Data: json.RawMessage(`{"n":1}`)}
		first := b.publishes("default", e)
		require.Len(t, first.Deliveries, 1)
		b.change(w, func(v *Settings) { v.Filter = "data.n == 2 || data.x" })
		again := b.publishes("default", e)
		require.True(t, again.Duplicate)
		require.Equal(t, first.Deliveries, again.Deliveries)
		require.Zero(t, b.hook(w).FilterErrors)
	})
}

// Tests and notices go to whom they concern, whatever the filter.
func TestTestsAndNoticesPassFilters(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		down := newSink(t, status(500))
		b := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0} }).start()
		told := b.having("http://127.0.0.1:1/", func(v *Settings) { v.Events, v.Filter = []string{"system.*"}, "false" })
		p, err := b.TestWebhook(t.Context(), "default", told.ID)
		require.NoError(t, err)
		require.Len(t, p.Deliveries, 1)
		require.Empty(t, b.publishes("default", Event{Type: "system.error"}).Deliveries, "no notice of ours")

		b.webhook(down.URL, "video.*")
		b.publish(guideData)
		eventually(t, "told", func() bool {
			items, _, err := b.Deliveries(t.Context(), "default", told.ID, DeliveryFilter{})
			require.NoError(t, err)
			return len(items) == 2 && items[0].Type == config.EventError
		})
		require.Zero(t, b.hook(told).FilterErrors)
	})
}

// A filter that is changed at the same moment: the old or the new one decides, and never none.
func TestTheOldFilterOrTheNewOneDecides(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b, other := newBundle(t, store, nil), newBundle(t, store, nil)
		w := b.filtered("data.n == 1")
		var stop atomic.Bool
		var changes atomic.Int64
		var changing sync.WaitGroup
		changing.Go(func() {
			for n := 10; !stop.Load(); n++ {
				_, err := other.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Change: func(to *Webhook) error {
					to.Filter = fmt.Sprintf("data.n == 1 || data.n == %d", n)
					return nil
				}})
				if err != nil && errorCode(err) != string(CodeConflict) {
					t.Error(err)
					return
				}
				changes.Add(1)
			}
		})
		t.Cleanup(func() { // also where a publish was refused
			stop.Store(true)
			changing.Wait()
		})
		// Some of them between, before and after the changes, whichever goroutine has its turn when.
		for round := 0; round < 60 || changes.Load() < 20 && !t.Failed(); round++ {
			for n, want := range map[int][]string{1: {w.ID}, 2: {}} {
				p, err := b.Publish(t.Context(), "default", Event{Type: "video.uploaded", Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))})
				if err != nil { // the filters changed all the time: nothing was published
					requireError(t, err, CodeUnavailable, "")
					continue
				}
				got := []string{}
				for _, d := range p.Deliveries {
					got = append(got, d.WebhookID)
				}
				require.Equal(t, want, got, n)
			}
		}
		stop.Store(true)
		changing.Wait()
		require.Zero(t, b.hook(w).FilterErrors)
	})
}

// ticking is a clock that goes on by a step each time it is looked at.
func ticking(step time.Duration) func() time.Time {
	now := time.Unix(0, 0)
	return func() time.Time {
		now = now.Add(step)
		return now
	}
}

// deciding is an event of an account with so many filters, and the work on it.
func deciding(sources ...string) (*filterRun, *queue.Event) {
	f := &filterRun{cache: &filters{}, now: ticking(0)}
	asked := queue.Asked{Signature: "sig"}
	for i, source := range sources {
		f.cache.compile(source)
		asked.Filters = append(asked.Filters, queue.Filter{Lane: fmt.Sprint(i), Version: filterVersion(source)})
	}
	f.cache.setDeciding("a", "video.uploaded", asked)
	p := payload{eventType: "video.uploaded", data: guideData}
	return f, &queue.Event{Account: "a", Type: "video.uploaded", Payload: p.encode()}
}

func TestARequestHasABudgetForFilters(t *testing.T) {
	t.Parallel()
	var thousand []string
	for i := range config.MaxWebhooks {
		thousand = append(thousand, fmt.Sprintf("data.size < %d", i))
	}
	t.Run("a thousand filters within it", func(t *testing.T) {
		t.Parallel()
		f, e := deciding(thousand...)
		require.Equal(t, "sig"+strings.Repeat("0", 1000), f.verdicts(e))
	})
	t.Run("used up in the middle", func(t *testing.T) {
		t.Parallel()
		f, e := deciding(thousand...)
		f.now = ticking(time.Millisecond)
		got := f.verdicts(e)[3:]
		kept := strings.Count(got, "0")
		require.Equal(t, strings.Repeat("0", kept)+strings.Repeat("e", 1000-kept), got)
		require.Less(t, kept, 1000)
		require.GreaterOrEqual(t, f.steps, filterMinSteps)
		require.Equal(t, "sig"+strings.Repeat("e", 1000), f.verdicts(e), "the next event of the request")
	})
	t.Run("a few evaluations are always made", func(t *testing.T) {
		t.Parallel()
		f, e := deciding("data.size > 1", "data.size > 2", "data.size < 3")
		f.now = ticking(time.Minute) // the process was put aside
		require.Equal(t, "sig110", f.verdicts(e))
	})
	t.Run("equal filters are evaluated once", func(t *testing.T) {
		t.Parallel()
		f, e := deciding("data.size > 1", "data.size > 1", "data.size > 1")
		require.Equal(t, "sig111", f.verdicts(e))
		require.Less(t, f.steps, 40)
	})
	t.Run("the dearest ones", func(t *testing.T) {
		t.Parallel()
		var sources []string
		for i := range config.MaxWebhooks {
			sources = append(sources, fmt.Sprintf("data.a.all(x, data.a.all(y, x == y)) || %d == 1", i+2))
		}
		f, e := deciding(sources...)
		p := payload{eventType: "video.uploaded", data: `{"a":[` + strings.Repeat("1,", 100_000) + `1]}`}
		e.Payload = p.encode()
		f.now = ticking(filterBudget / 20)
		require.Equal(t, "sig"+strings.Repeat("e", 1000), f.verdicts(e))
		require.Less(t, f.steps, 25*2*filter.MaxCost, "most were not evaluated")
	})
	t.Run("what can't be told", func(t *testing.T) {
		t.Parallel()
		f, e := deciding("data.size > 1")
		f.cache.byVersion[filterVersion("data.size > 1")] = nil // it does not compile in this version
		require.Equal(t, "sige", f.verdicts(e))
		delete(f.cache.byVersion, filterVersion("data.size > 1"))
		require.Empty(t, f.verdicts(e), "it is asked for again")
		e.Lane = "x"
		require.Empty(t, f.verdicts(e))
		e.Lane, e.Verdicts = "", queue.VerdictsTaken
		require.Equal(t, queue.VerdictsTaken, f.verdicts(e))
	})
}

// What a process remembers of filters has a bound.
func TestWhatIsKnownOfFiltersIsBounded(t *testing.T) {
	t.Parallel()
	var f filters
	some := make([]queue.Filter, 1000)
	for i := range 3 * maxDeciding / len(some) {
		f.setDeciding("a", fmt.Sprint(i), queue.Asked{Signature: "s", Filters: some})
		require.LessOrEqual(t, f.size, maxDeciding)
	}
	f.setDeciding("a", "0", queue.Asked{})
	for i := range 3 * maxDeciding / len(some) {
		f.setDeciding("a", fmt.Sprint(i), queue.Asked{})
	}
	require.Zero(t, f.size)
	require.Empty(t, f.deciding)
}

func TestTestFilter(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) { o.Config.DeliverOff = true })
	event := Event{Type: "video.uploaded", Data: json.RawMessage(guideData)}
	for source, want := range map[string]struct {
		matches bool
		problem string
	}{
		`data.size > 1000000 && data.format == "mp4"`:   {true, ""},
		`data.size < 1000000`:                           {false, ""},
		`event.startsWith("video.")`:                    {true, ""},
		`id.startsWith("evt_")`:                         {true, ""},
		`timestamp > timestamp("2024-01-01T00:00:00Z")`: {true, ""},
		`data.missing > 1`:                              {true, "no such key"},
		`data.title`:                                    {true, "true or false"},
	} {
		matches, problem, err := b.TestFilter(source, event)
		require.NoError(t, err, source)
		require.Equal(t, want.matches, matches, source)
		require.Contains(t, problem, want.problem, source)
		require.Equal(t, want.problem == "", problem == "", source)
	}
	for name, c := range map[string]struct {
		source string
		change func(e *Event)
		code   Code
		field  string
	}{
		"no filter":    {"", func(*Event) {}, CodeInvalidField, "filter"},
		"a bad one":    {"data.size >", func(*Event) {}, CodeInvalidField, "filter"},
		"unknown type": {"true", func(e *Event) { e.Type = "video.eaten" }, CodeUnknownEventType, "event"},
		"no object":    {"true", func(e *Event) { e.Data = json.RawMessage(`[]`) }, CodeInvalidField, "data"},
		"too large":    {"true", func(e *Event) { e.Data = json.RawMessage(`{"a":"` + strings.Repeat("x", 256<<10) + `"}`) }, CodePayloadTooLarge, "data"},
	} {
		e := event
		c.change(&e)
		_, _, err := b.TestFilter(c.source, e)
		requireError(t, err, c.code, c.field)
		if c.source != "" && name != "a bad one" {
			continue
		}
		require.Contains(t, err.Error(), "CEL", name)
	}
	_, _, err := b.TestFilter("data.size > 1 &&\n  dta", event)
	require.ErrorContains(t, err, "line 2, column 3")
}
