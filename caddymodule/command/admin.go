package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// adminFlags say which running Caddy is asked, and how its answers are printed.
type adminFlags struct {
	address, configFile, adapter string
	json                         bool

	patient bool         // an answer may take longer than requestTime
	client  *http.Client // set by connect, as is origin
	origin  string       // of the admin API
}

// add defines the flags of cmd, which it returns.
func (f *adminFlags) add(cmd *cobra.Command) *cobra.Command {
	f.addAddress(cmd)
	return addJSON(cmd, &f.json)
}

func (f *adminFlags) addAddress(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.address, "address", "", "address of Caddy's admin API (default: the config's, or localhost:2019)")
	flags.StringVarP(&f.configFile, "config", "c", "", "configuration file to read the admin address from")
	flags.StringVarP(&f.adapter, "adapter", "a", "", "name of the adapter of that file")
}

// given reports whether somebody said which Caddy is to be asked.
func (f *adminFlags) given() bool { return f.address != "" || f.configFile != "" || f.adapter != "" }

// addPage defines the flags --limit and --cursor, which select a page of a list.
func addPage(cmd *cobra.Command) {
	cmd.Flags().Int("limit", 0, "at most so many, 1 to 100; default: 50")
	cmd.Flags().String("cursor", "", "go on where a page ended")
}

// times are the flags --since and --until.
type times struct{ since, until string }

// add defines the flags, and says what happened from the first time on and until the second.
func (t *times) add(cmd *cobra.Command, from, until string) {
	flags := cmd.Flags()
	flags.StringVar(&t.since, "since", "", from+": RFC 3339, or so long ago, such as 2h or 7d")
	flags.StringVar(&t.until, "until", "", until)
}

// read returns the times, zero where they are not given.
func (t *times) read() (since, until time.Time, err error) {
	if since, err = parseTime("since", t.since); err == nil {
		until, err = parseTime("until", t.until)
	}
	return since, until, err
}

// parseTime reads a time, or how long ago it was; zero where there is none.
func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if ago, err2 := caddy.ParseDuration(text); err2 == nil && ago >= 0 {
		at, err = time.Now().Add(-ago).UTC(), nil
	}
	if err != nil {
		return at, usagef("%s: %q is neither a time such as 2024-03-31T12:00:00Z nor a duration such as 2h or 7d", flag, text)
	}
	return at, nil
}

// written is a time as the admin API takes it in a query.
func written(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// requestTime bounds one question, but not a stream, nor one that is asked patiently.
const requestTime = 30 * time.Second

// connect finds the address of the admin API. It is not called there yet.
func (f *adminFlags) connect() error {
	text, err := caddycmd.DetermineAdminAPIAddress(f.address, nil, f.configFile, f.adapter)
	if err != nil {
		return usage(err)
	}
	address, err := caddy.ParseNetworkAddressWithDefaults(text, "tcp", 2019)
	if err != nil || address.PortRangeSize() > 1 {
		return usagef("address: %q is not the address of one admin API", text)
	}
	place := address.JoinHostPort(0)
	f.origin = "http://" + place
	if address.IsUnixNetwork() {
		place, _, _ = strings.Cut(address.Host, "|") // behind it are the permissions of the socket
		f.origin = "http://127.0.0.1"
	}
	f.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, address.Network, place)
		},
	}}
	return nil
}

// open asks and returns the answer, whose status is below 400.
func (f *adminFlags) open(ctx context.Context, method, path string, body any) (*http.Response, error) {
	if f.client == nil {
		if err := f.connect(); err != nil {
			return nil, err
		}
	}
	reader, upload := body.(io.Reader) // otherwise it is a question
	if body != nil && !upload {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("writing the question: %w", err)
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, f.origin+path, reader)
	if err != nil {
		return nil, usage(err)
	}
	req.Header.Set("Origin", f.origin) // the admin API may ask for it
	if upload {
		req.Header.Set("Content-Type", "application/octet-stream")
	} else if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, unreachablef("asking Caddy: %w; is it running, and is --address right?", err)
	}
	if resp.StatusCode < http.StatusBadRequest {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refused(resp)
}

// refused is the error of an answer that says no.
func refused(resp *http.Response) error {
	var answer struct{ Error string }
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil || answer.Error == "" {
		answer.Error = "Caddy answered " + resp.Status + "; is it built with webhooks?"
	}
	err := errors.New(strings.Map(printable, answer.Error))
	switch resp.StatusCode {
	case http.StatusBadRequest:
		return usage(err)
	case http.StatusServiceUnavailable:
		return &statusError{err, statusUnreachable}
	}
	return err
}

// ask asks and reads the answer.
func (f *adminFlags) ask(ctx context.Context, method, path string, body any) ([]byte, error) {
	if !f.patient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, requestTime)
		defer cancel()
	}
	resp, err := f.open(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, unreachablef("reading Caddy's answer: %w", err)
	}
	return text, nil
}

// queryOf returns those of these flags that were given, by name, as the query of a path.
func queryOf(cmd *cobra.Command, names ...string) map[string]string {
	query := map[string]string{}
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f.Changed {
			query[name] = f.Value.String()
		}
	}
	return query
}

// pathOf writes a path with a query, of which empty values are left out.
func pathOf(path string, query map[string]string) string {
	values := url.Values{}
	for name, value := range query {
		if value != "" {
			values.Set(name, value)
		}
	}
	if len(values) > 0 {
		path += "?" + values.Encode()
	}
	return path
}

// decode reads an answer.
func decode[T any](text []byte) (v T, err error) {
	if err := json.Unmarshal(text, &v); err != nil {
		return v, unreachablef("reading Caddy's answer: %w; is this program of the same version?", err)
	}
	return v, nil
}

// answer is what Caddy answered: as it wrote it, and decoded.
type answer[T any] struct {
	text  []byte
	value T
}

// fetch asks the Caddy that the flags name, and decodes its answer.
func fetch[T any](ctx context.Context, f *adminFlags, method, path string, body any) (a answer[T], err error) {
	if a.text, err = f.ask(ctx, method, path, body); err == nil {
		a.value, err = decode[T](a.text)
	}
	return a, err
}

// print prints an answer: as it is for programs, by table for people.
func (a *answer[T]) print(cmd *cobra.Command, f *adminFlags, table func(w io.Writer, v *T)) (err error) {
	if f.json {
		_, err = cmd.OutOrStdout().Write(a.text)
		return err
	}
	return printText(cmd.OutOrStdout(), func(w io.Writer) { table(w, &a.value) })
}

// askAndPrint asks the Caddy that the flags name, and prints its answer.
func askAndPrint[T any](cmd *cobra.Command, f *adminFlags, method, path string, body any, table func(w io.Writer, v *T)) (T, error) {
	a, err := fetch[T](cmd.Context(), f, method, path, body)
	if err == nil {
		err = a.print(cmd, f, table)
	}
	return a.value, err
}

// view prints what is at path.
func view[T any](cmd *cobra.Command, f *adminFlags, path string, table func(w io.Writer, v *T)) error {
	_, err := askAndPrint(cmd, f, http.MethodGet, path, nil, table)
	return err
}
