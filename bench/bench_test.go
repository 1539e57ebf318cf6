package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/sender"
)

// TestMain runs a role where a benchmark has started the test's executable for that.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "-role" {
		main()
		return
	}
	os.Exit(m.Run())
}

func needRedis(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("redis-server is not on PATH")
	}
}

// Each benchmark, at a small size, gives every figure that the documentation names, and leaves no folder.
func TestFigures(t *testing.T) {
	needRedis(t)
	for name, c := range map[string]struct {
		n      int
		fields string
	}{
		"sender":    {500, "raw_per_s delivered_per_s ratio sender_cpu_us raw_cpu_us redis_cpu_us redis_commands_per_delivery lost duplicates"},
		"publish":   {300, "api_per_s library_per_s set_per_s ratio"},
		"latency":   {60, "p50_ms p99_ms"},
		"isolation": {80, "p99_alone_ms p99_with_hanging_ms ratio"},
		"tenants":   {60, "p99_alone_ms p99_beside_ms ratio longest_script_ms refused gateway_store_errors"},
		"memory":    {1000, "bytes_per_delivery bytes_per_delivery_fanout_10 bytes_after_done"},
		"receiver": {200, "proxy_per_s respond_per_s memory_per_s redis_per_s queue_per_s queue_through_per_s " +
			"respond_ratio memory_ratio redis_ratio queue_ratio queue_through_ratio"},
		"local": {500, "delivered_per_s memory_per_s ratio restart_ms redis_per_s"},
		"soak":  {1000, "delivered_per_s lost duplicates sender_mib_before sender_mib_during sender_mib_after redis_mib_before redis_mib_during redis_mib_after"},
		"world": {300, "delivered_per_s raw_per_s ratio sender_cpu_us raw_cpu_us redis_cpu_us in_flight_p50 connections_per_host handshakes rss_mib " +
			"kib_per_attempt_in_flight lost duplicates"},
	} {
		t.Run(name, func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			b, ok := benchmarks[name]
			require.True(t, ok)
			f, err := b.run(t.Context(), options{n: c.n, c: 64, size: 512, aof: "everysec", rounds: 1, hosts: 60, delay: 20 * time.Millisecond})
			require.NoError(t, err)

			text, err := json.Marshal(f)
			require.NoError(t, err)
			var figures map[string]float64
			require.NoError(t, json.Unmarshal(text, &figures))
			for field := range strings.FieldsSeq(c.fields) {
				require.Contains(t, figures, field)
				switch field {
				case "lost", "duplicates", "refused", "gateway_store_errors":
					require.Zero(t, figures[field], field)
				default:
					require.Positive(t, figures[field], field)
				}
			}
			left, err := os.ReadDir(temp)
			require.NoError(t, err)
			require.Empty(t, left, "temporary folders are removed")
		})
	}
}

// A benchmark that is interrupted, as by Ctrl-C, leaves no folder and, as each process is waited for, no process.
func TestInterrupted(t *testing.T) {
	needRedis(t)
	for _, name := range []string{"sender", "receiver", "isolation"} {
		t.Run(name, func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			result := make(chan error, 1)
			go func() {
				_, err := benchmarks[name].run(ctx, options{n: 20_000, c: 16, size: 512, aof: "off", rounds: 5})
				result <- err
			}()
			require.Eventually(t, func() bool {
				entries, _ := os.ReadDir(temp)
				return len(entries) > 0
			}, 2*time.Minute, 5*time.Millisecond, "it has started a process")
			cancel()
			require.Error(t, <-result)
			left, err := os.ReadDir(temp)
			require.NoError(t, err)
			require.Empty(t, left, "temporary folders are removed")
		})
	}
}

// What comes out of turn, without credentials, or past a filter is counted once, and a plain run has no such counts.
func TestMixCounts(t *testing.T) {
	t.Parallel()
	var noMix *mix
	require.True(t, noMix.admit(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/0", nil)))
	require.Zero(t, noMix.filteredOut())
	m, stop, err := newMix()
	require.NoError(t, err)
	defer stop()
	ordered := 1
	for !mixOrdered(ordered) || mixFiltered(ordered) || mixAuth(ordered) != sender.AuthBearer {
		ordered++
	}
	send := func(round int, credentials string) int {
		r := httptest.NewRequest(http.MethodPost, "/"+strconv.Itoa(ordered), nil)
		r.Header.Set("webhook-id", chaosID(ordered+round*chaosAccounts))
		r.Header.Set("Authorization", credentials)
		w := httptest.NewRecorder()
		m.admit(w, r)
		return w.Code
	}
	good := "Bearer " + mixPassword
	require.Equal(t, 200, send(2, good))
	require.Equal(t, 200, send(3, good))
	require.Equal(t, 200, send(2, good), "a second attempt is not out of turn")
	require.Zero(t, m.inversions)
	require.Equal(t, 401, send(1, "Bearer other"))
	require.Equal(t, 1, m.inversions)
	require.Equal(t, 1, m.strangers)
	var keptOut int
	for !mixKeepsOut(keptOut) {
		keptOut++
	}
	m.countPublished(keptOut, 0)
	require.Zero(t, m.misled)
	require.Equal(t, 1, m.filteredOut())
	m.countPublished(keptOut, 1)
	require.Equal(t, 1, m.misled)
}

// A token is taken from its own webhook only, and until it expires or is revoked.
func TestMixTokens(t *testing.T) {
	t.Parallel()
	m, stop, err := newMix()
	require.NoError(t, err)
	defer stop()
	webhook := 0
	for mixAuth(webhook) != sender.AuthOAuth2 {
		webhook++
	}
	request := httptest.NewRequest(http.MethodPost, "/token", nil)
	request.SetBasicAuth(strconv.Itoa(webhook), mixPassword)
	answer := httptest.NewRecorder()
	m.serveToken(answer, request)
	var granted struct {
		Token string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &granted))
	require.True(t, m.checkCredentials(webhook, "Bearer "+granted.Token))
	require.Zero(t, m.strangers+m.expired)
	require.False(t, m.checkCredentials(webhook+8, "Bearer "+granted.Token))
	require.Equal(t, 1, m.strangers)
	m.revokeTokens()
	require.False(t, m.checkCredentials(webhook, "Bearer "+granted.Token))
	require.Equal(t, 1, m.expired)
}

func TestMedianAndPercentile(t *testing.T) {
	t.Parallel()
	require.Equal(t, 3, median([]int{5, 3, 1}))
	values := make([]float64, 100)
	for i := range values {
		values[i] = float64(100 - i)
	}
	require.InDelta(t, 50, percentile(values, 50), 0)
	require.InDelta(t, 99, percentile(values, 99), 0)
	require.InDelta(t, 7, percentile([]float64{7}, 99), 0)
}

// A figure is the median of its rounds; what people see after a round is the sample of that round.
func TestFiguresOfRounds(t *testing.T) {
	t.Parallel()
	var seen []string
	values := []float64{3.00049, 1, 2}
	f := options{rounds: 3}.eachRound(func(f *figures, round int) {
		f.sample("ratio", values[round])
		f.sampleInt("per_s", values[round]*10)
		f.sum("lost", round)
		seen = append(seen, f.latest())
	})
	require.Equal(t, []string{"ratio 3, per_s 30, lost 0", "ratio 1, per_s 10, lost 1", "ratio 2, per_s 20, lost 3"}, seen)
	text, err := json.Marshal(f)
	require.NoError(t, err)
	require.Equal(t, `{"ratio":2,"per_s":20,"lost":3}`, string(text))
}

func TestFiguresKeepTheirOrder(t *testing.T) {
	t.Parallel()
	f := &figures{}
	f.add("z", 1)
	f.add("a", 2.5)
	text, err := json.Marshal(f)
	require.NoError(t, err)
	require.Equal(t, `{"z":1,"a":2.5}`, string(text))
}
