package command

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// full takes nothing, as a file on a full disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

// An answer that could not be written is no success: a key that nobody has seen would be lost.
func TestAnswersThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"key_1","key":"vck_of-this-test"}`)
	}))
	t.Cleanup(admin.Close)
	for _, args := range [][]string{
		{"version"}, {"schemes"}, {"keygen"}, {"keygen", "--json"}, {"sign", "--secret", testSecret},
		{"keys", "create", "--role", "all", "--address", strings.TrimPrefix(admin.URL, "http://")},
	} {
		var errs bytes.Buffer
		require.Equal(t, 1, callIO(t.Context(), strings.NewReader(testBody), full{}, &errs, args...), args)
		require.Contains(t, errs.String(), "no space left", args)
	}
}
