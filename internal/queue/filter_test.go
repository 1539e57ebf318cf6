package queue

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// filtered makes a lane with a filter.
func (b *bundle) filtered(lane, version string) {
	b.Helper()
	b.setConf(lane, "st", "active")
	require.NoError(b, b.store.Client().SAdd(b.Context(), b.key("topic:all"), Member(lane, version)).Err())
}

func TestFiltersDecide(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.lane("plain")
		b.filtered("big", "v1")
		b.filtered("all", "v2")

		e := event(1)
		asked := b.push(e)[0]
		require.Equal(t, PushAsked, asked.Outcome)
		require.Equal(t, []Filter{{"big", "v1"}, {"all", "v2"}}, asked.Asked.Filters)
		require.Zero(t, s.Client().Exists(t.Context(), b.key("event:"+e.Job), b.key("body:"+e.Job), b.key("lane:plain")).Val(), "nothing was done")

		for verdicts, want := range map[string][]string{
			"00": {"plain"}, "10": {"big", "plain"}, "0e": {"all", "plain"}, "11": {"big", "all", "plain"},
		} {
			e := event(2)
			e.ID, e.Verdicts = "with"+verdicts, asked.Asked.Signature+verdicts
			p := b.push(e)[0]
			require.Equal(t, PushNew, p.Outcome)
			require.Equal(t, want, p.Lanes)
			again := *e
			again.Verdicts = ""
			require.Equal(t, PushNew, b.push(&again)[0].Outcome, "the repetition of a call needs no verdicts")
		}
		require.Equal(t, "1", b.conf("all", "fe"), "the filter that failed is counted, once")
		require.Empty(t, b.conf("big", "fe"))

		for name, verdicts := range map[string]string{
			"of others": Member("x", "y"), "too few": asked.Asked.Signature + "1", "too many": asked.Asked.Signature + "111", "without a signature": "11",
		} {
			e := event(3)
			e.Verdicts = verdicts
			require.Equal(t, PushAsked, b.push(e)[0].Outcome, name)
		}

		pass := event(4)
		pass.Verdicts = VerdictsTaken
		require.Equal(t, []string{"big", "all", "plain"}, b.push(pass)[0].Lanes)
		only := event(5)
		only.Lane = "big"
		require.Equal(t, []string{"big"}, b.push(only)[0].Lanes)
		none := event(6)
		none.TellsOf, none.Verdicts = "big", asked.Asked.Signature+"10"
		require.Equal(t, []string{"plain"}, b.push(none)[0].Lanes)

		// Where the last filter goes, verdicts are those of none.
		require.NoError(t, s.Client().SRem(t.Context(), b.key("topic:all"), Member("big", "v1"), Member("all", "v2")).Err())
		last := event(7)
		last.Verdicts = asked.Asked.Signature + "11"
		p := b.push(last)[0]
		require.Equal(t, PushAsked, p.Outcome)
		require.Equal(t, Asked{}, p.Asked)
		last.Verdicts = ""
		require.Equal(t, []string{"plain"}, b.push(last)[0].Lanes)
	})
}

// What filters decide of is told once in an answer, however many events of a batch ask for it. With so many filters that the call is used up,
// those behind the first wait for it instead. With their verdicts all of them come.
func TestABatchAsksOnce(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		filters, events int
		later           bool
	}{"one call": {20, pushLanes / 2, false}, "several calls": {300, 100, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
				b := newBundle(t, s, nil)
				for i := range row.filters {
					b.filtered(fmt.Sprintf("lane%03d", i), fmt.Sprintf("v%03d", i))
				}
				var events []*Event
				for i := range row.events {
					events = append(events, event(i))
				}
				answers := b.push(events...)
				asked := answers[0].Asked
				require.Equal(t, PushAsked, answers[0].Outcome)
				require.Len(t, asked.Filters, row.filters)
				for _, p := range answers[1:] {
					if row.later {
						require.Equal(t, Pushed{Outcome: PushLater}, p)
						continue
					}
					require.Equal(t, PushAsked, p.Outcome)
					require.Equal(t, asked, p.Asked)
				}
				last := asked.Filters[row.filters-1].Lane
				for _, e := range events {
					e.Verdicts = asked.Signature + strings.Repeat("0", row.filters-1) + "1"
				}
				for i, p := range b.push(events...) {
					require.Equal(t, Pushed{Outcome: PushNew, Job: events[i].Job, Timestamp: 1, Lanes: []string{last}}, p)
				}
				require.EqualValues(t, row.events, s.Client().ZCard(t.Context(), b.key("lane:"+last)).Val())
			})
		})
	}
}

// Behind an event of a batch that is to be pushed again none is stored, in its call nor in the calls after it.
func TestABatchKeepsItsOrder(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		b.filtered("filtered", "v1")
		require.NoError(t, s.Client().SAdd(t.Context(), b.key("topic:other"), "plain").Err())
		require.NoError(t, s.Client().HSet(t.Context(), b.key("conf:plain"), "st", "active", "a", "a").Err())
		var events []*Event
		for i := range 400 {
			e := event(i)
			if i != 1 {
				e.Topics = []string{"other"}
			}
			events = append(events, e)
		}
		answers := b.push(events...)
		require.Equal(t, PushNew, answers[0].Outcome)
		require.Equal(t, PushAsked, answers[1].Outcome)
		for i, p := range answers[2:] {
			require.Equal(t, PushLater, p.Outcome, i+2)
		}
		require.EqualValues(t, 1, s.Client().ZCard(t.Context(), b.key("lane:plain")).Val())

		foreign := *events[2]
		foreign.Account = "another"
		require.Equal(t, PushNew, b.push(&foreign)[0].Outcome)
	})
}
