package docstest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// block is a fenced code block of a page, or a directive that stands alone (without a language and text).
type block struct {
	page     string
	line     int    // of the fence
	heading  string // the last one above it
	language string
	text     string
	directive
}

// directive says what a block is for. Its verbs are:
//
//	output [eventually]      what the block before printed; with eventually, it is run again until it does
//	logged                   lines that a program in the background prints
//	background <port...>     leave it running, and go on when it listens there
//	stop [port]              end what runs in the background, or only what listens there; stands alone
//	file <name>              save it under that name
//	adapt                    a Caddyfile for adapting only
//	verify                   a function that verifies a signature; the test calls it
//	sdk                      an example for an SDK, which the tests of sdk/ run
//	payload                  an event: it is published, and delivered like this
//	skip: <why>              nothing that a test can run
type directive struct {
	verb string
	args []string
}

var (
	comment = regexp.MustCompile(`^<!-- test: ([a-z]+):? ?(.*?) -->$`)
	fence   = regexp.MustCompile("^(```+)([a-z]*)$")
)

// blocks returns the code blocks of a page, in order.
func blocks(t *testing.T, page string) (list []block) {
	t.Helper()
	var now *block
	var next directive
	var end, heading string
	for i, line := range strings.Split(read(t, page), "\n") {
		switch {
		case now != nil && line == end:
			list = append(list, *now)
			now = nil
		case now != nil:
			now.text += line + "\n"
		case comment.MatchString(line):
			m := comment.FindStringSubmatch(line)
			next = directive{m[1], strings.Fields(m[2])}
			if next.verb == "stop" {
				list = append(list, block{page: page, line: i + 1, directive: next})
				next = directive{}
			}
		case fence.MatchString(line):
			m := fence.FindStringSubmatch(line)
			require.NotEmpty(t, m[2], "%s:%d: a block without a language", page, i+1)
			now, end = &block{page: page, line: i + 1, heading: heading, language: m[2], directive: next}, m[1]
			next = directive{}
		default:
			if _, text, is := strings.Cut(line, "# "); is && strings.HasPrefix(line, "#") {
				heading = text
			}
			require.False(t, strings.HasPrefix(line, "```"), "%s:%d: a fence that is not understood", page, i+1)
			if strings.TrimSpace(line) != "" {
				require.Empty(t, next.verb, "%s:%d: a directive without a block", page, i+1)
			}
		}
	}
	require.Nil(t, now, "%s: a block without an end", page)
	return list
}

// pages are all pages that users read, relative to the root.
func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "client/README.md", "sdk/javascript/README.md", "sdk/python/README.md"}
	docs, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	require.NotEmpty(t, docs)
	for _, d := range docs {
		list = append(list, "docs/"+filepath.Base(d))
	}
	return list
}

func read(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, page))
	require.NoError(t, err)
	return string(text)
}

// cellBorder is a bar that no backslash stands before: GitHub ends a cell there, within backquotes too.
var cellBorder = regexp.MustCompile(`(^|[^\\])\|`)

// TestTablesHaveTheirCells: a bar in a cell cuts it in two, and what is behind the last column is not shown.
func TestTablesHaveTheirCells(t *testing.T) {
	t.Parallel()
	for _, page := range pages(t) {
		columns, code := 0, false
		for i, line := range strings.Split(read(t, page), "\n") {
			if strings.HasPrefix(line, "```") {
				code = !code
			}
			if code || !strings.HasPrefix(line, "|") {
				columns = 0
				continue
			}
			found := len(cellBorder.FindAllString(line, -1))
			if columns == 0 {
				columns = found
			}
			if found != columns {
				t.Errorf("%s:%d: %d bars in a table with %d; write \\| for a bar in a cell", page, i+1, found, columns)
			}
		}
	}
}
