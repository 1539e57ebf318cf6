package sender

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestLesson52_NobodyDelivers: work that no process will do is not healthy, in whichever process one asks.
func TestLesson52_NobodyDelivers(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		api := newBundle(t, store, func(o *Options) { o.Config.DeliverOff = true }).start()
		health := func() Health {
			api.stats = statsCache{} // don't give out old figures
			return api.Health(t.Context())
		}
		h := health()
		require.True(t, h.Healthy(), "nothing to do")
		to := newSink(t, nil)
		api.webhook(to.URL)
		p := api.publish(guideData)
		h = health()
		require.True(t, h.Abandoned())
		require.False(t, h.Healthy())
		require.Zero(t, h.Queue.Senders)

		sender := newBundle(t, store, nil)
		require.NoError(t, sender.Start(t.Context()))
		api.reaches(p, StateSucceeded)
		eventually(t, "a process delivers", func() bool { return health().Queue.Senders == 1 })
		h = health()
		require.True(t, h.Healthy())
		require.NoError(t, sender.Stop(t.Context()))
		eventually(t, "it said goodbye", func() bool { return health().Queue.Senders == 0 })
	})
}

// TestInstallation: all processes on a store know one name, and another store has another.
func TestInstallation(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		one, two := newBundle(t, store, nil), newBundle(t, store, nil)
		name, err := one.Installation(t.Context())
		require.NoError(t, err)
		require.Regexp(t, `^[a-z0-9]{26}$`, name)
		again, err := two.Installation(t.Context())
		require.NoError(t, err)
		require.Equal(t, name, again)
		other, err := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil).Installation(t.Context())
		require.NoError(t, err)
		require.NotEqual(t, name, other)
	})
}
