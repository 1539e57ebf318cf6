package observability

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/videocloud/webhooks/internal/redistest"
)

const deploy = "../../deploy"

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(text)
}

// metricName is any of ours in a query, with the suffix that a histogram adds.
var (
	metricName = regexp.MustCompile(`caddy_webhook\w+`)
	suffix     = regexp.MustCompile(`_(bucket|sum|count)$`)
)

func requireKnownMetrics(t *testing.T, query string) {
	t.Helper()
	for _, name := range metricName.FindAllString(query, -1) {
		_, plain := families[name]
		_, histogram := families[suffix.ReplaceAllString(name, "")]
		require.True(t, plain || histogram, name)
	}
}

// rules are a file of alerts.
type rules struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

// Every alert asks for metrics that there are, and the page says what to do.
func TestAlerts(t *testing.T) {
	t.Parallel()
	var r rules
	d := yaml.NewDecoder(strings.NewReader(read(t, deploy, "prometheus/alerts.yml")))
	require.NoError(t, d.Decode(&r))
	page := read(t, "../../docs/operations.md")
	alerts := map[string]bool{}
	for _, g := range r.Groups {
		for _, a := range g.Rules {
			require.Regexp(t, `^Webhook\w+$`, a.Alert)
			require.False(t, alerts[a.Alert], "%s is there twice", a.Alert)
			alerts[a.Alert] = true
			requireKnownMetrics(t, a.Expr)
			require.Contains(t, a.Expr, "caddy_webhook_")
			require.Contains(t, []string{"warning", "critical"}, a.Labels["severity"])
			require.NotEmpty(t, a.Annotations["summary"])
			require.NotEmpty(t, a.Annotations["description"])
			require.True(t, strings.HasSuffix(a.Annotations["runbook_url"], "/docs/operations.md#"+strings.ToLower(a.Alert)), a.Alert)
			section := regexp.MustCompile(`(?ms)^### ` + a.Alert + `\n(.*?)^##`).FindStringSubmatch(page)
			require.Len(t, section, 2, "docs/operations.md does not say what to do at %s", a.Alert)
			require.Greater(t, len(strings.Fields(section[1])), 30, a.Alert)
		}
	}
	require.GreaterOrEqual(t, len(alerts), 8)
	// What an operator must hear of: failures, lateness, the store, signatures.
	for _, name := range []string{"WebhookAttemptsFailing", "WebhookOldestDue", "WebhookStoreErrors", "WebhookSignatureFailures"} {
		require.True(t, alerts[name], name)
	}
	for _, m := range regexp.MustCompile(`(?m)^### (Webhook\w+)$`).FindAllStringSubmatch(page, -1) {
		require.True(t, alerts[m[1]], "docs/operations.md has a section for %s, which is no alert", m[1])
	}
	for name := range families {
		require.Contains(t, page, "`"+name+"`")
	}
}

// promtool knows best, where it is installed.
func TestPromtool(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not on PATH (Debian has it in the package prometheus); the rules are parsed by TestAlerts")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"check", "config", "prometheus.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = filepath.Join(deploy, "prometheus")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "promtool %s: %s", strings.Join(args, " "), out)
	}
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	var d struct {
		Title, UID string
		Panels     []struct {
			ID          int
			Type, Title string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ Expr, RefID string }
			Datasource  struct{ UID string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, deploy, "grafana/dashboard.json")), &d))
	require.NotEmpty(t, d.Title)
	ids, shown := map[int]bool{}, ""
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		require.False(t, ids[p.ID], "panel %d is there twice", p.ID)
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				require.Empty(t, taken[[2]int{x, y}], "%s lies on another panel", p.Title)
				require.Less(t, x, 24, p.Title)
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		require.NotEmpty(t, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		require.Equal(t, "${datasource}", p.Datasource.UID)
		for _, target := range p.Targets {
			require.Contains(t, target.Expr, "caddy_webhook_", p.Title)
			require.Equal(t, strings.Count(target.Expr, "("), strings.Count(target.Expr, ")"), p.Title)
			requireKnownMetrics(t, target.Expr)
			shown += target.Expr
		}
	}
	for name := range families {
		require.Contains(t, shown, name, "the dashboard does not show it")
	}
}

// The compose file's Redis keeps what it is given, and its Caddyfile works.
func TestCompose(t *testing.T) {
	t.Parallel()
	var c struct {
		Services map[string]struct {
			Command  string
			Volumes  []string
			Secrets  []string
			Ports    []string
			User     string
			ReadOnly bool     `yaml:"read_only"`
			CapDrop  []string `yaml:"cap_drop"`
			Security []string `yaml:"security_opt"`
		}
		Secrets map[string]any
		Volumes map[string]any
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, deploy, "compose/compose.yml")), &c))
	for _, want := range []string{"--appendonly yes", "--maxmemory-policy noeviction", "/run/secrets/redis_conf"} {
		require.Contains(t, c.Services["redis"].Command, want)
	}
	text := read(t, deploy, "compose/compose.yml")
	require.NotRegexp(t, `--requirepass|redis-cli -a `, text, "a password on a command line is everybody's")
	require.Contains(t, text, "umask 077", "secrets are their owner's")
	require.NotContains(t, text, "chmod 0644")
	require.Empty(t, c.Services["redis"].Ports, "nobody outside needs Redis")
	for name, s := range c.Services {
		require.True(t, s.ReadOnly, name)
		require.Equal(t, []string{"ALL"}, s.CapDrop, name)
		require.Contains(t, s.Security, "no-new-privileges:true", name)
		require.NotEmpty(t, s.User, name)
		require.NotRegexp(t, `^0(:|$)`, s.User, name)
		for _, secret := range s.Secrets {
			require.Contains(t, c.Secrets, secret, name)
		}
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			if strings.HasPrefix(source, ".") {
				require.FileExists(t, filepath.Join(deploy, "compose", source))
			} else {
				require.Contains(t, c.Volumes, source)
			}
		}
	}
	for _, port := range []string{"8080", "8090"} {
		require.Contains(t, read(t, deploy, "compose/compose.yml"), "http://localhost:"+port+"}", "what it answers on without names")
		require.Contains(t, c.Services["caddy"].Ports, "127.0.0.1:"+port+":"+port)
	}
}

// Who stops a Caddy gives it the time that it may take: for requests, then for attempts in flight, then for redis local.
func TestStopsInTime(t *testing.T) {
	t.Parallel()
	const attempts = 10 * time.Second
	for caddyfile, limit := range map[string]struct{ file, pattern string }{
		"package/Caddyfile":     {"systemd/caddy-webhooks.service", `(?m)^TimeoutStopSec=(\S+)$`},
		"compose/Caddyfile":     {"compose/compose.yml", `stop_grace_period: (\S+)`},
		"image/Caddyfile.redis": {"image/Caddyfile.redis", `--stop-timeout (\d+)`},
	} {
		grace := regexp.MustCompile(`\tgrace_period (\S+)\n`).FindStringSubmatch(read(t, deploy, caddyfile))
		require.NotNil(t, grace, caddyfile)
		most := regexp.MustCompile(limit.pattern).FindStringSubmatch(read(t, deploy, limit.file))
		require.NotNil(t, most, limit.file)
		needs, err := time.ParseDuration(grace[1])
		require.NoError(t, err)
		has, err := time.ParseDuration(strings.TrimSuffix(most[1], "s") + "s")
		require.NoError(t, err)
		require.Greater(t, has, needs+attempts, caddyfile)
	}
	require.Contains(t, read(t, deploy, "systemd/caddy-webhooks.service"), "\nKillMode=mixed\n", "by default systemd also stops the server of redis local, which Caddy still needs")
}

func TestSystemdUnit(t *testing.T) {
	t.Parallel()
	unit := read(t, deploy, "systemd/caddy-webhooks.service")
	for _, want := range []string{"UMask=0077", "ProtectProc=invisible", "NoNewPrivileges=true", "ProtectSystem=strict", "StateDirectory=caddy-webhooks"} {
		require.Contains(t, unit, "\n"+want+"\n")
	}
	// The commands of its head name files that are there, and what the unit runs is what they install.
	for _, m := range regexp.MustCompile(`(?m)^#   install -m \d+ (?:-g \S+ )?(deploy/\S+) (\S+)$`).FindAllStringSubmatch(unit, -1) {
		require.FileExists(t, filepath.Join("../..", m[1]))
	}
	for _, place := range []string{"/usr/bin/caddy-webhooks", "/etc/caddy-webhooks/Caddyfile", "/etc/caddy-webhooks/env"} {
		require.GreaterOrEqual(t, strings.Count(unit, place), 2, place)
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not on PATH; what it would say of the unit is not known")
	}
	// With a program that is there in place of the one that is installed.
	file := filepath.Join(t.TempDir(), "caddy-webhooks.service")
	require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(unit, "/usr/bin/caddy-webhooks ", "/bin/true ")), 0o600))
	out, err := exec.Command(analyze, "verify", file).CombinedOutput()
	require.NoError(t, err, string(out))
	require.Empty(t, string(out))
}

// The image's Caddy is not root, and a volume belongs to whom its folder in the image belongs to.
func TestImageCanKeepCertificates(t *testing.T) {
	t.Parallel()
	image := read(t, deploy, "Dockerfile")
	_, last, ok := strings.Cut(image, ":nonroot\n")
	require.True(t, ok)
	before, _, ok := strings.Cut(last, "VOLUME /data")
	require.True(t, ok)
	for _, folder := range []string{"/data", "/config"} {
		require.Contains(t, before, "COPY --from=build --chown=nonroot:nonroot /own"+folder+" "+folder+"\n", "what is done to a volume afterwards is lost")
		require.Regexp(t, `RUN mkdir -p .*/own`+folder+`\b`, image)
		require.Contains(t, last, "="+folder)
	}
}

func TestComposeCaddyfileRuns(t *testing.T) {
	t.Parallel()
	store, secrets := startRedis(t), t.TempDir()
	for name, value := range map[string]string{
		"redis_password": redisPassword, "encryption_key": encryptionKey, "api_key": apiKey, "webhook_secret": signingSecret,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(secrets, name), []byte(value+"\n"), 0o600))
	}
	c := &caddy{t: t, name: "compose", admin: redistest.FreePort(t), port: redistest.FreePort(t), dir: t.TempDir()}
	metrics := redistest.FreePort(t)
	text := strings.NewReplacer(
		"/run/secrets", secrets, "localhost:2019", c.adminAddress()+"\n\tauto_https off\n\tdefault_bind 127.0.0.1", ":2020", fmt.Sprintf(":%d", metrics),
	).Replace(read(t, deploy, "compose/Caddyfile"))
	c.env = []string{
		"REDIS_ADDRESS=" + store.Addr(), "API_HOST=http://127.0.0.1:" + fmt.Sprint(c.port), "HOOKS_HOST=http://127.0.0.1:" + fmt.Sprint(redistest.FreePort(t)),
	}
	c.config = filepath.Join(c.dir, "Caddyfile")
	require.NoError(t, os.WriteFile(c.config, []byte(text), 0o600))
	c.launch()
	c.register("https://example.com/hooks", "*")
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", metrics))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Zero(t, c.webhook("stats").status, "its health check")
	resp, err = client.Get(fmt.Sprintf("http://127.0.0.1:%d/config/", metrics))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	store.Kill()
	require.Eventually(t, func() bool { return c.webhook("stats").status == 1 }, 2*time.Minute, 50*time.Millisecond)
}

// What the chart's pods run answers probes, serves its host and no other, and shows no admin address.
func TestChartCaddyfilesRun(t *testing.T) {
	t.Parallel()
	var values map[string]struct{ Caddyfile string }
	var parts map[string]any
	text := read(t, deploy, "helm/caddy-webhooks/values.yaml")
	require.NoError(t, yaml.Unmarshal([]byte(text), &parts))
	for name, part := range parts {
		if m, ok := part.(map[string]any); !ok || m["caddyfile"] == nil {
			delete(parts, name)
		}
	}
	only, err := yaml.Marshal(parts)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(only, &values))
	require.Len(t, values, 2)
	store := startRedis(t)
	for name, part := range values {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &caddy{t: t, name: name, admin: redistest.FreePort(t), port: redistest.FreePort(t), dir: t.TempDir()}
			probes := redistest.FreePort(t)
			c.env = []string{
				"HOST=api.example.com", "APP=127.0.0.1:9", "REDIS_URL=redis://:" + redisPassword + "@" + store.Addr() + "/0",
				"ENCRYPTION_KEY=" + encryptionKey, "API_KEY=" + apiKey, "WEBHOOK_SECRET=" + signingSecret,
			}
			c.config = filepath.Join(c.dir, "Caddyfile")
			require.NoError(t, os.WriteFile(c.config, []byte(strings.NewReplacer(
				"localhost:2019", c.adminAddress()+"\n\tdefault_bind 127.0.0.1", ":2020", fmt.Sprintf(":%d", probes), ":8080", fmt.Sprintf(":%d", c.port), "shutdown_delay 5s", "shutdown_delay 1ms",
			).Replace(part.Caddyfile)), 0o600))
			c.launch()
			status := func(port int, host, path string) int {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
				require.NoError(t, err)
				req.Host = host
				resp, err := client.Do(req)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				return resp.StatusCode
			}
			require.Equal(t, http.StatusOK, status(probes, "10.0.0.1", "/health/live"))
			require.Eventually(t, func() bool { return status(probes, "10.0.0.1", "/health/ready") == http.StatusOK }, 2*time.Minute, 20*time.Millisecond)
			require.Equal(t, http.StatusOK, status(probes, "10.0.0.1", "/metrics"))
			require.Equal(t, http.StatusNotFound, status(probes, "10.0.0.1", "/config/"))
			require.Equal(t, http.StatusMisdirectedRequest, status(c.port, "other.example", "/webhooks"))
			want := map[string]int{"api": http.StatusUnauthorized, "gateway": http.StatusMethodNotAllowed}[name]
			require.Equal(t, want, status(c.port, "api.example.com", "/webhooks"))
		})
	}
}

// Every command of `caddy webhook --help` has its section.
func TestCommandLinePage(t *testing.T) {
	t.Parallel()
	c := &caddy{t: t, name: "none", dir: t.TempDir()}
	page := read(t, "../../docs/command-line.md")
	r := c.run("", "webhook", "--help")
	require.Zero(t, r.status)
	_, list, ok := strings.Cut(r.stdout, "Available Commands:\n")
	require.True(t, ok)
	found := 0
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			break
		}
		found++
		require.Contains(t, page, "\n## "+fields[0]+"\n")
		require.Contains(t, page, "$ caddy webhook "+fields[0])
		require.NotEmpty(t, c.run("", "webhook", fields[0], "--help").stdout)
	}
	require.GreaterOrEqual(t, found, 13)
}
