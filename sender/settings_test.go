package sender

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/redistest"
)

// Whoever adds a field gives it a rule: no setting is without a bound.
func TestEverySettingHasABound(t *testing.T) {
	t.Parallel()
	for i := range settings {
		isFlag := reflect.TypeFor[Settings]().Field(settings[i].index).Type.Kind() == reflect.Bool
		require.True(t, isFlag || settings[i].max != 0 || settings[i].values != nil, settings[i].name)
		if reflect.TypeFor[Settings]().Field(settings[i].index).Type.Kind() == reflect.Map {
			require.NotZero(t, settings[i].maxKey, settings[i].name)
			require.NotZero(t, settings[i].maxValue, settings[i].name)
		}
	}
	url, _ := reflect.TypeFor[Settings]().FieldByName("URL")
	require.Equal(t, strconv.Itoa(destination.MaxURLLength), url.Tag.Get("max"))
}

func TestWhatWasTakenOnceStays(t *testing.T) {
	t.Parallel()
	store := redistest.Open(t, config.Redis{URL: config.Memory})
	lax := newBundle(t, store, func(o *Options) { o.Config.DeliverOff = true })
	w := lax.webhook("http://127.0.0.1:1/")
	strict := newBundle(t, store, func(o *Options) { o.Config.DeliverOff, o.Config.AllowHTTP = true, false })
	same := func(to *Webhook) error { to.URL, to.Description = w.URL, "other"; return nil }
	got, err := strict.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Change: same})
	require.NoError(t, err, "the URL is as it was")
	require.Equal(t, "other", got.Description)
	_, err = strict.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Change: func(to *Webhook) error { to.URL += "x"; return nil }})
	requireError(t, err, CodeUnsafeURL, "url")
}

// What a change edits in place is not what is compared with.
func TestChangesOfListsAndMapsAreChecked(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	w, _, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{
		URL: "http://127.0.0.1:1/", Events: []string{"video.*"}, Metadata: map[string]string{"a": "1"},
	}})
	require.NoError(t, err)
	_, err = b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Change: func(to *Webhook) error { to.Events[0] = "nonsense"; return nil }})
	requireError(t, err, CodeUnknownEventType, "events")
	_, err = b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Change: func(to *Webhook) error { to.Metadata[""] = "x"; return nil }})
	requireError(t, err, CodeInvalidField, "metadata")
	require.Equal(t, w, b.hook(w))
}

func TestLesson77ARegistrationRepeatedIsOneWebhook(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		in := NewWebhook{Settings: Settings{URL: "http://127.0.0.1:1/", Events: []string{"*"}}, IdempotencyKey: "key-1"}
		first, secret, err := b.CreateWebhook(t.Context(), "default", in)
		require.NoError(t, err)
		require.NotEmpty(t, secret)
		again, secret, err := b.CreateWebhook(t.Context(), "default", in)
		require.NoError(t, err)
		require.Equal(t, first, again)
		require.Empty(t, secret)
		require.Len(t, b.publishes("default", Event{}).Deliveries, 1)

		other := in
		other.Secret = "another_secret_of_it"
		_, _, err = b.CreateWebhook(t.Context(), "default", other)
		requireError(t, err, CodeConflict, "Idempotency-Key")

		require.NoError(t, b.DeleteWebhook(t.Context(), "default", first.ID))
		_, _, err = b.CreateWebhook(t.Context(), "default", in)
		requireError(t, err, CodeConflict, "Idempotency-Key")
	})
}

func TestAWebhookCanBeBornPaused(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		w, _, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: "http://127.0.0.1:1/", Events: []string{"*"}}, Status: StatusPaused})
		require.NoError(t, err)
		require.Equal(t, StatusPaused, w.Status)
		require.Equal(t, StatusPaused, b.hook(w).Status)
		_, _, err = b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: w.Settings, Status: StatusFailed})
		requireError(t, err, CodeInvalidField, "status")
	})
}
