// Package client calls the REST API of VideoCloud Webhooks: it registers webhooks, publishes events, and reads and repeats
// deliveries. For receivers it verifies deliveries.
//
// It needs only the standard library, so that a program which uses it depends on neither Caddy nor Redis:
//
//	c, err := client.New("your_api_key", client.WithBaseURL("http://localhost:8080"))
//	if err != nil { ... }
//	published, err := c.Events.Publish(ctx, client.Event{
//		Type: "video.published",
//		Data: map[string]any{"videoId": "vid_123456"},
//	})
//
// While the API is unavailable, requests that may be repeated are retried with back-off; see [WithRetries]. A
// request that the API refuses returns an [*Error].
package client

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// DefaultBaseURL is the address of the API, unless [WithBaseURL] or the environment variable VIDEOCLOUD_BASE_URL names another.
	DefaultBaseURL = "https://api.videocloud.com"
	// DefaultTimeout bounds one try of a request.
	DefaultTimeout = 30 * time.Second
	// DefaultRetries is how often a request that may be repeated is tried again.
	DefaultRetries = 3
)

// Client is a client of the API. Its methods may be called from several goroutines at once.
type Client struct {
	// Webhooks registers endpoints, and reads and changes them.
	Webhooks *Webhooks
	// Events publishes events, and reads them.
	Events *Events
	// Deliveries reads deliveries, and sends them again.
	Deliveries *Deliveries
	// Replays reads and cancels the jobs that send deliveries again.
	Replays *Replays
	// EventTypes reads and changes the event catalogue.
	EventTypes *EventTypes
	// APIKeys makes keys at run time, lists and deletes them.
	APIKeys *APIKeys
	// PortalLinks makes links that lead customers to the portal.
	PortalLinks *PortalLinks
	// Accounts reads and changes accounts.
	Accounts *Accounts
	// Stats reads how many attempts had which outcome over time.
	Stats *StatsAPI

	apiKey    string
	baseURL   string
	account   *string
	userAgent string
	timeout   time.Duration
	retries   int
	http      *http.Client
}

// An Option changes a setting of a [Client].
type Option func(*Client)

// WithBaseURL sets the address of the API. Default: the environment variable VIDEOCLOUD_BASE_URL, else [DefaultBaseURL].
func WithBaseURL(u string) Option { return func(c *Client) { c.baseURL = u } }

// WithHTTPClient sends requests with h, of which the redirect policy is not used: no redirect is followed, as it would send the key to
// another address. Default: [http.DefaultClient].
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithAccount names the account, for keys of every account. Default: that of the key.
func WithAccount(name string) Option { return func(c *Client) { c.account = &name } }

// WithTimeout bounds each try of a request, reading its answer included; 0 is no bound. Default: [DefaultTimeout].
func WithTimeout(d time.Duration) Option { return func(c *Client) { c.timeout = d } }

// WithRetries sets how often a request is tried again after a status 429, 502, 503 or 504 or a network error. Only requests are retried
// that do the same once or twice: reads, updates, deletions, and publishing, since every event has an ID. 0 is never. Default:
// [DefaultRetries].
func WithRetries(n int) Option { return func(c *Client) { c.retries = n } }

// WithUserAgent sets the program's name, which the User-Agent has in front of this package's.
func WithUserAgent(s string) Option { return func(c *Client) { c.userAgent = s + " " + c.userAgent } }

// New returns a client that authenticates with apiKey. It sends nothing yet.
func New(apiKey string, options ...Option) (*Client, error) {
	c := &Client{
		apiKey:    apiKey,
		baseURL:   os.Getenv("VIDEOCLOUD_BASE_URL"),
		userAgent: "videocloud-go/" + version,
		timeout:   DefaultTimeout,
		retries:   DefaultRetries,
		http:      http.DefaultClient,
	}
	if c.baseURL == "" {
		c.baseURL = DefaultBaseURL
	}
	for _, o := range options {
		o(c)
	}
	if c.apiKey == "" {
		return nil, errors.New("the API key is missing")
	}
	// No error contains the key or the address, because errors end up in logs.
	if !isVisibleASCII(c.apiKey) || c.account != nil && !isVisibleASCII(*c.account) {
		return nil, errors.New("the API key and the account can't be empty, nor hold spaces, line breaks or anything but ASCII")
	}
	if !isBaseURL(c.baseURL) {
		return nil, errors.New("base URL: write https://host in ASCII, with a path if need be, and without user, query or fragment")
	}
	c.baseURL = strings.TrimRight(c.baseURL, "/")
	h := *c.http
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &h

	c.Webhooks = &Webhooks{c}
	c.Events = &Events{c}
	c.Deliveries = &Deliveries{c}
	c.Replays = &Replays{c}
	c.Stats = &StatsAPI{c}
	c.EventTypes = &EventTypes{c}
	c.APIKeys = &APIKeys{c}
	c.PortalLinks = &PortalLinks{c}
	c.Accounts = &Accounts{c}
	return c, nil
}

// isVisibleASCII reports whether a text is not empty and has only ASCII characters that are visible.
func isVisibleASCII(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// isBaseURL reports whether a text is an http or https URL without user, query and fragment.
func isBaseURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.User != nil {
		return false
	}
	if port := u.Port(); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return false
		}
	}
	return isVisibleASCII(s) && !strings.ContainsAny(s, `?#\`)
}
