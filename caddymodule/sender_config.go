package caddymodule

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/config"
)

// Sender are the settings of the sending half. Deliveries run only where they are given.
type Sender struct {
	// Retry is the delay before each attempt, counted from the end of the attempt before it; its length is the number of
	// attempts. Default: 0s 1m 5m 15m 30m.
	Retry []caddy.Duration `json:"retry,omitempty"`

	// Timeout bounds one attempt, the reading of the answer included. Default: 15s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Concurrency is how many attempts this process has in flight. Default: as many as pay, between 256 and 8192.
	Concurrency int `json:"concurrency,omitempty"`

	// PerWebhook is how many attempts may be in flight to one webhook. Default: 16.
	PerWebhook int `json:"per_webhook,omitempty"`

	// MaxPending is how many deliveries of one webhook may wait. Default: 100000.
	MaxPending int `json:"max_pending,omitempty"`

	// MaxPendingAccount is how many deliveries of one account may wait. With more, webhooks that have over 1,000 waiting take none,
	// while the others go on. Default: 1000000.
	MaxPendingAccount int `json:"max_pending_account,omitempty"`

	// MaxAge is how long a delivery may wait before it fails as expired. Default: 24h.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// DeliverOff makes this process serve the API only. Default: false.
	DeliverOff bool `json:"deliver_off,omitempty"`

	// AllowHTTP permits http:// destinations. Default: false.
	AllowHTTP bool `json:"allow_http,omitempty"`

	// AllowNetworks are networks, as CIDRs, that may be delivered to although they are not public. The word private_ranges
	// stands for the private ones, without loopback and link-local. Takes placeholders. Default: none.
	AllowNetworks []string `json:"allow_networks,omitempty"`

	// Proxy is the URL of an egress proxy. Takes placeholders. Default: none.
	Proxy string `json:"proxy,omitempty"`

	// EncryptionKeys encrypt signing secrets and custom headers in the store: each is base64 of 32 bytes; the first
	// encrypts, all decrypt. Write placeholders. Default: none.
	EncryptionKeys []string `json:"encryption_keys,omitempty"`

	// EventTypes replaces the catalogue of event types. Default: the documented ones.
	EventTypes []string `json:"event_types,omitempty"`

	// RetentionSucceeded is how long a payload is kept after its last delivery succeeded. Default: 1h.
	RetentionSucceeded caddy.Duration `json:"retention_succeeded,omitempty"`

	// RetentionFailed is how long a payload is kept after its last delivery ended, where one failed. Default: 720h.
	RetentionFailed caddy.Duration `json:"retention_failed,omitempty"`

	// HistoryEntries is how many attempts are kept for each webhook. Default: 1000.
	HistoryEntries int `json:"history_entries,omitempty"`

	// HistoryAge is how long attempts are kept. Default: 72h.
	HistoryAge caddy.Duration `json:"history_age,omitempty"`

	// NotifyURL gets every notice as well. Takes placeholders. Default: none.
	NotifyURL string `json:"notify_url,omitempty"`

	// NotifySecret signs the notices to notify_url, which requires it. Write a placeholder.
	NotifySecret string `json:"notify_secret,omitempty"`

	// NotifySlack is the address of a Slack incoming webhook that gets every notice. Write a placeholder: who has it may
	// post there. Default: none.
	NotifySlack string `json:"notify_slack,omitempty"`

	// NotifyEmail are addresses of the operator's that get every notice by mail. Take placeholders. Default: none.
	NotifyEmail []string `json:"notify_email,omitempty"`

	// SMTPURL is the server that takes mail about failed webhooks, to notify_email and to the addresses of accounts:
	// smtp://user:password@host:587, with STARTTLS required but on loopback, or smtps://. Takes placeholders. Default: none.
	SMTPURL string `json:"smtp,omitempty"`

	// SMTPFrom is the address that such mail comes from; smtp requires it. Takes placeholders.
	SMTPFrom string `json:"smtp_from,omitempty"`

	// PortalURL is where customers reach the portal, such as https://hooks.example.com/console/portal/. Takes placeholders.
	// Default: none; then links to it can be made for loopback only.
	PortalURL string `json:"portal_url,omitempty"`

	// DisableAfter disables a webhook whose attempts have all failed for that long. Default: none is.
	DisableAfter caddy.Duration `json:"disable_after,omitempty"`

	// GoneDisable makes an answer of 410 disable the webhook. Default: false.
	GoneDisable bool `json:"gone_disable,omitempty"`

	// PropagateTrace sends traceparent and tracestate to webhooks. Default: false.
	PropagateTrace bool `json:"propagate_trace,omitempty"`

	// Brand is the word in the header names and the User-Agent. Default: VideoCloud.
	Brand string `json:"brand,omitempty"`
}

// settings resolves s, fills in the defaults and checks the result.
func (s *Sender) settings(values *resolver) (config.Sender, error) {
	c := config.Sender{
		AllowNetworks:  values.all("allow_networks", s.AllowNetworks),
		Proxy:          values.value("proxy", s.Proxy),
		EncryptionKeys: values.secrets("encryption_key", s.EncryptionKeys),
		NotifyURL:      values.value("notify_url", s.NotifyURL),
		NotifySecret:   values.secret("notify_url", s.NotifySecret),
		NotifySlack:    values.value("notify_slack", s.NotifySlack),
		NotifyEmail:    values.all("notify_email", s.NotifyEmail),
		SMTPURL:        values.value("smtp", s.SMTPURL),
		SMTPFrom:       values.value("smtp", s.SMTPFrom),
		PortalURL:      values.value("portal_url", s.PortalURL),
		Brand:          s.Brand,
	}
	copyPlain(&c, s)
	if values.err != nil || values.deferred {
		return c, values.err
	}
	if len(s.EventTypes) > 0 {
		var err error
		if c.EventTypes, err = config.EventTypesFromNames(s.EventTypes); err != nil {
			return c, err
		}
	}
	c.SetDefaults()
	return c, c.Validate()
}

// unmarshalCaddyfile reads the block of the option sender.
func (s *Sender) unmarshalCaddyfile(o option) error {
	given, err := parseBlock(o.Dispenser, func(o option) error { return readAlone(o, s, (*Sender).options, (*Sender).check) })
	if err != nil {
		return err
	}
	return given.wrap(o, s.check())
}

// check reports what is wrong with settings some of which may be placeholders.
func (s *Sender) check() error {
	_, err := s.settings(new(resolver))
	return err
}

// options are what the block may hold.
func (s *Sender) options() block {
	return block{
		"retry":               durations(&s.Retry),
		"timeout":             duration(&s.Timeout),
		"concurrency":         number(&s.Concurrency, 1),
		"per_webhook":         number(&s.PerWebhook, 1),
		"max_pending":         number(&s.MaxPending, 1),
		"max_pending_account": number(&s.MaxPendingAccount, 1),
		"max_age":             duration(&s.MaxAge),
		"deliver":             switchedBy(&s.DeliverOff, "off"),
		"allow_http":          flag(&s.AllowHTTP),
		"allow_networks":      words(&s.AllowNetworks),
		"proxy":               word(&s.Proxy),
		"encryption_key":      words(&s.EncryptionKeys),
		"event_types":         words(&s.EventTypes),
		"retention_succeeded": duration(&s.RetentionSucceeded),
		"retention_failed":    duration(&s.RetentionFailed),
		"history":             inTurn(number(&s.HistoryEntries, 1), duration(&s.HistoryAge)),
		"notify_url":          word(&s.NotifyURL, &s.NotifySecret),
		"notify_slack":        word(&s.NotifySlack),
		"notify_email":        words(&s.NotifyEmail),
		"smtp":                word(&s.SMTPURL, &s.SMTPFrom),
		"portal_url":          word(&s.PortalURL),
		"disable_after":       duration(&s.DisableAfter),
		"gone":                switchedBy(&s.GoneDisable, "disable"),
		"propagate_trace":     flag(&s.PropagateTrace),
		"brand":               word(&s.Brand),
	}
}
