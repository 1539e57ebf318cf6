package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
	"github.com/videocloud/webhooks/internal/version"
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
answer. It exits with status 0 if that is a 2xx. Redirects are not followed.

With another --scheme the data is the whole body and has to be given.`,
		Example: `  $ caddy webhook send --url http://localhost:8090/webhooks \
      --secret your_webhook_secret --event video.uploaded
  $ caddy webhook send --url http://localhost:8090/webhooks \
      --secret @secret.txt --event video.deleted --data '{"videoId":"vid_1"}'`,
		RunE: runner(func(cmd *cobra.Command) error { return f.run(cmd) }),
	}
	f.add(cmd)
	f.addNow(cmd)
	addJSON(cmd, &f.json)
	cmd.Flags().StringVar(&f.url, "url", "", "where to send it")
	cmd.Flags().StringVar(&f.event, "event", "video.uploaded", "event type")
	cmd.Flags().StringVar(&f.id, "id", "", "event ID (default: a new one)")
	cmd.Flags().StringVar(&f.data, "data", "", "the event's data: JSON, @file or @- (default: the documented sample)")
	cmd.Flags().StringVar(&f.brand, "brand", config.DefaultBrand, "word in the header names")
	cmd.Flags().StringArrayVar(&f.headers, "header", nil, "further header, as 'Name: value' (repeatable)")
	return cmd
}

type sendFlags struct {
	schemeFlags
	event   string
	id      string
	data    string
	brand   string
	headers []string
	json    bool
}

func (f *sendFlags) run(cmd *cobra.Command) error {
	req, err := f.request(cmd)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if !f.json {
		fmt.Fprintf(out, "POST %s, event %s, id %s, %d bytes\n", f.url, f.event, f.id, req.ContentLength)
	}
	a := f.exchange(req)
	if f.json {
		err = printJSON(out, a)
	} else {
		a.print(out)
	}
	if err == nil && a.StatusCode/100 != 2 {
		err = errNo
	}
	return err
}

// sent is what became of a test delivery.
type sent struct {
	URL        string `json:"url"`
	Event      string `json:"event"`
	ID         string `json:"id"`
	Bytes      int64  `json:"bytes"`
	StatusCode int    `json:"statusCode,omitempty"` // 0: no answer
	DurationMS int64  `json:"durationMs"`
	Duplicate  bool   `json:"duplicate,omitempty"` // a gateway has had the event before
	Answer     string `json:"answer,omitempty"`    // the start of its body
	Error      string `json:"error,omitempty"`

	status string
	took   time.Duration
}

// exchange sends the request.
func (f *sendFlags) exchange(req *http.Request) *sent {
	a := &sent{URL: f.url, Event: f.event, ID: f.id, Bytes: req.ContentLength}
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
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // for show: what came is shown
		a.StatusCode, a.status, a.Answer = resp.StatusCode, resp.Status, string(answer)
		a.Duplicate = resp.Header.Get(config.HeaderDuplicate) != ""
	}
	a.took = time.Since(start)
	a.DurationMS = a.took.Milliseconds()
	return a
}

func (a *sent) print(w io.Writer) {
	if a.Error != "" {
		fmt.Fprintf(w, "no answer: %s\n", a.Error)
		return
	}
	fmt.Fprintf(w, "%s in %s\n", a.status, a.took.Round(time.Millisecond))
	if a.Duplicate {
		fmt.Fprintln(w, "the gateway has had this event before")
	}
	if len(a.Answer) > 0 {
		fmt.Fprintln(w, strings.TrimRight(strings.Map(printable, a.Answer), "\n"))
	}
}

// request makes the signed request.
func (f *sendFlags) request(cmd *cobra.Command) (*http.Request, error) {
	u, err := url.Parse(f.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usagef("url: give --url http://… or https://…")
	}
	in := &input{reader: cmd.InOrStdin()}
	if f.scheme == defaultScheme && f.brand != config.DefaultBrand {
		f.options = append(f.options, "brand="+f.brand)
	}
	v, err := f.verifier(in)
	if err != nil {
		return nil, err
	}
	now, err := f.time()
	if err != nil {
		return nil, err
	}
	body, err := f.body(in, now)
	if err != nil {
		return nil, err
	}
	if f.id == "" {
		f.id = signature.NewEventID()
	}
	extra, err := parseHeaders(f.headers)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(cmd.Context(), http.MethodPost, f.url, bytes.NewReader(body))
	if err != nil {
		return nil, usage(err)
	}
	req.Header = extra
	req.Header.Set("Content-Type", "application/json")
	if f.scheme == defaultScheme {
		names := config.HeadersFor(f.brand)
		req.Header.Set("User-Agent", names.UserAgent+"/"+version.Module())
		req.Header.Set(names.Event, f.event)
		req.Header.Set(names.EventID, f.id)
		req.Header.Set(names.Attempt, "1")
	}
	signed, err := v.Sign(&signature.Request{Method: http.MethodPost, URL: f.url, Header: req.Header, Body: body}, f.id, now)
	if err != nil {
		return nil, usage(err)
	}
	for name, values := range signed {
		req.Header[name] = values
	}
	return req, nil
}

// body is the documented envelope, or with a foreign scheme the data as it is.
func (f *sendFlags) body(in *input, now time.Time) ([]byte, error) {
	data := []byte(sample(f.event))
	if f.data != "" {
		var err error
		if data, err = in.argument("the data", f.data); err != nil {
			return nil, err
		}
	}
	if f.scheme != defaultScheme {
		if f.data == "" {
			return nil, usagef("data: give the body with --data; the samples are for the scheme %s", defaultScheme)
		}
		return data, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil || object == nil {
		return nil, usagef("data: it is not a JSON object")
	}
	event, err := json.Marshal(f.event)
	if err != nil {
		return nil, usage(err)
	}
	return fmt.Appendf(nil, `{"event":%s,"timestamp":"%s","data":%s}`, event,
		now.UTC().Format(time.RFC3339), bytes.TrimSpace(data)), nil
}
