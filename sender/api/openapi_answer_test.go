package api_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/sender/api"
)

// The console asks for the document at each log-in: compressed it is a tenth.
func TestTheConsoleGetsTheDocumentCompressed(t *testing.T) {
	t.Parallel()
	h, err := api.New(api.Options{
		Service: newFake(), Keys: []api.Key{{Value: demoKey}}, Mounted: func(r *http.Request) string { return r.Header.Get("Mounted") },
	})
	require.NoError(t, err)
	// Its server is that of each request, as where two sites share a handler.
	for _, mounted := range []string{"", "/one", "/two", "/one"} {
		get := func(console, encoding string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodGet, "/openapi.json", nil)
			r.Header = http.Header{"Mounted": {mounted}, api.ConsoleHeader: {console}, "Accept-Encoding": {encoding}}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			return w
		}
		plain, zipped := get("1", "br"), get("1", "br, gzip")
		require.Empty(t, plain.Header().Get("Content-Encoding"))
		require.Contains(t, plain.Body.String(), `"servers":[{"url":"`+mounted)
		require.Equal(t, plain.Body.String(), get("", "gzip").Body.String())
		require.Equal(t, "gzip", zipped.Header().Get("Content-Encoding"))
		require.Less(t, zipped.Body.Len(), 30_000)
		z, err := gzip.NewReader(zipped.Body)
		require.NoError(t, err)
		content, err := io.ReadAll(z)
		require.NoError(t, err)
		require.Equal(t, plain.Body.String(), string(content))
	}
}
