package caddymodule

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/config"
)

// Dedup are the settings of the once-only rule.
type Dedup struct {
	// Off lets every copy through. Default: false.
	Off bool `json:"off,omitempty"`

	// IDHeader names the request header with the event ID. Default: where the scheme has it.
	IDHeader string `json:"id_header,omitempty"`

	// IDPointer is the JSON pointer of the event ID in the body, such as /id. Default: where the scheme has it.
	IDPointer string `json:"id_pointer,omitempty"`

	// DigestOff stops counting equal bodies as one event where the scheme signs no event ID. A captured request
	// can then be replayed under another ID. Default: false.
	DigestOff bool `json:"digest_off,omitempty"`

	// TTL is how long an event is remembered. Default: 72h.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// Lease is how long a claim lives if its holder dies; it is renewed while the app works. Default: 2m.
	Lease caddy.Duration `json:"lease,omitempty"`

	// Timeout is the longest that the app may take. Default: 5m.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// OnStoreError is local, to go on with a memory of this process while the store is down, or reject, to
	// answer 503. Default: local.
	OnStoreError string `json:"on_store_error,omitempty"`
}

// Queue are the settings of answering at once and delivering later.
type Queue struct {
	// Retry is the delay before each attempt. Default: 0s 1m 5m 15m 30m.
	Retry []caddy.Duration `json:"retry,omitempty"`

	// Timeout bounds one attempt. Default: 30s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Concurrency is how many attempts this process has in flight. Default: 64.
	Concurrency int `json:"concurrency,omitempty"`

	// MaxLength is how many events may wait. Default: 100000.
	MaxLength int `json:"max_length,omitempty"`

	// Ordered delivers one event at a time, in the order in which they came: the next one starts only when the one before it succeeded or
	// is dead. Concurrency can't be with it. Default: false.
	Ordered bool `json:"ordered,omitempty"`

	// Deliver are the routes that an event takes to the only app. At least one is required, or Deliveries.
	Deliver caddyhttp.RouteList `json:"deliver,omitempty"`

	// Deliveries are the apps where there are several: each gets every event that matches when it is accepted, with retries and
	// dead events of its own. Default: the one of Deliver.
	Deliveries []*Delivery `json:"deliveries,omitempty"`
}

// convert resolves r with the scheme that was loaded for it, and fills in the defaults.
func (r *Receiver) convert(values *resolver, scheme Scheme) (config.Receiver, error) {
	name, options := scheme.SignatureScheme()
	c := config.Receiver{
		Name:      values.value("name", r.Name),
		Scheme:    name,
		Secrets:   values.secrets("secret", r.Secrets),
		URL:       values.value("url", r.URL),
		Methods:   r.Methods,
		Challenge: values.secret("challenge", r.Challenge),
	}
	copyPlain(&c, r)
	if len(options) > 0 {
		c.SchemeOptions = make(map[string]string, len(options))
		for option, value := range options {
			c.SchemeOptions[option] = values.template("scheme: "+option, value)
		}
	}
	if r.Dedup != nil {
		if err := r.Dedup.check(); err != nil {
			return c, err
		}
		c.Dedup = r.Dedup.convert()
		if r.Queue != nil && c.Dedup.OnStoreError == config.OnStoreErrorLocal {
			return c, &config.Conflict{Option: "dedup: on_store_error", Other: "queue",
				Problem: "a queue can take nothing while its store is down; remove on_store_error local"}
		}
	}
	if q := r.Queue; q != nil {
		if err := q.checkDeliveries(); err != nil {
			return c, err
		}
		c.Queue = q.convert()
	}
	allow := values.all("allow", r.Allow)
	if values.err != nil {
		return c, values.err
	}
	var err error
	c.Allow, err = parseNetworks("allow", allow)
	c.SetDefaults()
	return c, err
}

// check finds what contradicts itself.
func (d *Dedup) check() error {
	for _, o := range []struct {
		name  string
		given bool
	}{
		{"id", d.IDHeader != "" || d.IDPointer != ""}, {"digest", d.DigestOff}, {"ttl", d.TTL != 0}, {"lease", d.Lease != 0},
		{"timeout", d.Timeout != 0}, {"on_store_error", d.OnStoreError != ""},
	} {
		if d.Off && o.given {
			return &config.Conflict{Option: "dedup: " + o.name, Other: "off", Problem: "every copy reaches the app; remove one of them"}
		}
	}
	return nil
}

func (q *Queue) convert() *config.Queue {
	c := new(config.Queue)
	copyPlain(c, q)
	return c
}

func (d *Dedup) convert() config.Dedup {
	c := config.Dedup{IDHeader: d.IDHeader, IDPointer: d.IDPointer, OnStoreError: d.OnStoreError}
	copyPlain(&c, d)
	return c
}

var errDeliverMissing = errors.New("queue: write deliver with the directives that bring an event to the app")

// parseNetworks reads addresses and CIDRs. A bare address is just itself: an IPv6 one a /128.
func parseNetworks(option string, texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range texts {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			address, err := netip.ParseAddr(text)
			if err != nil || address.Zone() != "" {
				return nil, fmt.Errorf("%s: %q is neither an IP address nor a CIDR", option, text)
			}
			network = netip.PrefixFrom(address, address.BitLen())
		}
		networks = append(networks, network.Masked())
	}
	return networks, nil
}

// checkStore refuses what needs a store that outlives the process, or a name in it.
func checkStore(c *config.Receiver, inMemory, omitted bool) error {
	if c.Queue != nil && omitted {
		return errors.New("queue: it needs a store: write redis into the global option webhooks, or redis memory if losing the queue at exit is fine")
	}
	if c.Name == "" && !inMemory {
		return errors.New("name: a receiver on Redis needs a name: the same on every gateway of one app, another for another app")
	}
	return nil
}
