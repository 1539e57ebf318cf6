package command

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/signature"
)

func newSchemes() *cobra.Command {
	var asJSON bool
	return addJSON(&cobra.Command{
		Use:   "schemes",
		Short: "Lists the signature schemes, with what each signs",
		Long: `
Lists the signature schemes that receivers, sign, verify, send and listen take,
with what each signs, and where it has its time, the event's ID and its type.`,
		Example: `  $ caddy webhook schemes
  $ caddy webhook schemes --json | jq '.[] | select(.timestamp == "")'`,
		RunE: noArguments(func(cmd *cobra.Command) error {
			list := schemes()
			return printAnswer(cmd, asJSON, list, func(w io.Writer) { printSchemes(w, list) })
		}),
	}, &asJSON)
}

// schemeRow is a scheme in words.
type schemeRow struct {
	Name          string   `json:"name"`
	Title         string   `json:"title"`
	Signs         string   `json:"signs"`
	Timestamp     string   `json:"timestamp"`
	ID            string   `json:"id"`
	Event         string   `json:"event"`
	Handshake     string   `json:"handshake"`
	SecretHeaders []string `json:"secret_headers"`
	Source        string   `json:"source"`
}

func schemes() []schemeRow {
	var rows []schemeRow
	plain := func(text string) string { return strings.ReplaceAll(text, "`", "") }
	for _, i := range signature.Schemes() {
		r := schemeRow{
			Name: i.Name, Title: i.Provider, Signs: plain(i.Signed), Timestamp: plain(i.Timestamp), ID: plain(i.ID), Event: plain(i.Event),
			Handshake: plain(i.Handshake), SecretHeaders: append([]string{}, i.SecretHeaders...), Source: plain(i.Source),
		}
		if i.ID != "" && !i.IDSigned {
			r.ID += " (unsigned)"
		}
		rows = append(rows, r)
	}
	return rows
}

func printSchemes(w io.Writer, list []schemeRow) {
	t := newTable(w, "SCHEME", "PROVIDER", "SIGNS", "TIMESTAMP", "ID")
	for _, r := range list {
		t.row(r.Name, r.Title, r.Signs, cmp.Or(r.Timestamp, "-"), cmp.Or(r.ID, "-"))
	}
	t.end()
	fmt.Fprintf(w, "\n%d schemes; sources, events and set-up requests with --json\n", len(list))
}
