package queue

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// TestOrderedEventTellsWhenItIsDue: an event's own answer says of an ordered lane what lists say: nothing is due before its head.
func TestOrderedEventTellsWhenItIsDue(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.orderedLane("one")
	events := many("one", 2)
	c.push(events...)
	c.settle(Outcome{Kind: Retry, Delay: time.Hour}, c.claim(1).jobs...)
	for _, e := range events {
		want := c.standing("one", e.Job).Next
		require.Equal(t, c.now.Add(time.Hour).UnixMilli(), want.UnixMilli())
		got, err := c.Event(t.Context(), 0, "a", e.ID, e.Job, 100)
		require.NoError(t, err)
		require.Equal(t, want, got.Lanes[0].Next)
	}
}

// TestNoLongerOrderedWaitsForNothing: what came while a lane was ordered goes out at once when it is not any more, whatever was to be tried
// again later when it became so.
func TestNoLongerOrderedWaitsForNothing(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	c.lane("one", "a", "a")
	events := many("one", 3)
	c.push(events[0])
	c.settle(Outcome{Kind: Retry, Delay: time.Hour}, c.claim(1).jobs...)
	c.setOrdered("one", true)
	c.push(events[1:]...)
	c.advance(time.Second)
	require.Empty(t, c.claim(16).jobs)
	c.setOrdered("one", false)
	c.setConf("one", "cap", 16)
	c.advance(time.Second)
	var got []string
	for range 2 {
		for _, j := range c.claim(16).jobs {
			got = append(got, j.ID)
			c.settle(Outcome{Kind: Succeeded}, j)
		}
	}
	require.Equal(t, []string{events[1].Job, events[2].Job}, got)
}

// TestAccountEndWhileItsOwnerIsTold: an attempt at its owner's notifyUrl that begins while an account ends leaves nothing behind.
func TestAccountEndWhileItsOwnerIsTold(t *testing.T) {
	t.Parallel()
	c := newClock(t, nil)
	require.NoError(t, c.redis().HSet(t.Context(), c.key("account:shop"), "c", 1).Err())
	lane := lanesOfATenant[0]
	c.lane(lane, "a", "shop")
	tell := func(i int, account, in string) {
		e := event(i)
		e.Account, e.Topics, e.Lane, e.TellsOf = account, nil, in, lane
		c.push(e)
	}
	tell(1000, "~owner", "notify~shop")
	c.lane("notify")
	for i := range 400 {
		tell(i, "~notify", "notify")
	}
	c.redis().HSet(t.Context(), c.key("conf:"+lane), "st", "deleted")
	c.redis().ZAdd(t.Context(), c.key("unhooked:shop"), redis.Z{Score: 1, Member: lane})
	lanes := AccountLanes{Owner: "notify~shop", Operator: "notify"}
	far, err := c.EndAccount(t.Context(), 0, "shop", lanes, true)
	require.NoError(t, err)
	require.Equal(t, AccountEndMore, far)
	jobs := c.claim(1000).jobs
	for far != AccountEndDone {
		far, err = c.EndAccount(t.Context(), 0, "shop", lanes, false)
		require.NoError(t, err)
	}
	for _, j := range jobs {
		if j.Lane == lanes.Owner {
			c.settle(Outcome{Kind: Retry, Delay: time.Minute, Log: `{"responseBody":"secret"}`}, j)
		}
	}
	keys, err := c.redis().Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		require.NotContains(t, key, "shop")
	}
}
