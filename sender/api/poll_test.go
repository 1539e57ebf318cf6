package api_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/sender/api"
)

// keptForEver gives every answer again until it is told to forget.
type keptForEver struct {
	answers map[string]any
	asked   int
}

func (k *keptForEver) Poll(_ context.Context, question string, ask func() (any, error)) (any, error) {
	if a, ok := k.answers[question]; ok {
		return a, nil
	}
	k.asked++
	a, err := ask()
	if err == nil {
		k.answers[question] = a
	}
	return a, err
}

func (k *keptForEver) Forget() { clear(k.answers) }

// TestPollsAreSharedByThoseWhoMayHearThem: whatever others asked before, each caller's answer to a poll is what the caller
// is told alone: pages of the same account share it, and nobody hears of another's things by it.
func TestPollsAreSharedByThoseWhoMayHearThem(t *testing.T) {
	t.Parallel()
	polls := &keptForEver{answers: map[string]any{}}
	b := newBench(t, api.Options{Polls: polls, Keys: []api.Key{
		{Value: demoKey, Account: "*"}, {Value: "first", Account: "a"}, {Value: "first-too", Account: "a"}, {Value: "second", Account: "b"},
		{Value: "publisher", Account: "a", Role: api.RolePublish},
	}})
	ask := func(key, method, path, account, body string, again bool) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-API-Key", key)
		r.Header.Set(api.ConsoleHeader, "1")
		if account != "" {
			r.Header.Set("X-VideoCloud-Account", account)
		}
		if again {
			r.Header.Set(api.ConsoleHeader, api.Again)
		}
		return b.serve(r)
	}
	id := func(w *httptest.ResponseRecorder) string {
		var made struct{ Data struct{ ID, Token string } }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &made), w.Body)
		return made.Data.ID
	}
	webhooks := []string{id(ask("first", "POST", "/webhooks", "", hook, false)), id(ask("second", "POST", "/webhooks", "", hook, false))}
	event := id(ask("first", "POST", "/events", "", event, false))
	paths := []string{"/webhooks", "/webhooks?limit=1", "/webhooks/" + webhooks[0], "/webhooks/" + webhooks[1], "/webhooks/" + webhooks[0] + "/deliveries", "/events/" + event, "/event-types", "/webhooks/" + webhooks[0] + "/stats", "/webhooks/whk_none", "/webhooks?limit=many"}
	callers := [][2]string{{"first", ""}, {"first-too", ""}, {"second", ""}, {"publisher", ""}, {demoKey, "a"}, {demoKey, "b"}, {demoKey, ""}, {"nobody", ""}}
	for range 2 {
		for _, path := range paths {
			for _, caller := range callers {
				alone, polled := ask(caller[0], "GET", path, caller[1], "", false), ask(caller[0], "GET", path, caller[1], "", true)
				require.Equal(t, alone.Code, polled.Code, "%s by %s", path, caller)
				if alone.Code < 300 {
					require.JSONEq(t, alone.Body.String(), polled.Body.String(), "%s by %s", path, caller)
				}
			}
		}
	}
	polls.Forget()
	before := polls.asked
	ask("first", "GET", "/webhooks", "", "", true)
	ask("first-too", "GET", "/webhooks", "", "", true)
	require.Equal(t, before+1, polls.asked, "two pages of an account have one answer")

	// A change shows up at once.
	require.Equal(t, 200, ask("first", "PUT", "/webhooks/"+webhooks[0], "", `{"description":"changed"}`, false).Code)
	require.Contains(t, ask("first-too", "GET", "/webhooks", "", "", true).Body.String(), "changed")
}
