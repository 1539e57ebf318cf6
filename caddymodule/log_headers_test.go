package caddymodule

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2"
)

// TestLesson68_LogsThatShowASecretAreToldOf: the warning comes exactly where the token is in the log at a 5xx afterwards.
func TestLesson68_LogsThatShowASecretAreToldOf(t *testing.T) {
	const token = "a-token-that-gitlab-sends"
	all := "format filter {\nrequest>headers delete\n}"
	for name, test := range map[string]struct {
		scheme, header string
		global, site   string // what the logs have
		server         string
		shown          bool
	}{
		"a plain log":                  {"gitlab", "X-Gitlab-Token", "", "", "", true},
		"all headers left out":         {"gitlab", "X-Gitlab-Token", all, all, "", false},
		"that header left out":         {"gitlab", "X-Gitlab-Token", "format filter {\nrequest>headers>X-Gitlab-Token delete\n}", "format filter {\nrequest>headers>X-Gitlab-Token delete\n}", "", false},
		"that header replaced":         {"gitlab", "X-Gitlab-Token", "format filter {\nrequest>headers>X-Gitlab-Token replace hidden\n}", "format filter {\nrequest>headers>X-Gitlab-Token replace hidden\n}", "", false},
		"another header left out":      {"gitlab", "X-Gitlab-Token", "format filter {\nrequest>headers>X-Other delete\n}", "", "", true},
		"a log of the site's own":      {"gitlab", "X-Gitlab-Token", all, "format json", "", true},
		"a header of the option's":     {"token {\nheader X-Own\n}", "X-Own", "", "", "", true},
		"one that Caddy hides":         {"token {\nheader Authorization\n}", "Authorization", "", "", "", false},
		"one that Caddy hides no more": {"token {\nheader Authorization\n}", "Authorization", "", "", "log_credentials", true},
		"no secret in a header":        {"github", "X-Hub-Signature-256", "", "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			own := s.log + "-site"
			config, err := adapt(fmt.Sprintf(`{
				admin 127.0.0.1:%d
				persist_config off
				auto_https off
				default_bind 127.0.0.1
				storage file_system %s
				log {
					output file %s
					%s
				}
				servers {
					%s
				}
			}
			http://127.0.0.1:%d {
				log {
					output file %s
					%s
				}
				webhook_receiver {
					scheme %s
					secret %s
				}
				error 500
			}
			`, s.admin, filepath.Dir(s.log), s.log, test.global, test.server, s.port, own, test.site, test.scheme, token))
			require.NoError(t, err)
			require.NoError(t, caddy.Load(config, true))
			warned := strings.Contains(s.logged(), "is the scheme's secret: give each log a block")
			if test.scheme == "github" {
				require.False(t, warned)
				return
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url("/"), strings.NewReader("{}"))
			require.NoError(t, err)
			req.Header.Set(test.header, token)
			resp, _ := do(t, req)
			require.Equal(t, http.StatusInternalServerError, resp.StatusCode, "it has the right token")
			site := *s
			site.log = own
			require.Eventually(t, func() bool { return strings.Contains(site.logged(), "handled request") }, 2*time.Minute, 5*time.Millisecond)
			require.Equal(t, test.shown, strings.Contains(s.logged()+site.logged(), token))
			require.Equal(t, test.shown, warned)
		})
	}
}
