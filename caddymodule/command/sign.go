package command

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/internal/signature"
)

func newSign() *cobra.Command {
	var f signFlags
	cmd := &cobra.Command{
		Use:   "sign --secret <secret>",
		Short: "Prints the headers that sign a body on standard input",
		Long: `
Prints the headers that sign a body on standard input, one a line. With several
secrets the first signs.`,
		Example: `  $ caddy webhook sign --secret your_webhook_secret < body.json`,
		RunE:    runner(func(cmd *cobra.Command) error { return f.run(cmd) }),
	}
	f.add(cmd)
	f.addNow(cmd)
	addJSON(cmd, &f.json)
	cmd.Flags().StringVar(&f.id, "id", "", "event ID, for schemes that sign one (default: a random one)")
	cmd.Flags().StringVar(&f.url, "url", "", "public URL of the request, for schemes that sign it")
	cmd.Flags().StringVar(&f.method, "method", "POST", "method of the request")
	return cmd
}

type signFlags struct {
	schemeFlags
	id     string
	method string
	json   bool
}

func (f *signFlags) run(cmd *cobra.Command) error {
	in := &input{reader: cmd.InOrStdin()}
	v, err := f.verifier(in)
	if err != nil {
		return err
	}
	now, err := f.time()
	if err != nil {
		return err
	}
	body, err := in.read("the body")
	if err != nil {
		return err
	}
	headers, err := v.Sign(&signature.Request{Method: f.method, URL: f.url, Header: http.Header{}, Body: body}, f.id, now)
	if err != nil {
		return usage(err)
	}
	headers = documented(v, headers)
	if f.json {
		return printJSON(cmd.OutOrStdout(), headersJSON(headers))
	}
	printHeaders(cmd.OutOrStdout(), "", headers)
	return nil
}

// documented returns the headers under the names that the provider's documents write.
func documented(v *signature.Verifier, headers http.Header) http.Header {
	renamed := make(http.Header, len(headers))
	for name, values := range headers {
		renamed[v.HeaderName(name)] = values
	}
	return renamed
}

// headersJSON is an object of them: of each name, which none of ours has twice, the value.
func headersJSON(headers http.Header) map[string]string {
	object := make(map[string]string, len(headers))
	for name, values := range headers {
		object[name] = strings.Join(values, ", ")
	}
	return object
}

// printHeaders writes headers by name, one a line.
func printHeaders(w io.Writer, indent string, headers http.Header) {
	names := make([]string, 0, len(headers))
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range headers[name] {
			fmt.Fprintf(w, "%s%s: %s\n", indent, name, strings.Map(printable, value))
		}
	}
}

// printable keeps what arrives from the network from talking to the terminal.
func printable(r rune) rune {
	if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
		return '\ufffd'
	}
	return r
}
