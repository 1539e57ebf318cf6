package command

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	asked := ""
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.RequestURI() + " " + string(body)
		switch r.Method {
		case http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, `{"id":"key_1","key":"vck_of-this-test","account":"shop","role":"all","createdAt":"2024-03-31T12:00:00Z"}`)
		case http.MethodGet:
			_, _ = io.WriteString(w, `{"items":[{"id":"key_1","account":"shop","role":"all","createdAt":"2024-03-31T12:00:00Z"}],"nextCursor":"abc"}`)
		default:
			_, _ = io.WriteString(w, `{"id":"key_1"}`)
		}
	}))
	t.Cleanup(admin.Close)
	keys := func(args ...string) result {
		return call(t, "", append(append([]string{"keys"}, args...), "--address", strings.TrimPrefix(admin.URL, "http://"))...)
	}
	made := keys("create", "--account", "shop", "--role", "all", "--expires-in", "90d", "--description", "of a test")
	require.Equal(t, 0, made.status, made.stderr)
	require.Equal(t, "vck_of-this-test\n", made.stdout, "nothing else, for scripts")
	require.Equal(t, `POST /webhooks/keys {"account":"shop","role":"all","description":"of a test","expiresIn":"2160h0m0s"}`, asked)
	require.Contains(t, keys("create", "--role", "read", "--json").stdout, `"key":"vck_of-this-test"`)

	list := keys("list", "--account", "shop", "--limit", "2")
	require.Equal(t, 0, list.status, list.stderr)
	require.Equal(t, "GET /webhooks/keys?account=shop&limit=2 ", asked)
	require.Contains(t, list.stdout, "key_1")
	require.Contains(t, list.stdout, "--cursor abc")

	require.Equal(t, 0, keys("delete", "key_1").status)
	require.Equal(t, "DELETE /webhooks/keys?id=key_1 ", asked)
	for _, args := range [][]string{{"create"}, {"delete"}, {"delete", "key_1", "key_2"}, {"list", "more"}, {"forget"}, {"create", "--role", "all", "--expires-in", "soon"}} {
		require.Equal(t, 2, keys(args...).status, args)
	}
}
