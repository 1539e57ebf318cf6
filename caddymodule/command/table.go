package command

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/videocloud/webhooks/internal/adminapi"
)

// table lines columns up for people.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer, columns ...any) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row(columns...)
	return t
}

// row adds a line. Values come from the network: they don't talk to the terminal.
func (t table) row(values ...any) {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = oneLine(fmt.Sprint(v))
	}
	fmt.Fprintln(t, strings.Join(texts, "\t"))
}

func (t table) end() { _ = t.Flush() }

// printPage prints a page of a list, a row for each of its items, and how to go on where there are more.
func printPage[T any](w io.Writer, list *adminapi.Page[T], items string, columns []any, row func(item *T) []any) {
	if len(list.Items) == 0 {
		fmt.Fprintln(w, "no", items)
	} else {
		t := newTable(w, columns...)
		for i := range list.Items {
			t.row(row(&list.Items[i])...)
		}
		t.end()
	}
	if list.NextCursor != "" {
		fmt.Fprintln(w, "more: --cursor", list.NextCursor)
	}
}

// oneLine keeps a value on its line and in its column.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		return printable(r)
	}, text)
}

// counted is a number with its words.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// ago says in words for people how long ago something was.
func ago(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "never"
	}
	return rounded(time.Since(*t)) + " ago"
}

func rounded(d time.Duration) string {
	switch {
	case d < time.Second:
		return "0s"
	case d < time.Hour:
		return d.Round(time.Second).String()
	default:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
}

func seconds(s float64) string { return rounded(time.Duration(s * float64(time.Second))) }

// wholeNumber writes a count.
func wholeNumber(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

// sortedKeys of a map of counts, without those that are zero.
func sortedKeys(counts map[string]float64) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(counts)), func(k string) bool { return counts[k] == 0 })
}
