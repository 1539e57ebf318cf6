package config

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Sender are the settings of the sending half. Every value is resolved: no placeholders.
type Sender struct {
	// Retry is the delay before each attempt, counted from the end of the one before. Default: 0s 1m 5m 15m 30m.
	Retry []time.Duration
	// Timeout bounds one attempt, reading the answer included. Default: 15s.
	Timeout time.Duration
	// Concurrency is how many attempts this process has in flight at most. Default: by the processor, memory and open files, between 256 and 8,192.
	Concurrency int
	// PerWebhook is how many attempts may be in flight to one webhook, in all processes. Default: 16.
	PerWebhook int
	// MaxPending is how many deliveries of one webhook may wait. Default: 100000.
	MaxPending int

	// MaxPendingAccount is how many deliveries of one account may wait. With more, those of its webhooks that have over 1,000 waiting get no
	// further ones. Default: 1000000.
	MaxPendingAccount int
	// MaxAge is how long a delivery may wait before it fails as expired. Default: 24h.
	MaxAge time.Duration
	// DeliverOff makes this process serve the API only.
	DeliverOff bool
	// AllowHTTP permits http:// destinations.
	AllowHTTP bool
	// AllowNetworks are destinations permitted although they are not public: CIDRs, or the word
	// private_ranges, which holds neither loopback nor link-local addresses. Default: none.
	AllowNetworks []string
	// Proxy is the URL of an egress proxy. Default: none; the environment's proxies are not used.
	Proxy string
	// EncryptionKeys are base64 of 32 bytes each: the first encrypts signing secrets and custom header
	// values at rest, the others still decrypt. Default: none, with a warning.
	EncryptionKeys []string
	// EventTypes is the catalogue. Default: DefaultEventTypes.
	EventTypes []EventType
	// RetentionSucceeded is how long a payload is kept after its last delivery succeeded. Default: 1h.
	RetentionSucceeded time.Duration
	// RetentionFailed is how long a payload is kept after its last delivery ended, where one failed. Default: 720h.
	RetentionFailed time.Duration
	// HistoryEntries is how many attempts are kept for each webhook. Default: 1000.
	HistoryEntries int
	// HistoryAge is how long attempts are kept. Default: 72h.
	HistoryAge time.Duration
	// NotifyURL is an address that gets every notice about a webhook, signed with NotifySecret. Default: none.
	NotifyURL string
	// NotifySecret signs notices to NotifyURL, which needs it. At least 16 bytes.
	NotifySecret string
	// PortalURL is the public address of the portal, such as https://hooks.example.com/console/portal/. Default: none; then
	// links to it can be made for loopback only.
	PortalURL string
	// SMTPURL is the mail server for mail about failed webhooks: smtp:// or smtps://. Default: none.
	SMTPURL string
	// SMTPFrom is the sender's address of such mail. Required with SMTPURL.
	SMTPFrom string
	// NotifyEmail are the operator's addresses, which get every notice. Default: none.
	NotifyEmail []string
	// NotifySlack is the address of a Slack incoming webhook that gets every notice. Default: none.
	NotifySlack string
	// DisableAfter is for how long all attempts to a webhook must have failed for it to be disabled. Default: 0, never.
	DisableAfter time.Duration
	// GoneDisable makes an answer with status 410 end the delivery and disable the webhook. Default: false.
	GoneDisable bool
	// PropagateTrace sends the headers traceparent and tracestate to webhooks. Default: false.
	PropagateTrace bool
	// Brand is the word in the header names and the User-Agent. Default: VideoCloud.
	Brand string
}

// SetDefaults fills in what was not given.
func (s *Sender) SetDefaults() {
	if len(s.Retry) == 0 {
		s.Retry = DefaultRetry()
	}
	if len(s.EventTypes) == 0 {
		s.EventTypes = DefaultEventTypes()
	}
	setDefaults(s.counts())
	setDefaults(s.durations())
	setDefault(&s.Brand, DefaultBrand)
}

func (s *Sender) counts() []option[int] {
	return []option[int]{
		{"per_webhook", &s.PerWebhook, 16},
		{"max_pending", &s.MaxPending, 100_000},
		{"max_pending_account", &s.MaxPendingAccount, 1_000_000},
		{"history", &s.HistoryEntries, 1000},
	}
}

func (s *Sender) durations() []option[time.Duration] {
	return []option[time.Duration]{
		{"timeout", &s.Timeout, 15 * time.Second},
		{"max_age", &s.MaxAge, 24 * time.Hour},
		{"retention_succeeded", &s.RetentionSucceeded, time.Hour},
		{"retention_failed", &s.RetentionFailed, 720 * time.Hour},
		{"history", &s.HistoryAge, 72 * time.Hour},
	}
}

var brandWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,31}$`)

// Validate reports the first setting that can't work, naming its option. No error contains a secret.
func (s *Sender) Validate() error {
	_, _, badNetworks := s.Networks()
	_, badKeys := s.Keys()
	return cmp.Or(
		retryTable("retry", s.Retry),
		checkCounts(s.counts()),
		checkDurations(s.durations()),
		errorIf(s.DisableAfter != 0 && s.DisableAfter < ShortestDuration,
			"%w; leave it out to disable no webhook", tooShort("disable_after", s.DisableAfter)),
		errorIf(s.Concurrency < 0, "concurrency: must be more than zero; leave it out for as many as pay"),
		badNetworks,
		s.validateProxy(),
		badKeys,
		errorIf(s.NotifyURL != "" && !isWebURL(s.NotifyURL), "notify_url: write https:// and a host, without a user or a password"),
		errorIf(s.NotifyURL != "" && len(s.NotifySecret) < MinSecretSize, "notify_url: its secret needs at least %d bytes", MinSecretSize),
		s.validateMail(),
		errorIf(s.PortalURL != "" && (!isWebURL(s.PortalURL) || strings.ContainsAny(s.PortalURL, "#?")),
			"portal_url: write https://, a host and the portal's path, without a user, a query or a fragment, such as https://hooks.example.com/console/portal/"),
		errorIf(!brandWord.MatchString(s.Brand), "brand: %q can't stand in a header name; use letters, digits and dashes", s.Brand),
		s.together(),
	)
}

func (s *Sender) validateProxy() error {
	if s.Proxy == "" {
		return nil
	}
	u, ok := parseURL(s.Proxy, "http", "https", "socks5")
	return errorIf(!ok || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "",
		"proxy: write http://, https:// or socks5:// and a host, with its port where it is another, and no path")
}

// together returns a [Conflict] of options that are each valid but can't be used together.
func (s *Sender) together() error {
	const noServer = "mail needs a server that takes it, and there is none; give smtp too"
	takes := s.RetrySpan()
	return cmp.Or(
		conflictIf(takes > s.MaxAge, "retry", "max_age", "the last attempt of this table can be %s away, and a delivery fails as expired after %s; shorten the table or raise max_age",
			FormatDuration(takes), FormatDuration(s.MaxAge)),
		conflictIf(s.NotifySecret != "" && s.NotifyURL == "", "notify_secret", "notify_url", "the secret signs notices to a URL, and there is none; give notify_url too"),
		conflictIf(len(s.NotifyEmail) > 0 && s.SMTPURL == "", "notify_email", "smtp", noServer),
		conflictIf(s.SMTPFrom != "" && s.SMTPURL == "", "smtp_from", "smtp", noServer),
	)
}

// RetrySpan returns how far the last attempt can be from the first: all delays of the retry table, and the full timeout of every attempt
// before the last.
func (s *Sender) RetrySpan() time.Duration { return RetrySpan(s.Retry, s.Timeout) }

// RetrySpan is [Sender.RetrySpan] of another table and another timeout.
func RetrySpan(retry []time.Duration, timeout time.Duration) time.Duration {
	var span time.Duration
	for i, d := range retry {
		if i > 0 {
			span = addDurations(span, timeout)
		}
		span = addDurations(span, d)
	}
	return span
}

// addDurations adds durations that are not negative. It returns the longest duration where the sum would overflow.
func addDurations(a, b time.Duration) time.Duration {
	if b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return a + b
}

// Networks parses AllowNetworks: the CIDRs, and whether private_ranges was among them.
func (s *Sender) Networks() (cidrs []netip.Prefix, privateRanges bool, err error) {
	for _, n := range s.AllowNetworks {
		if n == "private_ranges" {
			privateRanges = true
			continue
		}
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return nil, false, fmt.Errorf("allow_networks: %q is neither a CIDR such as 10.0.0.0/8 nor private_ranges", n)
		}
		cidrs = append(cidrs, p.Masked())
	}
	return cidrs, privateRanges, nil
}

// Keys decodes EncryptionKeys, the encrypting one first.
func (s *Sender) Keys() ([][]byte, error) {
	keys := make([][]byte, 0, len(s.EncryptionKeys))
	for i, text := range s.EncryptionKeys {
		if first := slices.Index(s.EncryptionKeys, text); first < i {
			return nil, fmt.Errorf("encryption_key: key %d is the same as key %d; each is given once", i+1, first+1)
		}
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) != 32 {
			return nil, fmt.Errorf("encryption_key: key %d is not base64 of 32 bytes; make one with: caddy webhook keygen --type encryption", i+1)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
