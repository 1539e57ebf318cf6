package command

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/signature"
)

// every calls f for each command that does something, with its path behind `webhook`.
func every(f func(path []string, cmd *cobra.Command)) {
	root := &cobra.Command{Use: "webhook"}
	build(root)
	var walk func(path []string, cmd *cobra.Command)
	walk = func(path []string, cmd *cobra.Command) {
		f(path, cmd)
		for _, sub := range cmd.Commands() {
			walk(append(path[:len(path):len(path)], sub.Name()), sub)
		}
	}
	for _, sub := range root.Commands() {
		walk([]string{sub.Name()}, sub)
	}
}

func TestEveryCommandHasAnExampleAndOurFooter(t *testing.T) {
	t.Parallel()
	n := 0
	every(func(path []string, cmd *cobra.Command) {
		n++
		require.Contains(t, cmd.Example, "$ caddy webhook "+strings.Join(path, " "), path)
		r := call(t, "", append(path, "--help")...)
		require.Zero(t, r.status)
		require.Contains(t, r.stdout, "Examples:\n")
		require.Contains(t, r.stdout, "\nFull documentation: https://github.com/videocloud/webhooks/blob/main/docs/command-line.md\n")
		require.NotContains(t, r.stdout, "caddyserver.com")
	})
	require.Greater(t, n, 15)
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"sen":                              "send",
		"sign --scheme gith":               "github",
		"verify --scheme au":               "auto",
		"send --event video.up":            "video.uploaded",
		"webhooks --status pau":            "paused",
		"keygen --type ed":                 "ed25519",
		"dead re":                          "retry",
		"listen --tol":                     "--tolerance",
		"replay whk_1 --event comment.cre": "comment.created",
	} {
		words := strings.Fields(line)
		r := call(t, "", append([]string{"__complete"}, words...)...)
		require.Zero(t, r.status, line)
		require.Contains(t, r.stdout, want, line)
	}
	require.NotContains(t, call(t, "", "__complete", "sign", "--scheme", "a").stdout, "auto\n", "sign can't guess")
	every(func(path []string, cmd *cobra.Command) {
		if cmd.HasSubCommands() {
			return
		}
		r := call(t, "", append(append([]string{"__complete"}, path...), "")...)
		require.Contains(t, r.stdout, ":4", "%v: arguments are no files", path)
	})
}

func TestDurationsTakeDays(t *testing.T) {
	t.Parallel()
	at, err := parseTime("since", "2d")
	require.NoError(t, err)
	require.WithinDuration(t, time.Now().Add(-48*time.Hour), at, time.Hour)
	d, err := parseTolerance("1d")
	require.NoError(t, err)
	require.Equal(t, 24*time.Hour, d)
	every(func(path []string, cmd *cobra.Command) {
		if f := cmd.Flags().Lookup("wait"); f != nil {
			require.NoError(t, f.Value.Set("1d"), path)
			require.Error(t, f.Value.Set("-1s"), path)
		}
	})
}

func TestNumbersHaveTheirWords(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1 delivery matches", counted(1, "delivery matches", "deliveries match"))
	require.Equal(t, "0 deliveries match", counted(0, "delivery matches", "deliveries match"))
}

func TestSchemes(t *testing.T) {
	t.Parallel()
	r := call(t, "", "schemes", "-json")
	require.Zero(t, r.status, r.stderr)
	var rows []map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &rows))
	require.Len(t, rows, len(signature.Schemes()))
	for _, row := range rows {
		require.Len(t, row, 9)
		for _, field := range []string{"name", "title", "signs", "source"} {
			require.NotEmpty(t, row[field], "%s of %s", field, row["name"])
		}
		for _, field := range []string{"timestamp", "id", "event", "handshake"} {
			require.IsType(t, "", row[field])
		}
		require.IsType(t, []any{}, row["secret_headers"])
		if row["name"] == "gitlab" {
			require.Equal(t, []any{"X-Gitlab-Token"}, row["secret_headers"])
		}
	}
	require.Contains(t, call(t, "", "schemes").stdout, "stripe")
}

func TestVersion(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1.0.0\n", call(t, "", "version").stdout)
	var b buildInfo
	require.NoError(t, json.Unmarshal([]byte(call(t, "", "version", "--json").stdout), &b))
	require.Equal(t, "1.0.0", b.Version)
}
