package command

import (
	"cmp"
	"io"
	"net/http"
	"time"

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
secrets the first signs.

Some schemes sign more than the body: give --url, --method and, as --header, what
of the request they look at, such as the Content-Type of a form.`,
		Example: `  $ caddy webhook sign --secret your_webhook_secret < body.json
  $ caddy webhook sign --scheme github --secret @secret.txt --event push < body.json
  $ caddy webhook sign --scheme twilio --secret env:AUTH_TOKEN \
      --url https://hooks.example.com/sms < form.txt`,
		RunE: noArguments(func(cmd *cobra.Command) error { return f.run(cmd) }),
	}
	f.add(cmd, "public URL of the request, for schemes that sign it")
	cmd.Flags().StringVar(&f.id, "id", "", "event ID, for schemes that sign one or have a header for it (default: a random one where it is signed)")
	cmd.Flags().StringVar(&f.event, "event", "", "event type, for schemes that have a header for it")
	return cmd
}

type signFlags struct {
	requestFlags
	id, event string
}

func (f *signFlags) run(cmd *cobra.Command) error {
	in := &input{reader: cmd.InOrStdin()}
	v, err := f.verifier(in)
	if err != nil {
		return err
	}
	now, given, err := f.timeAndHeaders(in)
	if err != nil {
		return err
	}
	body, err := in.read("the body")
	if err != nil {
		return err
	}
	r := &signature.Request{Method: f.method, URL: f.url, Header: given, Body: body}
	headers, err := providerHeaders(v, r, f.id, f.event, now)
	if err != nil {
		return err
	}
	headers = withDocumentedNames(v, headers)
	return printAnswer(cmd, f.json, headersJSON(headers), func(w io.Writer) { printHeaders(w, "", headers) })
}

// providerHeaders returns the headers that a provider would add to the request: those that sign it, and those that name the event
// and its ID where there are such. What the request has already is sent as it is, so an ID among it is the one that
// is signed. The request's own headers get a Content-Type, if they have none, for schemes that look at it.
func providerHeaders(v *signature.Verifier, r *signature.Request, id, event string, now time.Time) (http.Header, error) {
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", contentType(v, r.Body))
	}
	ids := v.IDHeaders()
	id = cmp.Or(firstHeader(r.Header, ids), id)
	headers, err := v.Sign(r, id, now)
	if err != nil {
		return nil, usage(err)
	}
	if id != "" && len(ids) > 0 && firstHeader(headers, ids) == "" {
		headers.Set(ids[0], id)
	}
	if name := v.EventHeader(); event != "" && name != "" {
		headers.Set(name, event)
	}
	for name := range headers {
		if given := r.Header[name]; len(given) > 0 {
			headers[name] = given
		}
	}
	return headers, nil
}

// firstHeader is the value of the first of these headers that is there.
func firstHeader(h http.Header, names []string) string {
	for _, name := range names {
		if value := h.Get(name); value != "" {
			return value
		}
	}
	return ""
}
