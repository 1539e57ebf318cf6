package receiver

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
)

func TestBadConfigurationNamesTheOption(t *testing.T) {
	t.Parallel()
	good := func() config.Receiver { return config.Receiver{Secrets: []string{testSecret}} }
	tests := map[string]struct {
		change func(*config.Receiver)
		want   string
	}{
		"unknown scheme":   {func(c *config.Receiver) { c.Scheme = "nobody" }, "scheme"},
		"unknown option":   {func(c *config.Receiver) { c.SchemeOptions = map[string]string{"colour": "red"} }, "colour"},
		"no timestamp":     {func(c *config.Receiver) { c.Scheme, c.RequireTimestamp = "github", true }, "require_timestamp"},
		"bad name":         {func(c *config.Receiver) { c.Name = "a b" }, "name"},
		"negative size":    {func(c *config.Receiver) { c.MaxSize = -1 }, "max_size"},
		"short lease":      {func(c *config.Receiver) { c.Dedup.Lease = time.Millisecond }, "lease"},
		"two places of ID": {func(c *config.Receiver) { c.Dedup.IDHeader, c.Dedup.IDPointer = "A", "/a" }, "id"},
		"outage":           {func(c *config.Receiver) { c.Dedup.OnStoreError = "panic" }, "on_store_error"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := good()
			test.change(&c)
			_, err := New(Options{Config: c})
			require.ErrorContains(t, err, test.want)
		})
	}
	t.Run("redis without a name", func(t *testing.T) {
		t.Parallel()
		client := redis.NewClient(&redis.Options{})
		t.Cleanup(func() { _ = client.Close() })
		_, err := New(Options{Config: good(), Store: newRedis(client, "test", "", RedisOptions{})})
		require.ErrorContains(t, err, "name")
	})
}

func TestLesson57_OptionsThatTheSchemeHasNoUseFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		scheme string
		change func(*config.Receiver)
		option string // none: it is of use
	}{
		"challenge of no use":         {"videocloud", func(c *config.Receiver) { c.Challenge = "token" }, "challenge"},
		"challenge echoed without it": {"slack", func(c *config.Receiver) { c.Challenge = "token" }, "challenge"},
		"challenge of use":            {"meta", func(c *config.Receiver) { c.Challenge = "token" }, ""},
		"tolerance of no use":         {"github", func(c *config.Receiver) { c.Tolerance = time.Minute }, "tolerance"},
		"tolerance off of no use":     {"github", func(c *config.Receiver) { c.ToleranceOff = true }, "tolerance"},
		"tolerance of use":            {"stripe", func(c *config.Receiver) { c.Tolerance = time.Minute }, ""},
		"tolerance of videocloud":     {"videocloud", func(c *config.Receiver) { c.Tolerance = time.Minute }, ""},
		"url of no use":               {"github", func(c *config.Receiver) { c.URL = "https://hooks.example.com/in" }, "url"},
		"url of use":                  {"twilio", func(c *config.Receiver) { c.URL = "https://hooks.example.com/in" }, ""},
		"hmac without a timestamp":    {"hmac", func(c *config.Receiver) { c.Tolerance = time.Minute }, "tolerance"},
		"hmac with one": {"hmac", func(c *config.Receiver) {
			c.Tolerance, c.SchemeOptions = time.Minute, map[string]string{"timestamp_header": "X-Time", "payload": "{t}.{body}"}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config.Receiver{Scheme: test.scheme, Secrets: []string{testSecret}}
			test.change(&c)
			_, err := New(Options{Config: c})
			if test.option == "" {
				require.NoError(t, err)
				return
			}
			var both *config.Conflict
			require.ErrorAs(t, err, &both)
			require.Equal(t, test.option, both.Option)
			require.ErrorContains(t, err, test.scheme)
		})
	}
}

func TestOneLogLineForEachRequestWithoutSecrets(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	g := newGateway(t, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	g.deliver("the body", "evt_1")
	g.deliver("the body", "evt_1")
	r := delivery("the body", "evt_2")
	r.Header.Set("X-VideoCloud-Signature", sign("forged"))
	g.serve(r)
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, lines, 3)
	for i, want := range []string{"webhook_outcome=accepted", "webhook_outcome=duplicate", "webhook_outcome=signature_mismatch"} {
		require.Contains(t, lines[i], want)
		require.Contains(t, lines[i], "webhook_name=videos")
		require.NotContains(t, lines[i], testSecret)
		require.NotContains(t, lines[i], "the body")
		require.NotContains(t, lines[i], sign("the body"))
		require.NotContains(t, lines[i], sign("forged"))
	}
	require.Contains(t, lines[0], "event_id=evt_1")
	require.Contains(t, lines[2], "level=WARN")
}

func TestForgetByIDOrKey(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b backend) {
		g := newGateway(t, func(o *Options) { o.Store = b.open(t, "videos") })
		requireAccepted(t, g.deliver("one", "evt_1"))
		requireDuplicate(t, g.deliver("one", "evt_1"))
		n, err := g.Forget(t.Context(), "evt_1")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		requireAccepted(t, g.deliver("one", "evt_1"))

		var out Outcome
		g.app.work = nil
		requireAccepted(t, g.deliver("no ID", ""))
		out = *FromContext(g.app.last().Context())
		n, err = g.Forget(t.Context(), out.Key)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		requireAccepted(t, g.deliver("no ID", ""))

		n, err = g.ForgetSince(t.Context(), time.Now().Add(-time.Hour))
		require.NoError(t, err)
		require.Equal(t, 2, n)
		requireAccepted(t, g.deliver("one", "evt_1"))
	})
}
