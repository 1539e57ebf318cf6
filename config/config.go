// Package config holds the typed settings of both halves of VideoCloud Webhooks, their defaults,
// their validation, and the constants that the documentation promises: the retry table, the event
// catalogue and the header names.
//
// Everything else may import it; it imports nothing else of this module. A zero value of every
// settings type is usable once [Sender.SetDefaults], [Receiver.SetDefaults] or [Redis.SetDefaults]
// ran; Validate says what is wrong in words that name the option of the Caddyfile:
//
//	s := config.Sender{Concurrency: 64}
//	s.SetDefaults()
//	if err := s.Validate(); err != nil { ... }
package config

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// DefaultRetry is the documented retry table: the delay before each attempt, counted from the end of
// the attempt before it. Its length is the number of attempts.
func DefaultRetry() []time.Duration {
	return []time.Duration{0, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute}
}

// Limits that the API documents.
const (
	MaxEnvelopeSize    = 256 << 10 // an event with its envelope, in bytes
	MaxBatchEvents     = 1000      // events in one POST /events/batch
	MaxBatchSize       = 8 << 20   // bytes of one POST /events/batch
	MaxWebhooks        = 1000      // webhooks in one account
	MaxKeys            = 1000      // API keys of one account
	MaxAccountName     = 256       // bytes of an account's display name
	MaxNotifyEmails    = 5         // mail addresses of one account
	MaxEventTypes      = 500       // event types that are added at run time
	MaxTypeDescription = 1024      // bytes of an event type's description
	MaxTypeGroup       = 64        // bytes of an event type's group
	MaxTypeExample     = 16 << 10  // bytes of an event type's example
	MaxURL             = 2048      // bytes of a webhook's URL
	MinSecretSize      = 16        // bytes of a signing secret
	MaxSecretSize      = 256       // bytes of a signing secret
	MaxJSONDepth       = 1000      // nesting of a published document
	DefaultPageLimit   = 50        // items of one page
	MaxPageLimit       = 100       // items of one page
	MaxEventID         = 128       // characters of an event ID
	MaxHeaders         = 20        // custom headers of a webhook
	MaxHeaderName      = 128       // bytes of a custom header's name
	MaxHeaderValue     = 4096      // bytes of a custom header's value

	// EventIDLifetime is how long the same event ID is recognised as the same event.
	EventIDLifetime = 72 * time.Hour
	// MaxSecretOverlap is how long an old secret may go on signing beside a new one.
	MaxSecretOverlap = 30 * 24 * time.Hour
	// IdempotencyLifetime is how long a repeated registration is recognised by its key.
	IdempotencyLifetime = 72 * time.Hour
	// MaxRetryAfter bounds how far a Retry-After header can delay the next attempt.
	MaxRetryAfter = time.Hour
	// NoticeInterval is the least time between two notices about one webhook.
	NoticeInterval = time.Hour
)

// DefaultKeyPrefix is the default of what every key in Redis begins with.
const DefaultKeyPrefix = "webhooks"

// DefaultShards is the number of hash tags that accounts are spread over. It is stored in Redis at
// first use and never changes afterwards.
const DefaultShards = 16

// DefaultAccount is the account that owns what is published and registered without naming one.
const DefaultAccount = "default"

// retryTable checks a retry table. Errors begin with the option's name.
func retryTable(option string, table []time.Duration) error {
	shortest := slices.Min(append([]time.Duration{0}, table...))
	return cmp.Or(
		errorIf(len(table) == 0, "%s: give at least one delay, such as 0s", option),
		errorIf(len(table) > 50, "%s: at most 50 attempts, got %d", option, len(table)),
		errorIf(shortest < 0, "%s: a delay can't be negative: %s", option, shortest),
	)
}

// errorIf returns an error where bad is true. A list of them in cmp.Or is the error of the first that is.
func errorIf(bad bool, format string, args ...any) error {
	if bad {
		return fmt.Errorf(format, args...)
	}
	return nil
}
