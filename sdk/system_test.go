package sdk_test

import (
	"context"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/client"
	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/apitest"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
	"github.com/videocloud/webhooks/store"
)

// demoKey is the key of the guide's examples.
const demoKey = "your_api_key"

// system is a sender and its API, as an SDK meets them.
type system struct {
	url, key string
	client   *client.Client
}

// startSystem starts a sender that may deliver to loopback, with a store of its own; every answer, and every request
// that was accepted, is checked against the OpenAPI document. Where VIDEOCLOUD_BASE_URL names a running system, it is
// that one, with the key VIDEOCLOUD_API_KEY.
func startSystem(t *testing.T) *system {
	t.Helper()
	s := &system{url: os.Getenv("VIDEOCLOUD_BASE_URL"), key: os.Getenv("VIDEOCLOUD_API_KEY")}
	if s.url == "" {
		s.url, s.key = startSender(t), demoKey
	}
	if s.key == "" {
		s.key = "videocloud-demo-key"
	}
	var err error
	s.client, err = client.New(s.key, client.WithBaseURL(s.url))
	require.NoError(t, err)
	return s
}

func startSender(t *testing.T) (url string) {
	t.Helper()
	store, err := store.Open(config.Redis{URL: config.Memory, Timeout: redistest.Patience}, store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	s, err := sender.New(sender.Options{
		Store:  store,
		Config: config.Sender{AllowHTTP: true, AllowNetworks: []string{"127.0.0.0/8", "::1/128"}, Timeout: 2 * time.Minute},
	})
	require.NoError(t, err)
	require.NoError(t, s.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) }) // the test's own context is over
	h, err := api.New(api.Options{Service: s, Keys: []api.Key{{Value: demoKey, Account: config.DefaultAccount, Role: api.RoleAll}}})
	require.NoError(t, err)
	server := httptest.NewServer(apitest.Checked(t, h, ""))
	t.Cleanup(server.Close)
	return server.URL
}

// environment is that of a program that talks to the system.
func (s *system) environment(more ...string) []string {
	return append(os.Environ(), append([]string{"VIDEOCLOUD_BASE_URL=" + s.url, "VIDEOCLOUD_API_KEY=" + s.key}, more...)...)
}
