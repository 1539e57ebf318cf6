package command

import (
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// requestFlags describe a request that is signed or verified, and say how it is signed.
type requestFlags struct {
	schemeFlags
	method  string
	headers []string
	now     string
	json    bool
}

// add defines the flags; url is what --url is for.
func (f *requestFlags) add(cmd *cobra.Command, url string) {
	f.schemeFlags.add(cmd)
	addJSON(cmd, &f.json)
	flags := cmd.Flags()
	flags.StringVar(&f.url, "url", "", url)
	flags.StringVar(&f.method, "method", http.MethodPost, "method of the request")
	flags.StringArrayVar(&f.headers, "header", nil, "header of the request, as 'Name: value', or @file with one a line (repeatable)")
	flags.StringVar(&f.now, "now", "", "time to take for now, in unix seconds (default: the clock's)")
}

// timeAndHeaders returns what --now and --header say.
func (f *requestFlags) timeAndHeaders(in *input) (now time.Time, headers http.Header, err error) {
	if now, err = f.time(); err == nil {
		headers, err = in.headers(f.headers)
	}
	return now, headers, err
}

// time returns what --now says.
func (f *requestFlags) time() (time.Time, error) {
	if f.now == "" {
		return time.Now(), nil
	}
	seconds, err := strconv.ParseInt(f.now, 10, 64)
	if err != nil {
		return time.Time{}, usagef("now: %q is not a number of unix seconds", f.now)
	}
	return time.Unix(seconds, 0), nil
}
