package queue

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
)

// of is an event of an account.
func of(account string, i int) *Event {
	e := event(i)
	e.Account = account
	return e
}

// Lesson 64: an account with many webhooks and events is deleted in steps, whatever there is much of.
func TestLesson64AccountEndIsBounded(t *testing.T) {
	t.Parallel()
	for name, fill := range map[string]func(c *clock){
		"many events to some lanes": func(c *clock) {
			for i := range 600 {
				c.push(of("shop", i))
			}
		},
		"events to nobody": func(c *clock) {
			for i := range 600 {
				e := of("shop", i)
				e.Topics = nil
				c.push(e)
			}
		},
		"leases and failed jobs": func(c *clock) {
			for i := range 100 {
				c.push(of("shop", i))
			}
			require.NotEmpty(c, c.claim(100).jobs)
			for _, lane := range lanesOfATenant[:5] {
				c.failed(lane, 700, 1)
			}
		},
		"the operator's lane": func(c *clock) {
			c.lane("notify")
			for i := range 400 {
				e := event(i)
				e.Account, e.Topics, e.Lane, e.TellsOf = "~notify", nil, "notify", lanesOfATenant[0]
				c.push(e)
			}
		},
		"replays and mailboxes": func(c *clock) {
			for i := range 900 {
				c.redis().ZAdd(c.Context(), c.key("replays:shop"), redis.Z{Score: 1, Member: i})
				c.redis().SAdd(c.Context(), c.key("boxes:shop"), i)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock(t, nil)
			require.NoError(t, c.redis().HSet(t.Context(), c.key("account:shop"), "c", 1).Err())
			for _, lane := range lanesOfATenant[:5] {
				c.lane(lane, "a", "shop")
			}
			fill(c)
			for _, lane := range lanesOfATenant[:5] {
				c.redis().HSet(t.Context(), c.key("conf:"+lane), "st", "deleted")
				c.redis().ZAdd(t.Context(), c.key("unhooked:shop"), redis.Z{Score: 1, Member: lane})
			}
			script, begin := counted(source("account_end")), "1"
			for far := ""; far != string(AccountEndDone); begin = "" {
				cmd := c.bounded(script, c.argv([]any{"shop", begin, "notify~shop", "notify", accountEndKeys}))
				far = cmd.Val().(string)
				require.Contains(t, []string{string(AccountEndMore), string(AccountEndDone)}, far)
			}
			keys, err := c.redis().Keys(t.Context(), "*").Result()
			require.NoError(t, err)
			for _, key := range keys {
				require.NotContains(t, key, "shop")
				require.NotContains(t, key, "lane0")
			}
			require.Zero(t, c.waitingCount())
		})
	}
}

// What tells of a webhook, and comes once the account is gone, does not bring the account back.
func TestANoticeDoesNotBringAnAccountBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redisstore.Store) {
		b := newBundle(t, s, nil)
		for _, in := range []string{"", "notify~shop"} {
			told := of("shop", 1)
			told.Lane, told.TellsOf = in, "deleted"
			require.Equal(t, PushGone, b.push(told)[0].Outcome)
		}
		keys, err := b.redis().Keys(t.Context(), "*shop*").Result()
		require.NoError(t, err)
		require.Empty(t, keys)
		accounts, err := b.redis().Exists(t.Context(), b.key("accountlist")).Result()
		require.NoError(t, err)
		require.Zero(t, accounts)
	})
}
