package console_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/console"
)

// TestOneClick: mail to an address ends by the form that RFC 8058 has, sent to the link with a token, and by nothing less.
func TestOneClick(t *testing.T) {
	t.Parallel()
	const form, link = "application/x-www-form-urlencoded", "/console/portal/?unsubscribe=a.b"
	multipart := "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n"
	for name, row := range map[string]struct {
		method, target, kind, body string
		status                     int
		ends                       bool
	}{
		"as it should be":            {"POST", link, form, "List-Unsubscribe=One-Click", 200, true},
		"as multipart":               {"POST", link, "multipart/form-data; boundary=x", multipart, 200, true},
		"where the portal has no /":  {"POST", "/console/portal?unsubscribe=a.b", form, "List-Unsubscribe=One-Click", 200, true},
		"a link that is looked at":   {"GET", link, "", "", 200, false},
		"a link that is asked about": {"HEAD", link, "", "", 200, false},
		"an empty form":              {"POST", link, form, "", 400, false},
		"another word":               {"POST", link, form, "List-Unsubscribe=No", 400, false},
		"the form in the link":       {"POST", link + "&List-Unsubscribe=One-Click", form, "", 400, false},
		"JSON":                       {"POST", link, "application/json", `{"List-Unsubscribe":"One-Click"}`, 400, false},
		"a form that never ends":     {"POST", link, form, "List-Unsubscribe=One-Click&x=" + strings.Repeat("x", 1<<20), 400, false},
		"no token":                   {"POST", "/console/portal/", form, "List-Unsubscribe=One-Click", 405, false},
		"the console":                {"POST", "/console/?unsubscribe=a.b", form, "List-Unsubscribe=One-Click", 405, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := ""
			h := newConsole(t, console.Options{Unsubscribe: func(_ http.ResponseWriter, _ *http.Request, token string) { ended = token }})
			r := httptest.NewRequest(row.method, row.target, strings.NewReader(row.body))
			r.Header.Set("Content-Type", row.kind)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, row.status, w.Code, w.Body)
			if row.ends {
				require.Equal(t, "a.b", ended)
				return
			}
			require.Empty(t, ended)
		})
	}
}
