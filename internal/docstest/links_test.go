package docstest

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	link    = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
)

// TestLinks follows every link of every page that does not leave the project.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		text := fenced.ReplaceAllString(read(t, page), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file := page
			if target != "" {
				file = path.Join(path.Dir(page), target)
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", page, m[1])
				continue
			}
			if anchor != "" && !anchors(read(t, file))[anchor] {
				t.Errorf("%s: there is no heading for the link to %s", page, m[1])
			}
		}
	}
}

// anchors are the names that headings get on a page.
func anchors(text string) map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127:
				return r
			default:
				return -1
			}
		}, strings.ToLower(m[1]))
		names[name] = true
	}
	return names
}

// TestNothingOfOneMachine looks for what has no place on a page: folders of the machine that it was written on, and secrets that look real.
func TestNothingOfOneMachine(t *testing.T) {
	t.Parallel()
	bad := regexp.MustCompile(`(?i)(/tmp/|/root/|/home/\w|/Users/\w|\bsk_live_|\bghp_\w|\bAKIA[0-9A-Z]{8}|-----BEGIN [A-Z ]*PRIVATE)`)
	for _, page := range pages(t) {
		for i, line := range strings.Split(read(t, page), "\n") {
			require.False(t, bad.MatchString(line), "%s:%d: %s", page, i+1, line)
		}
	}
}
