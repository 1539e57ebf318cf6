package observability

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// commands is a system that the command line is tried on: a webhook that works, one that fails, and a queue whose app
// is down.
type commands struct {
	*caddy
	good, bad       string // webhooks
	event, delivery string // of the good one
	failed          string // delivery of the bad one
}

func newCommands(t *testing.T) *commands {
	store, works, fails := startRedis(t), newApp(t, 0), newApp(t, 1000)
	site := "handle /api/* {\nuri strip_prefix /api\n" + apiSite + "\n}\n" + strings.Replace(gatewaySite(works),
		"deliver {\n					reverse_proxy "+works.address(), "deliver {\n					reverse_proxy "+fails.address(), 1)
	c := &commands{caddy: startCaddy(t, "all", senderOptions(store, ""), site, "OTEL_TRACES_EXPORTER=none")}
	register := func(url, event string) string {
		return c.api("POST", "/api/webhooks", fmt.Sprintf(`{"url":%q,"events":[%q],"secret":%q}`, url, event, signingSecret))["id"].(string)
	}
	publish := func(event string) (string, string) {
		data := c.api("POST", "/api/events", fmt.Sprintf(`{"event":%q,"data":{"marker":%q}}`, event, event))
		return data["id"].(string), data["deliveries"].([]any)[0].(map[string]any)["id"].(string)
	}
	c.good, c.bad = register(c.url("/webhooks"), "video.uploaded"), register(fails.URL, "video.processed")
	register(c.url("/queued"), "video.deleted")
	c.event, c.delivery = publish("video.uploaded")
	_, c.failed = publish("video.processed")
	publish("video.deleted")
	require.Eventually(t, func() bool {
		r := c.webhook("explain", c.failed)
		_, dead := c.adminGet("/webhooks/dead?name=queued")
		return strings.Contains(r.stdout, "every attempt of the retry table did") && strings.Contains(dead, `"job"`) && len(works.got()) == 1
	}, 2*time.Minute, 50*time.Millisecond)
	return c
}

func TestCommands(t *testing.T) {
	t.Parallel()
	c := newCommands(t)
	ok := func(t *testing.T, status int, args ...string) string {
		t.Helper()
		r := c.webhook(args...)
		require.Equal(t, status, r.status, "%s%s", r.stdout, r.stderr)
		return r.stdout
	}
	// asJSON runs a command with each spelling of the flag.
	asJSON := func(t *testing.T, status int, args ...string) (v map[string]any) {
		t.Helper()
		for _, flag := range []string{"--json", "-json"} {
			require.NoError(t, json.Unmarshal([]byte(ok(t, status, append(args, flag)...)), &v))
		}
		return v
	}
	t.Run("stats", func(t *testing.T) {
		out := ok(t, 0, "stats")
		for _, want := range []string{
			`status +ok`, `sender +delivering`, `queued +0 +0 +1 +0s`, `success +2`, `status +3`, `succeeded +2`, `failed +1`,
			`shop +videocloud +accepted +1`,
		} {
			require.Regexp(t, want, out)
		}
		v := asJSON(t, 0, "stats")
		require.Equal(t, "ok", v["health"].(map[string]any)["status"])
	})
	t.Run("webhooks", func(t *testing.T) {
		out := ok(t, 0, "webhooks")
		require.Regexp(t, c.good+` +default +active +0 +0 +0 +ok`, out)
		require.Regexp(t, c.bad+` +default +failed for \S+ +0 +0 +1 +failed`, out)
		out = ok(t, 0, "webhooks", "--status", "failed", "--account", "default")
		require.NotContains(t, out, c.good)
		require.Equal(t, "no webhooks\n", ok(t, 0, "webhooks", "--account", "nobody"))
		require.Len(t, asJSON(t, 0, "webhooks")["items"], 3)
		require.Equal(t, 2, c.webhook("webhooks", "--status", "tired").status)
	})
	t.Run("explain", func(t *testing.T) {
		out := ok(t, 0, "explain", c.event)
		require.Contains(t, out, "delivered: attempt 1 was answered 200 after ")
		require.Contains(t, out, c.url("/webhooks"))
		out = ok(t, 0, "explain", c.failed)
		require.Contains(t, out, "failed: every attempt of the retry table did, the last because it was answered 500")
		require.Regexp(t, `\n  3 +\S+ +\d+ ms +500 +answered 500\n`, out)
		require.Equal(t, c.event, asJSON(t, 0, "explain", c.event)["eventId"])
		require.Equal(t, 1, c.webhook("explain", "evt_nothing").status)
		require.Equal(t, 2, c.webhook("explain").status)
		require.Equal(t, 2, c.webhook("explain", "a", "b").status)
	})
	t.Run("retry", func(t *testing.T) {
		require.Equal(t, c.delivery+" is due now\n", ok(t, 0, "retry", c.delivery))
		require.Contains(t, ok(t, 0, "retry", c.delivery, "--wait", "20s"), "delivered: ")
		require.Contains(t, ok(t, 1, "retry", c.failed, "--wait", "20s"), "answered 500")
		require.Equal(t, c.delivery, asJSON(t, 0, "retry", c.delivery)["id"])
		require.Equal(t, 1, c.webhook("retry", "dlv_nothing").status)
	})
	t.Run("replay", func(t *testing.T) {
		require.Eventually(t, func() bool {
			return ok(t, 0, "replay", c.good, "--since", "1h", "--all", "--dry-run") == "1 delivery matches\n"
		}, 2*time.Minute, 50*time.Millisecond)
		r := c.webhook("replay", c.good, "--since", "1h", "--all")
		require.Zero(t, r.status, r.stderr)
		require.Regexp(t, `state +done\n`, r.stdout)
		require.Regexp(t, `sent +1\n`, r.stdout)
		require.Regexp(t, `^rpl_\w+: \d of 1\n`, r.stderr, "progress")
		id := strings.Fields(r.stdout)[1]
		require.Equal(t, "done", asJSON(t, 0, "replay", "--id", id)["state"])
		for _, bad := range [][]string{{}, {c.good}, {c.good, "--since", "yesterday"}, {c.good, "--since", "1h", "--id", id}, {c.good, "--since", "1h", "--event", "no.such"}} {
			require.Equal(t, 2, c.webhook(append([]string{"replay"}, bad...)...).status, bad)
		}
		require.Equal(t, 1, c.webhook("replay", "whk_000000000000", "--since", "1h").status)
	})
	t.Run("dead", func(t *testing.T) {
		out := ok(t, 0, "dead", "list", "queued")
		require.Regexp(t, `video\.deleted +evt_\w+ +dead \S+ ago +1 +\d+ +\S+`, out)
		age := regexp.MustCompile(`dead \S+ ago`) // which goes on between two commands
		job := strings.Fields(strings.SplitN(out, "\n", 3)[1])[0]
		require.Equal(t, age.ReplaceAllString(out, ""), age.ReplaceAllString(ok(t, 0, "dead", "list"), ""), "there is but one queue")
		require.Equal(t, "1 event is due now\n", ok(t, 0, "dead", "retry", "queued", job))
		require.Eventually(t, func() bool { return strings.Contains(ok(t, 0, "dead", "list", "queued"), job) }, 2*time.Minute, 50*time.Millisecond)
		require.Equal(t, "1 event is due now\n", ok(t, 0, "dead", "retry", job))
		require.Eventually(t, func() bool { return strings.Contains(ok(t, 0, "dead", "list"), job) }, 2*time.Minute, 50*time.Millisecond)
		require.Equal(t, "1 event is dropped\n", ok(t, 0, "dead", "purge", "--all"))
		require.Equal(t, "no dead events\n", ok(t, 0, "dead", "list", "queued"))
		require.Empty(t, asJSON(t, 0, "dead", "list", "queued")["items"])
		require.EqualValues(t, 0, asJSON(t, 1, "dead", "purge", "queued", "--all")["count"])
		for _, bad := range [][]string{{}, {"burn"}, {"list", "queued", job}, {"purge"}, {"purge", "queued"}, {"retry", job, "--all"}, {"retry", "queued", job, "--all"}, {"list", "shop"}} {
			require.Equal(t, 2, c.webhook(append([]string{"dead"}, bad...)...).status, bad)
		}
		r := c.webhook("dead", "list", "nobody")
		require.Equal(t, 1, r.status)
		require.Contains(t, r.stderr, "there is queued, shop")
	})
	t.Run("forget", func(t *testing.T) {
		require.Equal(t, "1 event is forgotten\n", ok(t, 0, "forget", "shop", c.event))
		require.Equal(t, "0 events are forgotten\n", ok(t, 1, "forget", "shop", c.event))
		ok(t, 0, "retry", c.delivery, "--wait", "20s")
		require.Equal(t, "1 event is forgotten\n", ok(t, 0, "forget", "shop", "--since", "1h"))
		require.EqualValues(t, 0, asJSON(t, 1, "forget", "shop", "--since", "1h")["count"])
		for _, bad := range [][]string{{}, {"shop"}, {"shop", c.event, "--since", "1h"}, {"shop", "--since", "soon"}} {
			require.Equal(t, 2, c.webhook(append([]string{"forget"}, bad...)...).status, bad)
		}
		require.Equal(t, 1, c.webhook("forget", "nobody", c.event).status)
	})
	t.Run("nobody there", func(t *testing.T) {
		r := c.run("", "webhook", "stats", "--address", fmt.Sprintf("127.0.0.1:%d", redistest.FreePort(t)))
		require.Equal(t, 3, r.status)
		require.Contains(t, r.stderr, "is it running")
		require.Equal(t, 2, c.run("", "webhook", "stats", "--address", "not an address:x").status)
		require.Equal(t, 0, c.run("", "webhook", "stats", "--config", c.config).status, "the address is in the configuration")
	})
}

// tail shows what happens for longer than the admin endpoint's own time-out, over a reload, and stops at an interrupt.
func TestCommandTail(t *testing.T) {
	t.Parallel()
	store, to := startRedis(t), newApp(t, 0)
	options := senderOptions(store, "")
	site := "handle /api/* {\nuri strip_prefix /api\n" + apiSite + "\n}\n" + gatewaySite(to)
	c := startCaddy(t, "all", options, site, "OTEL_TRACES_EXPORTER=none")
	hook := c.api("POST", "/api/webhooks", fmt.Sprintf(`{"url":%q,"events":["*"],"secret":%q}`, c.url("/webhooks"), signingSecret))["id"].(string)
	publish := func() string {
		return c.api("POST", "/api/events", `{"event":"video.uploaded","data":{}}`)["id"].(string)
	}
	people, stopPeople := c.tail(t, "--webhook", hook)
	programs, stopPrograms := c.tail(t, "-json", "--name", "shop")
	began := time.Now()
	// Until the streams are there nothing is shown.
	require.Eventually(t, func() bool { publish(); return len(people) > 0 && len(programs) > 0 }, 2*time.Minute, 50*time.Millisecond)
	require.Regexp(t, `^\d\d:\d\d:\d\d\.\d{3} +attempt +success +200 +\d+ ms  video\.uploaded evt_\w+ to `+hook+` \(default\), attempt 1, succeeded$`, <-people)
	var line map[string]any
	require.NoError(t, json.Unmarshal([]byte(<-programs), &line))
	require.Equal(t, "received", line["kind"])

	c.reload(options, site+"\nheader X-Reloaded yes")
	drain(people)
	require.Eventually(t, func() bool { publish(); return len(people) > 0 }, 2*time.Minute, 50*time.Millisecond, "goes on after a reload")
	require.Eventually(t, func() bool { return time.Since(began) > 11*time.Second }, 2*time.Minute, 100*time.Millisecond)
	drain(people)
	last := publish()
	for line := range people {
		if strings.Contains(line, last) {
			break
		}
	}
	require.Zero(t, stopPeople())
	require.Zero(t, stopPrograms())

	r := c.webhook("tail", "--nonsense")
	require.Equal(t, 2, r.status)
}

func drain(lines <-chan string) {
	for len(lines) > 0 {
		<-lines
	}
}

// tail runs the command until stop, which returns its exit status.
func (c *caddy) tail(t *testing.T, args ...string) (lines <-chan string, stop func() int) {
	t.Helper()
	cmd := exec.Command(binary(t), append([]string{"webhook", "tail", "--address", c.adminAddress()}, args...)...)
	cmd.Env, cmd.Stderr = c.environment(), os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	found := make(chan string, 10_000)
	go func() {
		defer close(found)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			found <- scanner.Text()
		}
	}()
	return found, func() int {
		require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode()
	}
}

// The commands that need no running Caddy, by the built binary: there and back.
func TestCommandsWithoutACaddy(t *testing.T) {
	t.Parallel()
	c := &caddy{t: t, name: "none", dir: t.TempDir()}
	key := c.run("", "webhook", "keygen")
	require.Zero(t, key.status)
	secret := filepath.Join(c.dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte(key.stdout), 0o600))
	signed := c.run("{}", "webhook", "sign", "--secret", "@"+secret)
	require.Zero(t, signed.status, signed.stderr)
	args := []string{"webhook", "verify", "--secret", "@" + secret}
	for header := range strings.Lines(signed.stdout) {
		args = append(args, "--header", strings.TrimSpace(header))
	}
	require.Zero(t, c.run("{}", args...).status)
	require.Equal(t, 1, c.run("{ }", args...).status)
	require.Equal(t, 2, c.run("{}", append(args, "--nonsense")...).status)

	port := redistest.FreePort(t)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	listen := exec.Command(binary(t), "webhook", "listen", "--address", address, "--secret", "@"+secret)
	listen.Env = c.environment()
	require.NoError(t, listen.Start())
	t.Cleanup(func() { _ = listen.Process.Kill() })
	require.Eventually(t, func() bool {
		return c.run("", "webhook", "send", "--url", "http://"+address, "--secret", "@"+secret).status == 0
	}, 2*time.Minute, 50*time.Millisecond)
	require.Equal(t, 1, c.run("", "webhook", "send", "--url", "http://"+address, "--secret", "another_secret_16").status)
	require.NoError(t, listen.Process.Signal(syscall.SIGINT))
	_ = listen.Wait()
	require.Zero(t, listen.ProcessState.ExitCode())
}
