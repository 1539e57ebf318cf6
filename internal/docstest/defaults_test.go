package docstest

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
)

// TestDefaultsOfTheReference compares the column of defaults in docs/caddyfile.md with what the settings are without a word.
func TestDefaultsOfTheReference(t *testing.T) {
	t.Parallel()
	var s config.Sender
	s.SetDefaults()
	r := config.Receiver{Queue: &config.Queue{}}
	r.SetDefaults()
	var store config.Redis
	store.SetDefaults()
	inMinutes := func(d time.Duration) string {
		text := d.String()
		text = regexp.MustCompile(`([hm])0s$`).ReplaceAllString(text, "$1")
		return regexp.MustCompile(`(h)0m$`).ReplaceAllString(text, "$1")
	}
	table := func(delays []time.Duration) string {
		var words []string
		for _, d := range delays {
			words = append(words, inMinutes(d))
		}
		return strings.Join(words, " ")
	}
	mebibytes := func(n int64) string { return fmt.Sprintf("%dMiB", n>>20) }
	want := map[string]map[string]string{
		"webhooks": {"key_prefix": config.DefaultKeyPrefix},
		"redis":    {"timeout": inMinutes(store.Timeout), "db": fmt.Sprint(store.DB), "replicas": fmt.Sprint(store.Replicas)},
		"sender": {
			"retry": table(s.Retry), "timeout": inMinutes(s.Timeout), "per_webhook": fmt.Sprint(s.PerWebhook), "max_pending": fmt.Sprint(s.MaxPending),
			"max_pending_account": fmt.Sprint(s.MaxPendingAccount), "max_age": inMinutes(s.MaxAge), "retention_succeeded": inMinutes(s.RetentionSucceeded),
			"retention_failed": inMinutes(s.RetentionFailed), "history": fmt.Sprintf("%d %s", s.HistoryEntries, inMinutes(s.HistoryAge)), "brand": s.Brand,
		},
		"webhook_receiver": {
			"scheme": r.Scheme, "max_size": mebibytes(int64(r.MaxSize)), "read_timeout": inMinutes(r.ReadTimeout),
			"max_unfinished": mebibytes(int64(r.MaxUnfinished)), "methods": strings.Join(r.Methods, " "),
		},
		"dedup": {
			"ttl": inMinutes(r.Dedup.TTL), "lease": inMinutes(r.Dedup.Lease), "timeout": inMinutes(r.Dedup.Timeout),
			"on_store_error": string(r.Dedup.OnStoreError),
		},
		"queue": {
			"retry": table(r.Queue.Retry), "timeout": inMinutes(r.Queue.Timeout), "concurrency": fmt.Sprint(r.Queue.Concurrency),
			"max_length": fmt.Sprint(r.Queue.MaxLength),
		},
	}
	documented := documentedDefaults(t)
	for section, options := range want {
		for option, value := range options {
			require.Equal(t, value, documented[section][option], "default of %s, section %s of docs/caddyfile.md", option, section)
		}
	}
	// Whatever stands there as a value is compared above.
	for section, options := range documented {
		for option, value := range options {
			switch section + " " + option {
			case "webhook_console mount", "webhook_console api", "redis local fsync", "redis local server", "webhook_receiver tolerance":
				continue // the parser's own, the server's, the scheme's
			}
			require.Contains(t, want[section], option, "%s has the default %s, which nothing holds to the code", option, value)
		}
	}
}

// documentedDefaults are the values, in code, that the second column of the options' tables begins with; by heading and option.
func documentedDefaults(t *testing.T) map[string]map[string]string {
	t.Helper()
	cell := regexp.MustCompile("^\\| `([a-z_]+)[^`]*` \\| `([^`]+)`")
	list, section := map[string]map[string]string{}, ""
	for line := range strings.Lines(strings.ReplaceAll(read(t, "docs/caddyfile.md"), `\|`, "¦")) {
		if name, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			section = strings.TrimSpace(name)
		}
		if m := cell.FindStringSubmatch(line); m != nil && section != "scheme" {
			if list[section] == nil {
				list[section] = map[string]string{}
			}
			list[section][m[1]] = m[2]
		}
	}
	require.Greater(t, len(list), 5)
	return list
}
