// Package client talks to the REST API of VideoCloud Webhooks: it registers webhooks, publishes events and
// looks after deliveries. For receivers it verifies what arrives.
//
// It needs the standard library only, so that a producer pulls in neither Caddy nor Redis:
//
//	c, err := client.New("your_api_key", client.WithBaseURL("http://localhost:8080"))
//	if err != nil { ... }
//	published, err := c.Events.Publish(ctx, client.Event{
//		Type: "video.published",
//		Data: map[string]any{"videoId": "vid_123456"},
//	})
//
// Requests that may be repeated are, with back-off, while the API is unavailable; see [WithRetries]. A
// refusal is an [*Error].
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
	// DefaultBaseURL is where the API is, unless [WithBaseURL] or VIDEOCLOUD_BASE_URL say otherwise.
	DefaultBaseURL = "https://api.videocloud.com"
	// DefaultTimeout bounds one try of a request.
	DefaultTimeout = 30 * time.Second
	// DefaultRetries is how often a request that may be repeated is tried again.
	DefaultRetries = 3
)

// Client is a client of the API. Its methods may be called from several goroutines at once.
type Client struct {
	// Webhooks are registered endpoints.
	Webhooks *Webhooks
	// Events are published here.
	Events *Events
	// Deliveries are events on their way to webhooks.
	Deliveries *Deliveries
	// Replays are jobs that send deliveries again.
	Replays *Replays
	// EventTypes is the event catalogue.
	EventTypes *EventTypes
	// APIKeys are keys that are made at run time.
	APIKeys *APIKeys
	// PortalLinks lead customers to the portal.
	PortalLinks *PortalLinks
	// Accounts own webhooks and events.
	Accounts *Accounts
	// Stats are attempts by outcome over time.
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

// WithBaseURL says where the API is. Default: VIDEOCLOUD_BASE_URL of the environment, else [DefaultBaseURL].
func WithBaseURL(u string) Option { return func(c *Client) { c.baseURL = u } }

// WithHTTPClient sends requests through h. Redirects are not followed all the same: one would carry the key elsewhere.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithAccount names the account, for keys that serve any.
func WithAccount(name string) Option { return func(c *Client) { c.account = &name } }

// WithTimeout bounds each try of a request, its answer included; 0 is no bound. Default: [DefaultTimeout].
func WithTimeout(d time.Duration) Option { return func(c *Client) { c.timeout = d } }

// WithRetries says how often a request is tried again after 429, 502, 503, 504 or a broken connection, if
// repeating it can't do anything twice: reads, updates, deletions, and publishing, since every event carries an
// ID. 0 is never. Default: [DefaultRetries].
func WithRetries(n int) Option { return func(c *Client) { c.retries = n } }

// WithUserAgent names the program in front of this package's own word.
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
	// What is wrong with a key or an address is said without showing it: errors end up in logs.
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

func isVisibleASCII(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

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
