package sdk_test

import (
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/client"
)

// goHabits is what a Go programmer writes without thinking, against a running API: the zero value behind a pointer clears, nil leaves, a
// time carries its zone, what JSON can't hold is an error rather than something else, and a loop over a list is left with break.
func goHabits(t *testing.T, c *client.Client) {
	retry, timeout := []client.Duration{0, client.Duration(5 * time.Minute)}, client.Duration(5*time.Second)
	webhook, err := c.Webhooks.Register(t.Context(), client.NewWebhook{
		URL: "http://127.0.0.1:9/", Events: []string{"*"}, Description: "Production", Headers: map[string]string{"X-Environment": "production"},
		RateLimit: 50, MaxInFlight: 4, Retry: retry, Timeout: timeout, Metadata: map[string]string{"team": "video"},
		Filter: "data.size > 1", Ordered: true, Signing: client.SigningEd25519, Auth: &client.Auth{Type: "bearer", Token: "hunter2"},
	})
	require.NoError(t, err)
	there := func(w client.Webhook) (fields []string) {
		for name, is := range map[string]bool{
			"description": w.Description != "", "headers": len(w.HeaderNames) > 0, "rateLimit": w.RateLimit != 0, "maxInFlight": w.MaxInFlight != 0,
			"retry": len(w.Retry) > 0, "timeout": w.Timeout != 0, "metadata": len(w.Metadata) > 0,
			"filter": w.Filter != "", "ordered": w.Ordered, "signing": w.Signing != "", "auth": w.Auth != nil,
		} {
			if is {
				fields = append(fields, name)
			}
		}
		return fields
	}
	require.Len(t, there(webhook), 11)
	left, err := c.Webhooks.Update(t.Context(), webhook.ID, client.WebhookUpdate{})
	require.NoError(t, err)
	require.Len(t, there(left), 11)
	cleared, err := c.Webhooks.Update(t.Context(), webhook.ID, client.WebhookUpdate{
		Description: new(string), Headers: map[string]string{}, RateLimit: new(int), MaxInFlight: new(int),
		Retry: []client.Duration{}, Timeout: new(client.Duration), Metadata: map[string]string{},
		Filter: new(string), Ordered: new(bool), Signing: new(client.Signing), Auth: &client.Auth{},
	})
	require.NoError(t, err)
	require.Empty(t, there(cleared))
	account, err := c.Accounts.Update(t.Context(), client.AccountUpdate{
		Name: new("Shop"), NotifyEmail: []string{"a@example.com"}, NotifyURL: new("http://127.0.0.1:9/"), NotifySecret: new("your_webhook_secret"),
	})
	require.NoError(t, err)
	require.Equal(t, []any{"Shop", 1, "http://127.0.0.1:9/"}, []any{account.Name, len(account.NotifyEmail), account.NotifyURL})
	account, err = c.Accounts.Update(t.Context(), client.AccountUpdate{Name: new(string), NotifyEmail: []string{}, NotifyURL: new(string)})
	require.NoError(t, err)
	require.Equal(t, []any{"", 0, ""}, []any{account.Name, len(account.NotifyEmail), account.NotifyURL})

	_, err = c.Events.Publish(t.Context(), client.Event{Type: "video.deleted", Data: map[string]any{"size": math.NaN()}})
	require.Error(t, err, "JSON has no NaN")
	// Two spellings of one moment.
	east := time.FixedZone("", 9*60*60)
	first, err := c.Events.Publish(t.Context(), client.Event{Type: "video.deleted", Data: struct{}{}, Timestamp: time.Date(2024, 3, 31, 21, 0, 0, 0, east)})
	require.NoError(t, err)
	second, err := c.Events.Publish(t.Context(), client.Event{Type: "video.deleted", Data: struct{}{}, Timestamp: time.Date(2024, 3, 31, 12, 0, 0, 0, time.UTC)})
	require.NoError(t, err)
	require.True(t, first.Timestamp.Equal(second.Timestamp))
	_, err = c.Webhooks.Replay(t.Context(), webhook.ID, client.ReplayRequest{Since: time.Date(2024, 3, 31, 12, 0, 0, 0, time.Local), DryRun: true})
	require.NoError(t, err)

	_, err = c.Webhooks.Get(t.Context(), "whk_000000000000")
	var refused *client.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, client.CodeNotFound, refused.Code)
	for _, err := range c.Webhooks.All(t.Context()) {
		require.NoError(t, err)
		break
	}
	require.NoError(t, c.Webhooks.Delete(t.Context(), webhook.ID))
}

// TestPythonOldest runs the Python SDK's tests with the oldest Python that it promises, 3.9, whoever makes it: CPython or PyPy.
func TestPythonOldest(t *testing.T) {
	t.Parallel()
	python := ""
	for _, name := range []string{"python3.9", "pypy3.9", "pypy3"} {
		out, err := exec.CommandContext(t.Context(), name, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
		if err == nil && strings.TrimSpace(string(out)) == "3.9" {
			python = name
			break
		}
	}
	if python == "" {
		t.Skip("there is no Python 3.9 here; Debian 12 and Ubuntu 24.04 have one in the package pypy3")
	}
	dir := filepath.Join(copied(t, "python", "testdata"), "python")
	env := startSystem(t).environment("PYTHONPATH="+filepath.Join(dir, "src"), "PYTHONDONTWRITEBYTECODE=1")
	run(t, dir, env, python, "-W", "error", "-m", "unittest", "discover", "-s", "tests", "-t", ".")
}
