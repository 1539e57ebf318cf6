package sender

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

func TestRegistry(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		in := NewWebhook{Settings: Settings{URL: "http://127.0.0.1:1/hook?a=b%20c", Events: []string{"video.uploaded", "user.*"}, Description: "Ours, “the main one”", RateLimit: 5, MaxInFlight: 3}, Headers: map[string]string{"X-B": "1", "Authorization": "Bearer x"}}
		w, secret, err := b.CreateWebhook(t.Context(), "default", in)
		require.NoError(t, err)
		require.Regexp(t, `^whk_[0-9a-z]{12}$`, w.ID)
		require.Regexp(t, `^whsec_[A-Za-z0-9+/]{32}$`, secret)
		require.WithinDuration(t, time.Now(), w.CreatedAt, time.Minute)
		require.Equal(t, Webhook{Settings: Settings{URL: in.URL, Events: in.Events, Description: in.Description, RateLimit: 5, MaxInFlight: 3}, ID: w.ID, Status: StatusActive, CreatedAt: w.CreatedAt, HeaderNames: []string{"Authorization", "X-B"}}, w)
		require.Equal(t, w, b.hook(w))

		// Only what is given changes.
		require.Equal(t, w, b.update(w, WebhookUpdate{}))
		w.URL, w.Events = "http://127.0.0.1:2/", []string{"comment.created"}
		require.Equal(t, w, b.update(w, WebhookUpdate{Change: func(to *Webhook) error { to.URL = w.URL; to.Events = w.Events; return nil }}))
		w.Description, w.HeaderNames, w.RateLimit, w.MaxInFlight = "", nil, 0, 0
		require.Equal(t, w, b.update(w, WebhookUpdate{Change: func(to *Webhook) error {
			to.Description = w.Description
			to.RateLimit = w.RateLimit
			to.MaxInFlight = w.MaxInFlight
			return nil
		}, Headers: &map[string]string{}}))
		require.Equal(t, w, b.hook(w))
		require.Empty(t, b.publishes("default", Event{Type: "video.uploaded"}).Deliveries, "it has left its old subscriptions")
		require.Len(t, b.publishes("default", Event{Type: "comment.created"}).Deliveries, 1)

		require.NoError(t, b.DeleteWebhook(t.Context(), "default", w.ID))
		require.ErrorIs(t, b.DeleteWebhook(t.Context(), "default", w.ID), errNotFound)
		_, err = b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{})
		require.ErrorIs(t, err, errNotFound)
		_, err = b.TestWebhook(t.Context(), "default", w.ID)
		require.ErrorIs(t, err, errNotFound)
		require.Empty(t, b.publishes("default", Event{Type: "comment.created"}).Deliveries)
	})
}

// TestSubscriptions: a webhook gets an event once, however many of its subscriptions match.
func TestSubscriptions(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		types, err := config.EventTypesFromNames([]string{"a.b.c", "a.b.d", "a.x", "b.c"})
		require.NoError(t, err)
		b := newBundle(t, store, func(o *Options) { o.Config.EventTypes = types })
		list, err := b.EventTypes(t.Context())
		require.NoError(t, err)
		require.Len(t, list, len(types))
		names := map[string]string{}
		for _, events := range [][]string{{"*"}, {"a.*"}, {"a.b.*"}, {"a.b.c"}, {"b.*", "a.x"}, {"a.b.c", "a.b.*", "a.*", "*"}} {
			names[b.in("default", "http://127.0.0.1:1/", events...).ID] = strings.Join(events, "+")
		}
		for event, want := range map[string][]string{
			"a.b.c": {"*", "a.*", "a.b.*", "a.b.c", "a.b.c+a.b.*+a.*+*"},
			"a.b.d": {"*", "a.*", "a.b.*", "a.b.c+a.b.*+a.*+*"},
			"a.x":   {"*", "a.*", "b.*+a.x", "a.b.c+a.b.*+a.*+*"},
			"b.c":   {"*", "b.*+a.x", "a.b.c+a.b.*+a.*+*"},
		} {
			var got []string
			for _, d := range b.publishes("default", Event{Type: event}).Deliveries {
				got = append(got, names[d.WebhookID])
			}
			require.ElementsMatch(t, want, got, event)
		}
		for _, bad := range []string{"a", "a.b", "x.*", "**", "*.*", "a.b.c.*", "a.b*", ".*", "video.uploaded", "a.b.c ", ""} {
			_, _, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: "http://127.0.0.1:1/", Events: []string{"a.x", bad}}})
			requireError(t, err, CodeUnknownEventType, "events")
		}
		// A test event goes to its webhook only, whatever it subscribes to.
		for id := range names {
			p, err := b.TestWebhook(t.Context(), "default", id)
			require.NoError(t, err)
			require.Equal(t, config.EventTest, p.Type)
			require.Len(t, p.Deliveries, 1)
			require.Equal(t, id, p.Deliveries[0].WebhookID)
		}
	})
}

// TestRefusedFields: every field of a webhook, at and beyond its limits.
func TestRefusedFields(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) { o.Config.Timeout = 15 * time.Second })
	good := func() NewWebhook {
		return NewWebhook{Settings: Settings{URL: "http://127.0.0.1:1/", Events: []string{"*"}}}
	}
	x := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		change func(in *NewWebhook)
		code   Code
		field  string
	}{
		"nothing wrong":        {func(*NewWebhook) {}, "", ""},
		"no URL":               {func(in *NewWebhook) { in.URL = "" }, CodeInvalidField, "url"},
		"no host":              {func(in *NewWebhook) { in.URL = "https://" }, CodeInvalidField, "url"},
		"a private address":    {func(in *NewWebhook) { in.URL = "https://10.0.0.1/" }, CodeUnsafeURL, "url"},
		"metadata":             {func(in *NewWebhook) { in.URL = "http://169.254.169.254/latest" }, CodeUnsafeURL, "url"},
		"user info":            {func(in *NewWebhook) { in.URL = "https://user:secret_in_url@example.com/" }, CodeUnsafeURL, "url"},
		"another scheme":       {func(in *NewWebhook) { in.URL = "file:///etc/passwd" }, "", "url"},
		"a decimal address":    {func(in *NewWebhook) { in.URL = "http://2130706433/" }, CodeUnsafeURL, "url"},
		"too long":             {func(in *NewWebhook) { in.URL = "https://example.com/" + x(2048) }, CodeInvalidField, "url"},
		"a line end":           {func(in *NewWebhook) { in.URL = "https://example.com/\r\nX: y" }, CodeInvalidField, "url"},
		"no events":            {func(in *NewWebhook) { in.Events = nil }, CodeInvalidField, "events"},
		"an event twice":       {func(in *NewWebhook) { in.Events = []string{"video.*", "video.*"} }, CodeInvalidField, "events"},
		"the test event":       {func(in *NewWebhook) { in.Events = []string{config.EventTest} }, CodeUnknownEventType, "events"},
		"secret of 15":         {func(in *NewWebhook) { in.Secret = x(15) }, CodeInvalidField, "secret"},
		"secret of 16":         {func(in *NewWebhook) { in.Secret = x(16) }, "", ""},
		"secret of 256":        {func(in *NewWebhook) { in.Secret = x(256) }, "", ""},
		"secret of 257":        {func(in *NewWebhook) { in.Secret = x(257) }, CodeInvalidField, "secret"},
		"secret in UTF-8":      {func(in *NewWebhook) { in.Secret = "sécret with “quotes”" }, "", ""},
		"secret not UTF-8":     {func(in *NewWebhook) { in.Secret = x(16) + "\xff" }, CodeInvalidField, "secret"},
		"whsec_ of nothing":    {func(in *NewWebhook) { in.Secret = "whsec_          " }, CodeInvalidField, "secret"},
		"whsec_ not base64":    {func(in *NewWebhook) { in.Secret = "whsec_" + strings.Repeat("!", 16) }, CodeInvalidField, "secret"},
		"whsec_ base64":        {func(in *NewWebhook) { in.Secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(x(24))) }, "", ""},
		"description of 1024":  {func(in *NewWebhook) { in.Description = x(1024) }, "", ""},
		"description of 1025":  {func(in *NewWebhook) { in.Description = x(1025) }, CodeInvalidField, "description"},
		"description not text": {func(in *NewWebhook) { in.Description = "\xff" }, CodeInvalidField, "description"},
		"negative rate":        {func(in *NewWebhook) { in.RateLimit = -1 }, CodeInvalidField, "rateLimit"},
		"huge rate":            {func(in *NewWebhook) { in.RateLimit = 100_001 }, CodeInvalidField, "rateLimit"},
		"negative in flight":   {func(in *NewWebhook) { in.MaxInFlight = -1 }, CodeInvalidField, "maxInFlight"},
		"retry of one":         {func(in *NewWebhook) { in.Retry = lengths(0) }, "", ""},
		"retry of 16":          {func(in *NewWebhook) { in.Retry = slices.Repeat(lengths(time.Minute), 16) }, "", ""},
		"retry of 17":          {func(in *NewWebhook) { in.Retry = slices.Repeat(lengths(0), 17) }, CodeInvalidField, "retry"},
		"retry of none":        {func(in *NewWebhook) { in.Retry = lengths() }, CodeInvalidField, "retry"},
		"negative delay":       {func(in *NewWebhook) { in.Retry = lengths(0, -time.Second) }, CodeInvalidField, "retry"},
		"retry within max_age": {func(in *NewWebhook) { in.Retry = lengths(0, 24*time.Hour-16*time.Second) }, "", ""},
		"retry of max_age":     {func(in *NewWebhook) { in.Retry = lengths(0, 24*time.Hour-15*time.Second) }, CodeInvalidField, "retry"},
		"retry without end":    {func(in *NewWebhook) { in.Retry = slices.Repeat(lengths(math.MaxInt64), 3) }, CodeInvalidField, "retry"},
		"timeout too short":    {func(in *NewWebhook) { in.Timeout = config.Duration(time.Second - 1) }, CodeInvalidField, "timeout"},
		"timeout too long":     {func(in *NewWebhook) { in.Timeout = config.Duration(time.Minute + 1) }, CodeInvalidField, "timeout"},
		"negative timeout":     {func(in *NewWebhook) { in.Timeout = -1 }, CodeInvalidField, "timeout"},
		"timeout of a minute":  {func(in *NewWebhook) { in.Timeout = config.Duration(time.Minute) }, "", ""},
		"filter":               {func(in *NewWebhook) { in.Filter = "data.size > 1" }, "", ""},
		"filter of 1024":       {func(in *NewWebhook) { in.Filter = "event != '" + x(1013) + "'" }, "", ""},
		"filter of 1025":       {func(in *NewWebhook) { in.Filter = "event != '" + x(1014) + "'" }, CodeInvalidField, "filter"},
		"blank filter":         {func(in *NewWebhook) { in.Filter = " " }, CodeInvalidField, "filter"},
		"filter of a number":   {func(in *NewWebhook) { in.Filter = "data.size + 1" }, CodeInvalidField, "filter"},
		"filter with an error": {func(in *NewWebhook) { in.Filter = "data.size >" }, CodeInvalidField, "filter"},
		"huge in flight":       {func(in *NewWebhook) { in.MaxInFlight = 10_001 }, CodeInvalidField, "maxInFlight"},
	} {
		t.Run(name, func(t *testing.T) {
			in := good()
			c.change(&in)
			_, _, err := b.CreateWebhook(t.Context(), "default", in)
			w := b.webhook("http://127.0.0.1:1/")
			_, changed := b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Change: func(to *Webhook) error {
				to.URL = in.URL
				to.Events = in.Events
				to.Description = in.Description
				to.RateLimit = in.RateLimit
				to.MaxInFlight = in.MaxInFlight
				to.Retry = in.Retry
				to.Timeout = in.Timeout
				to.Filter = in.Filter
				return nil
			}, Secret: orNil(in.Secret)})
			if c.field == "" {
				require.NoError(t, err)
				require.NoError(t, changed)
				return
			}
			require.Equal(t, err, changed)
			if c.code == "" {
				require.Error(t, err)
				return
			}
			requireError(t, err, c.code, c.field)
			require.NotContains(t, err.Error(), "secret_in_url")
			require.Equal(t, w, b.hook(w), "a refused change changes nothing")
		})
	}
	w := b.webhook("http://127.0.0.1:1/")
	for name, c := range map[string]struct {
		u     WebhookUpdate
		field string
	}{
		"failed by hand":      {WebhookUpdate{Status: ptr(StatusFailed)}, "status"},
		"disabled by hand":    {WebhookUpdate{Status: ptr(StatusDisabled)}, "status"},
		"no such status":      {WebhookUpdate{Status: ptr(Status("deleted"))}, "status"},
		"an empty status":     {WebhookUpdate{Status: ptr(Status(""))}, "status"},
		"an empty secret":     {WebhookUpdate{Secret: ptr("")}, "secret"},
		"an overlap alone":    {WebhookUpdate{SecretOverlap: time.Hour}, "secretOverlap"},
		"a negative overlap":  {WebhookUpdate{Secret: ptr(first16), SecretOverlap: -1}, "secretOverlap"},
		"an overlap for ever": {WebhookUpdate{Secret: ptr(first16), SecretOverlap: config.MaxSecretOverlap + 1}, "secretOverlap"},
	} {
		_, err := b.UpdateWebhook(t.Context(), "default", w.ID, c.u)
		var e *Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, c.field, e.Field, name)
	}
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// TestWebhooksOfAnAccount: oldest first, in pages, to the limit of a thousand.
func TestWebhooksOfAnAccount(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		var ids []string
		for i := range config.MaxWebhooks {
			ids = append(ids, b.in("default", fmt.Sprintf("http://127.0.0.1:1/%d", i), "video.*").ID)
		}
		_, _, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: "http://127.0.0.1:1/", Events: []string{"*"}}})
		requireError(t, err, CodeLimitReached, "")
		b.in("another", "http://127.0.0.1:1/")

		for _, limit := range []int{0, 1, 99, 100} {
			var seen []string
			for cursor, pages := "", 0; ; pages++ {
				items, next, err := b.ListWebhooks(t.Context(), "default", cursor, limit)
				require.NoError(t, err)
				for _, w := range items {
					seen = append(seen, w.ID)
				}
				if next == "" {
					break
				}
				want := limit
				if want == 0 {
					want = config.DefaultPageLimit
				}
				require.Len(t, items, want)
				if cursor = next; limit == 1 && pages == 30 {
					break // the rest of it is as dull
				}
			}
			require.Equal(t, ids[:len(seen)], seen)
			if limit != 1 {
				require.Len(t, seen, len(ids))
			}
		}
		for _, limit := range []int{-1, 101, 1 << 40} {
			_, _, err := b.ListWebhooks(t.Context(), "default", "", limit)
			requireError(t, err, CodeInvalidField, "limit")
			_, _, err = b.Deliveries(t.Context(), "default", ids[0], DeliveryFilter{Limit: limit})
			requireError(t, err, CodeInvalidField, "limit")
		}
		for _, cursor := range []string{"x", "!", "abc", "AAAA", "====", strings.Repeat("A", 1000), base64.RawURLEncoding.EncodeToString([]byte("-")), base64.RawURLEncoding.EncodeToString([]byte("1-x")), "\r\n"} {
			_, _, err := b.ListWebhooks(t.Context(), "default", cursor, 0)
			requireError(t, err, CodeInvalidField, "cursor")
			_, _, err = b.Deliveries(t.Context(), "default", ids[0], DeliveryFilter{Cursor: cursor})
			requireError(t, err, CodeInvalidField, "cursor")
		}
		p := b.publishes("default", Event{})
		require.Len(t, p.Deliveries, config.MaxWebhooks)
		require.NoError(t, b.DeleteWebhook(t.Context(), "default", ids[7]))
		b.in("default", "http://127.0.0.1:1/")
	})
}

// TestConcurrentUpdates: changes of different fields made at once are all there afterwards.
func TestConcurrentUpdates(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		w := b.webhook("http://127.0.0.1:1/")
		var all sync.WaitGroup
		for _, u := range []WebhookUpdate{
			{Change: func(to *Webhook) error { to.Description = "new"; return nil }}, {Change: func(to *Webhook) error { to.URL = "http://127.0.0.1:2/"; return nil }}, {Change: func(to *Webhook) error { to.Events = []string{"user.*"}; return nil }}, {Change: func(to *Webhook) error { to.RateLimit = 7; return nil }}, {Change: func(to *Webhook) error { to.MaxInFlight = 9; return nil }}, {Headers: &map[string]string{"X-A": "1"}},
		} {
			all.Go(func() {
				_, err := b.UpdateWebhook(t.Context(), "default", w.ID, u)
				assert.NoError(t, err)
			})
		}
		all.Wait()
		w.Description, w.URL, w.Events, w.RateLimit, w.MaxInFlight, w.HeaderNames = "new", "http://127.0.0.1:2/", []string{"user.*"}, 7, 9, []string{"X-A"}
		require.Equal(t, w, b.hook(w))
		require.Empty(t, b.publishes("default", Event{}).Deliveries)
		require.Len(t, b.publishes("default", Event{Type: "user.created"}).Deliveries, 1)
	})
}
