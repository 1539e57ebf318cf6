package sender_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/apitest"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
	"github.com/videocloud/webhooks/store"
)

// TestREST runs the API's own suite on the real sender. Every answer is checked against the OpenAPI document.
func TestREST(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(*testing.T) string{
		"memory": func(*testing.T) string { return config.Memory },
		"redis":  func(t *testing.T) string { return redistest.Start(t).URL() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := config.Redis{URL: url(t), Timeout: redistest.Patience}
			var parts atomic.Int32
			open := func(t *testing.T, o api.Options) http.Handler {
				// Parts of the suite run side by side: each has keys of its own.
				store, err := store.Open(redis, store.Options{Prefix: fmt.Sprint("part", parts.Add(1))})
				require.NoError(t, err)
				t.Cleanup(func() { _ = store.Close() })
				s, err := sender.New(sender.Options{Store: store, Config: config.Sender{DeliverOff: true}})
				require.NoError(t, err)
				o.Service = s
				h, err := api.New(o)
				require.NoError(t, err)
				return h
			}
			apitest.Run(t, open)
			t.Run("Bounds", func(t *testing.T) { apitest.RunBounds(t, open) })
		})
	}
}
