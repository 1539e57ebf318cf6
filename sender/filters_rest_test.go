package sender_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFilterErrorsByREST: a webhook and its stats tell of the events that its filter failed on; where there are none, and elsewhere, nothing is told.
func TestFilterErrorsByREST(t *testing.T) {
	t.Parallel()
	do := newREST(t)
	_, w, text := do("POST", "/webhooks", `{"url":"https://hooks.example.com/","events":["video.uploaded"],"secret":"your_webhook_secret","filter":"data.size > 1"}`)
	path, ok := w["id"].(string)
	require.True(t, ok, text)
	path = "/webhooks/" + path
	for n, data := range []string{`{"size":2}`, `{}`, `{"size":"2"}`} {
		status, p, text := do("POST", "/events", `{"event":"video.uploaded","data":`+data+`}`)
		require.Equal(t, 202, status, text)
		require.Len(t, p["deliveries"], 1)
		for _, of := range []string{path, path + "/stats?window=1h"} {
			status, shown, text := do("GET", of, "")
			require.Equal(t, 200, status, text)
			if n == 0 {
				require.NotContains(t, shown, "filterErrors")
			} else {
				require.EqualValues(t, n, shown["filterErrors"])
			}
		}
	}
	_, all, _ := do("GET", "/stats", "")
	require.NotContains(t, all, "filterErrors")
}
