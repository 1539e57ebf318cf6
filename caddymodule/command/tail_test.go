package command

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// notes is written to and read at once.
type notes struct {
	mu   sync.Mutex
	text strings.Builder
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// Caddy goes away in mid-stream: that is said once, and an interrupt still ends well.
func TestTailWaitsForCaddy(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	var out, errs notes
	ctx, stop := context.WithCancel(t.Context())
	status := make(chan int, 1)
	go func() {
		status <- callIO(ctx, strings.NewReader(""), &out, &errs, "tail", "--address", strings.TrimPrefix(server.URL, "http://"))
	}()
	<-asked // each stream ends at once, until there is no server any more
	server.Close()
	require.Eventually(t, func() bool { return strings.Contains(errs.String(), "Caddy is gone") }, time.Minute, time.Millisecond)
	stop()
	require.Zero(t, <-status)
	require.Equal(t, 1, strings.Count(errs.String(), "\n"))
}

func TestTailLines(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`{"kind":"left_out","leftOut":7}`: `^7 lines left out`,
		`{"kind":"attempt","at":"2024-03-31T12:00:00Z","outcome":"status","statusCode":500,"durationMs":12,"event":"a.b","eventId":"evt_1","webhookId":"whk_1",` +
			`"account":"shop","attempt":2,"state":"retrying","nextAttemptInMs":60000,"error":"answered 500"}`: `attempt +status +500 +12 ms  a\.b evt_1 to whk_1 \(shop\), attempt 2, retrying, again in 1m0s: answered 500$`,
		`{"kind":"received","at":"2024-03-31T12:00:00Z","outcome":"ip","name":"shop","scheme":"github"}`: `received +ip +- +0 ms  - - at shop \(github\)$`,
		`{"kind":"received","at":"2024-03-31T12:00:00Z","outcome":"signature_mismatch","statusCode":401,"name":"shop","scheme":"github","error":"signature_mismatch: no secret makes it"}`: `` +
			`received +signature_mismatch +401 +0 ms  - - at shop \(github\): signature_mismatch: no secret makes it$`,
		`{"kind":"received","at":"2024-03-31T12:00:00Z","outcome":"timestamp","dryRun":true,"name":"shop","scheme":"stripe","error":"it is 2 h old"}`: `at shop \(stripe\), dry run: it is 2 h old$`,
		`{"kind":"delivery","at":"2024-03-31T12:00:00Z","outcome":"retrying","name":"shop","id":"evt_1","attempt":1,"nextAttemptInMs":1000,"error":"the app answered 500"}`: `` +
			`delivery +retrying +- +0 ms  - evt_1 from the queue of shop, attempt 1, again in 1s: the app answered 500$`,
	} {
		var l tailLine
		require.NoError(t, json.Unmarshal([]byte(line), &l))
		require.Regexp(t, want, l.String())
	}
}
