package signature

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// Sets of keys and certificates are fetched only from hosts that the provider names, by https and without redirects. So no request can
// make us connect to any other host.
const (
	fetchTimeout = 5 * time.Second
	maxFetch     = 256 << 10
)

var (
	errNoKeys     = errors.New("there are no keys in it")
	errUnknownKey = &Error{ReasonMismatch, "the key that the request names is not known"}
)

// fetcher fetches documents from certain hosts.
type fetcher struct {
	hosts  []string
	client *http.Client
}

// newFetcher uses the configuration's transport, or else sharedTransport.
func newFetcher(c Config, hosts []string) fetcher {
	transport := c.Transport
	if transport == nil {
		transport = sharedTransport
	}
	return fetcher{hosts, &http.Client{
		Transport: transport, Timeout: fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// sharedTransport serves all schemes, which fetch seldom.
var sharedTransport http.RoundTripper = &http.Transport{
	Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: fetchTimeout, ResponseHeaderTimeout: fetchTimeout,
	IdleConnTimeout: 30 * time.Second, MaxIdleConnsPerHost: 1, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10,
}

// get returns a document of at most 256 KiB.
func (f fetcher) get(ctx context.Context, address string) ([]byte, error) {
	if !allowedURL(address, f.hosts) {
		return nil, errors.New("the address is not one of the provider's")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the provider answered %d", resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxFetch+1))
	if err == nil && len(text) > maxFetch {
		err = errors.New("the answer is too large")
	}
	return text, err
}

// allowedURL reports whether an address is one of https at the standard port of one of the hosts, without user and fragment. A host is
// a name, or a regular expression that begins with ^.
func allowedURL(address string, hosts []string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return false
	}
	return slices.ContainsFunc(hosts, func(host string) bool {
		if host != "" && host[0] == '^' {
			ok, _ := regexp.MatchString(host, u.Host)
			return ok
		}
		return host == u.Host
	})
}

// hostOf returns the host of an address, empty where it is no URL.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
