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
	"strconv"
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
	patient                      bool // not a flag: an answer may take longer than requestTime
}

func (f *adminFlags) add(cmd *cobra.Command) {
	f.addAddress(cmd)
	addJSON(cmd, &f.json)
}

func (f *adminFlags) addAddress(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.address, "address", "", "address of Caddy's admin API (default: the config's, or localhost:2019)")
	flags.StringVarP(&f.configFile, "config", "c", "", "configuration file to read the admin address from")
	flags.StringVarP(&f.adapter, "adapter", "a", "", "name of the adapter of that file")
}

// given reports whether somebody said which Caddy is to be asked.
func (f *adminFlags) given() bool { return f.address != "" || f.configFile != "" || f.adapter != "" }

// page selects a page of a list.
type page struct {
	limit  int
	cursor string
}

func (p *page) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&p.limit, "limit", 0, "at most so many, 1 to 100; default: 50")
	flags.StringVar(&p.cursor, "cursor", "", "go on where a page ended")
}

func (p *page) into(cmd *cobra.Command, query map[string]string) {
	query["cursor"] = p.cursor
	if cmd.Flags().Changed("limit") {
		query["limit"] = strconv.Itoa(p.limit)
	}
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

// admin is the admin API of a running Caddy.
type admin struct {
	origin  string
	client  *http.Client
	patient bool
}

// requestTime bounds one question, but not a stream, nor one that is asked patiently.
const requestTime = 30 * time.Second

func (f *adminFlags) connect() (*admin, error) {
	text, err := caddycmd.DetermineAdminAPIAddress(f.address, nil, f.configFile, f.adapter)
	if err != nil {
		return nil, usage(err)
	}
	address, err := caddy.ParseNetworkAddressWithDefaults(text, "tcp", 2019)
	if err != nil || address.PortRangeSize() > 1 {
		return nil, usagef("address: %q is not the address of one admin API", text)
	}
	a := &admin{origin: "http://" + address.JoinHostPort(0), patient: f.patient}
	place := address.JoinHostPort(0)
	if address.IsUnixNetwork() {
		place, _, _ = strings.Cut(address.Host, "|") // behind it are the permissions of the socket
		a.origin = "http://127.0.0.1"
	}
	a.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, address.Network, place)
		},
	}}
	return a, nil
}

// unreachable is a Caddy that can't be asked, or whose store can't: exit status 3.
type unreachable struct{ err error }

func (e *unreachable) Error() string { return e.err.Error() }
func (e *unreachable) Unwrap() error { return e.err }

// open asks and returns the answer, whose status is below 400.
func (a *admin) open(ctx context.Context, method, path string, body any) (*http.Response, error) {
	reader, upload := body.(io.Reader) // otherwise it is a question
	if body != nil && !upload {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("writing the question: %w", err)
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.origin+path, reader)
	if err != nil {
		return nil, usage(err)
	}
	req.Header.Set("Origin", a.origin) // the admin API may ask for it
	if upload {
		req.Header.Set("Content-Type", "application/octet-stream")
	} else if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, &unreachable{fmt.Errorf("asking Caddy: %w; is it running, and is --address right?", err)}
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
		return &unreachable{err}
	}
	return err
}

// ask asks and reads the answer.
func (a *admin) ask(ctx context.Context, method, path string, body any) ([]byte, error) {
	if !a.patient {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, requestTime)
		defer cancel()
	}
	resp, err := a.open(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, &unreachable{fmt.Errorf("reading Caddy's answer: %w", err)}
	}
	return text, nil
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
		return v, &unreachable{fmt.Errorf("reading Caddy's answer: %w; is this program of the same version?", err)}
	}
	return v, nil
}

// view asks for what is at path, and shows it.
func view[T any](cmd *cobra.Command, f *adminFlags, path string, table func(w io.Writer, v *T)) (T, error) {
	return askAndShow(cmd, f, http.MethodGet, path, nil, table)
}

// askAndShow asks the Caddy that the flags name, and shows its answer.
func askAndShow[T any](cmd *cobra.Command, f *adminFlags, method, path string, body any, table func(w io.Writer, v *T)) (v T, err error) {
	a, err := f.connect()
	if err != nil {
		return v, err
	}
	text, err := a.ask(cmd.Context(), method, path, body)
	if err != nil {
		return v, err
	}
	return show(cmd, f, text, table)
}

// show prints an answer: as it is for programs, by f for people.
func show[T any](cmd *cobra.Command, f *adminFlags, text []byte, table func(w io.Writer, v *T)) (v T, err error) {
	if v, err = decode[T](text); err != nil {
		return v, err
	}
	if f.json {
		_, err = cmd.OutOrStdout().Write(text)
		return v, err
	}
	table(cmd.OutOrStdout(), &v)
	return v, nil
}
