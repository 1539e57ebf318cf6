package command

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
	"github.com/videocloud/webhooks/internal/version"
	"github.com/videocloud/webhooks/sender"
)

// sendTimeout is what the sender gives an attempt.
const sendTimeout = 15 * time.Second

func newSend() *cobra.Command {
	var f sendFlags
	cmd := &cobra.Command{
		Use:   "send --url <url> --secret <secret> [--event <type>] [--data @file]",
		Short: "Sends a signed test delivery",
		Long: `
Sends one delivery, signed and with the headers of a real one, and prints the
answer. It exits with status 0 if that is a 2xx by an app or a gateway: the empty
200 that Caddy gives where nothing handles a request is none. Redirects are not
followed.

Without --data the event has the example that was given for its type with PUT
/event-types in the Caddy that runs here, and the documented sample where there is
none, or no Caddy runs.

With another --scheme the data is the whole body and has to be given; --event and
--id go into the headers that the provider has for them. A --header that is given
is sent as it is, in place of one that would have been made.`,
		Example: `  $ caddy webhook send --url http://localhost:8090/webhooks \
      --secret your_webhook_secret --event video.uploaded
  $ caddy webhook send --url http://localhost:8090/webhooks \
      --secret @secret.txt --event video.deleted --data '{"videoId":"vid_1"}'
  $ caddy webhook send --url http://localhost:8090/github --scheme github \
      --secret env:SECRET --header @headers.txt --data @push.json`,
		RunE: noArguments(func(cmd *cobra.Command) error { return f.run(cmd) }),
	}
	f.add(cmd, "where to send it")
	cmd.Flags().StringVar(&f.publicURL, "public-url", "", "URL to sign, for schemes that sign it, where a proxy stands between (default: --url)")
	cmd.Flags().StringVar(&f.event, "event", "", "event type (default for "+defaultScheme+": "+defaultEvent+")")
	cmd.Flags().StringVar(&f.id, "id", "", "event ID (default: a new one)")
	cmd.Flags().StringVar(&f.data, "data", "", "the event's data: JSON, @file or @- (default: the type's example)")
	f.admin.addAddress(cmd)
	cmd.Flags().StringVar(&f.brand, "brand", config.DefaultBrand, "word in the header names")
	return cmd
}

const defaultEvent = "video.uploaded"

type sendFlags struct {
	requestFlags
	publicURL, event, id, data, brand string

	admin   adminFlags // which Caddy is asked for the example of a type
	example bool       // the data is one that was given to it
}

func (f *sendFlags) run(cmd *cobra.Command) error {
	req, a, err := f.request(cmd)
	if err != nil {
		return err
	}
	f.warn(cmd.ErrOrStderr(), a)
	if !f.json {
		fmt.Fprintln(cmd.OutOrStdout(), a.describe(req.Method))
	}
	a.exchange(req)
	err = printAnswer(cmd, f.json, a, a.print)
	if err == nil && (a.StatusCode/100 != 2 || a.Error != "") {
		err = errNo
	}
	return err
}

// warn says what was asked for and has no place in a request of the scheme.
func (f *sendFlags) warn(w io.Writer, a *testDelivery) {
	if f.event != "" && f.event != a.Event {
		fmt.Fprintf(w, "note: --event is not sent as given: a request of the scheme %s has its type in the body, or in a header that you gave\n", f.scheme)
	}
	if f.example {
		fmt.Fprintf(w, "note: the data is the example of %s in the running Caddy\n", f.event)
	}
	if f.id != "" && f.id != a.ID {
		fmt.Fprintf(w, "note: --id is not sent as given: a request of the scheme %s has its ID in the body, or in a header that you gave, or none\n", f.scheme)
	}
}

// testDelivery is what became of a test delivery.
type testDelivery struct {
	URL        string `json:"url"`
	Event      string `json:"event,omitempty"` // event and ID as a gateway reads them
	ID         string `json:"id,omitempty"`
	Bytes      int64  `json:"bytes"`
	StatusCode int    `json:"statusCode,omitempty"` // 0: no answer
	DurationMS int64  `json:"durationMs"`
	Duplicate  bool   `json:"duplicate,omitempty"` // a gateway has had the event before
	Answer     string `json:"answer,omitempty"`    // the start of its body
	Error      string `json:"error,omitempty"`     // there was no answer, or nothing shows that an app or a gateway gave it

	status string
	took   time.Duration
}

// describe says what is sent.
func (a *testDelivery) describe(method string) string {
	text := method + " " + a.URL
	if a.Event != "" {
		text += ", event " + a.Event
	}
	if a.ID != "" {
		text += ", id " + a.ID
	}
	return oneLine(fmt.Sprintf("%s, %d bytes", text, a.Bytes))
}

// exchange sends the request.
func (a *testDelivery) exchange(req *http.Request) {
	client := &http.Client{
		Timeout:       sendTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	start := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		a.Error = err.Error()
	} else {
		defer resp.Body.Close()
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // one that breaks off is shown as far as it came
		a.StatusCode, a.status, a.Answer = resp.StatusCode, resp.Status, string(answer)
		a.Duplicate = resp.Header.Get(config.HeaderDuplicate) != ""
		if resp.StatusCode/100 == 2 && isCaddysEmpty(resp.Header, answer) {
			a.Error = "nothing shows that an app or a gateway answered: Caddy gives this empty answer where no site serves the host, or nothing handles the path; compare the URL with the Caddyfile"
		}
	}
	a.took = time.Since(start)
	a.DurationMS = a.took.Milliseconds()
}

// isCaddysEmpty recognizes the empty answer that Caddy gives where its routes end without one. Whatever handles a request leaves
// a trace: a proxy a Via, a gateway one of its headers, an app a body or a header.
func isCaddysEmpty(h http.Header, body []byte) bool {
	if len(body) > 0 || h.Get("Server") != "Caddy" {
		return false
	}
	for name := range h {
		switch name {
		case "Server", "Date", "Content-Length", "Alt-Svc", "Connection":
		default:
			return false
		}
	}
	return true
}

func (a *testDelivery) print(w io.Writer) {
	if a.StatusCode == 0 {
		fmt.Fprintf(w, "no answer: %s\n", a.Error)
		return
	}
	fmt.Fprintf(w, "%s in %s\n", a.status, a.took.Round(time.Millisecond))
	if a.Error != "" {
		fmt.Fprintln(w, "but", a.Error)
	}
	if a.Duplicate {
		fmt.Fprintln(w, "the gateway has had this event before")
	}
	if len(a.Answer) > 0 {
		fmt.Fprintln(w, strings.TrimRight(strings.Map(printable, a.Answer), "\n"))
	}
}

// request makes the signed request, and says what it is.
func (f *sendFlags) request(cmd *cobra.Command) (*http.Request, *testDelivery, error) {
	u, err := url.Parse(f.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, nil, usagef("url: give --url http://… or https://…")
	}
	target := f.url
	f.url = cmp.Or(f.publicURL, f.url)
	in := &input{reader: cmd.InOrStdin()}
	if f.scheme == defaultScheme && f.brand != config.DefaultBrand {
		f.options = append(f.options, "brand="+f.brand)
	}
	v, err := f.verifier(in)
	if err != nil {
		return nil, nil, err
	}
	now, header, err := f.timeAndHeaders(in)
	if err != nil {
		return nil, nil, err
	}
	host := header.Get("Host")
	header.Del("Host")
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Connection", "Trailer"} {
		if header.Get(name) != "" {
			return nil, nil, usagef("header: %s follows from the request and can't be given", name)
		}
	}
	if f.scheme == defaultScheme {
		f.event, f.id = cmp.Or(f.event, defaultEvent), cmp.Or(f.id, signature.NewEventID())
	}
	body, err := f.body(cmd.Context(), in, now)
	if err != nil {
		return nil, nil, err
	}
	if f.scheme == defaultScheme {
		names := config.HeadersFor(f.brand)
		setIfAbsent(header, "User-Agent", names.UserAgent+"/"+version.Number)
		setIfAbsent(header, names.Attempt, "1")
	}
	r := &signature.Request{Method: f.method, URL: f.url, Header: header, Body: body}
	id := f.id
	if id == "" && len(v.IDHeaders()) > 0 {
		id = signature.NewEventID()
	}
	setIfAbsent(header, "Content-Type", contentType(v, body))
	if body, err = v.SignBody(r, f.id, now); err != nil {
		return nil, nil, usage(err)
	}
	r.Body = body
	headers, err := providerHeaders(v, r, id, f.event, now)
	if err != nil {
		return nil, nil, err
	}
	maps.Copy(header, headers)
	req, err := http.NewRequestWithContext(cmd.Context(), f.method, target, bytes.NewReader(body))
	if err != nil {
		return nil, nil, usage(err)
	}
	req.Header = header
	if host != "" {
		req.Host = host
	}
	a := &testDelivery{URL: target, Bytes: req.ContentLength}
	a.Event, a.ID = header.Get(v.EventHeader()), firstHeader(header, v.IDHeaders())
	// A gateway may read them elsewhere, in a body. A header that was given may break the signature: then the headers speak.
	if result, err := v.Verify(r, now); err == nil {
		a.Event, a.ID = cmp.Or(result.Event, a.Event), cmp.Or(result.ID, a.ID)
	}
	return req, a, nil
}

// setIfAbsent sets a header that is not there.
func setIfAbsent(h http.Header, name, value string) {
	if len(h.Values(name)) == 0 {
		h.Set(name, value)
	}
}

// body is the documented envelope, or with a foreign scheme the data as it is.
func (f *sendFlags) body(ctx context.Context, in *input, now time.Time) ([]byte, error) {
	var data []byte
	var err error
	switch {
	case f.data != "":
		if data, err = in.argument("the data", f.data); err != nil || f.scheme != defaultScheme {
			return data, err
		}
	case f.scheme != defaultScheme:
		return nil, usagef("data: give the body with --data; the samples are for the scheme %s", defaultScheme)
	default:
		var text string
		if text, f.example, err = exampleOf(ctx, &f.admin, f.event); err != nil {
			return nil, err
		}
		data = []byte(text)
	}
	// Data that no publisher could send would test nothing.
	data = bytes.TrimSpace(data)
	if err := sender.CheckEvent(sender.Event{ID: f.id, Type: f.event, Timestamp: now, Data: data}); err != nil {
		return nil, usage(err)
	}
	if _, err := config.EventTypesFromNames([]string{f.event}); err != nil {
		return nil, usagef("event: %q is not an event type: lower-case words joined by dots, such as video.uploaded", f.event)
	}
	return fmt.Appendf(nil, `{"event":"%s","timestamp":"%s","data":%s}`, f.event, now.UTC().Format(time.RFC3339), data), nil
}
