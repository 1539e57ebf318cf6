package config

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Receiver are the settings of one gateway. Every value is resolved: no placeholders.
type Receiver struct {
	// Name separates the claims, the queue and the metrics of apps. It is the same on every gateway of one app.
	// Required where the store is Redis.
	Name string
	// Scheme is the signature scheme. Default: videocloud.
	Scheme string
	// SchemeOptions are the scheme's own options, by name.
	SchemeOptions map[string]string
	// Secrets are tried in turn (rotation). At least one is needed, but for schemes whose keys are published.
	Secrets []string
	// Tolerance is the accepted age, either way, of a signed timestamp. Default: the scheme's, mostly 5m.
	Tolerance time.Duration
	// ToleranceOff accepts any age.
	ToleranceOff bool
	// RequireTimestamp refuses videocloud deliveries without the Standard Webhooks headers.
	RequireTimestamp bool
	// URL is the public URL, for schemes that sign it.
	URL string
	// Allow are the addresses that may send. Default: any.
	Allow []netip.Prefix
	// MaxSize bounds the body, in bytes. Default: 5 MiB, or MaxUnfinished where that is less.
	MaxSize int64
	// ReadTimeout bounds how long the whole body may take. Default: 30s.
	ReadTimeout time.Duration
	// MaxUnfinished bounds the bytes of all bodies that are not complete yet; one client may have a quarter of it.
	// Default: 256 MiB, or four times MaxSize where that is more.
	MaxUnfinished int64
	// Methods are the methods of accepted requests. Default: POST.
	Methods []string

	sizeByDefault bool // MaxSize was not given
	// Challenge is the token that a provider's set-up request must show.
	Challenge string
	// Dedup are the settings that let each event through once.
	Dedup Dedup
	// Queue are the settings of a queue, which answers at once and delivers later. Default: nil, requests are forwarded directly.
	Queue *Queue
	// DryRun verifies, counts and logs requests, but refuses and drops none.
	DryRun bool
}

// What a receiver does while its store is down.
const (
	OnStoreErrorLocal  = "local"  // claims are kept in the memory of the process
	OnStoreErrorReject = "reject" // requests are refused
)

// Dedup are the settings that let each event through once.
type Dedup struct {
	// Off lets every copy through.
	Off bool
	// IDHeader names the header with the event ID, instead of the scheme's own place.
	IDHeader string
	// IDPointer is the JSON pointer (RFC 6901) of the event ID in the body, instead of the scheme's own place.
	IDPointer string
	// DigestOff recognizes events by their ID only, not by the digest of the body too.
	DigestOff bool
	// TTL is how long an event is remembered. Default: 72h.
	TTL time.Duration
	// Lease is how long a claim is valid without being renewed. Default: 2m.
	Lease time.Duration
	// Timeout is the longest the app may take. Default: 5m.
	Timeout time.Duration
	// OnStoreError is what happens while the store is down: [OnStoreErrorLocal] or [OnStoreErrorReject]. Default: local.
	OnStoreError string
}

// Queue are the settings of deferred delivery.
type Queue struct {
	// Retry is the delay before each attempt. Default: 0s 1m 5m 15m 30m.
	Retry []time.Duration
	// Timeout bounds one attempt. Default: 30s.
	Timeout time.Duration
	// Concurrency is how many attempts this process has in flight. Default: 64.
	Concurrency int
	// MaxLength is how many events may wait. Default: 100000.
	MaxLength int
	// Ordered delivers one event at a time, in the order in which they came: the next one when the one before it succeeded or is dead.
	Ordered bool
}

// UnfinishedShare is the divisor of MaxUnfinished that gives the share of one client.
const UnfinishedShare = 4

// SetDefaults fills in what was not given.
func (r *Receiver) SetDefaults() {
	setDefault(&r.Scheme, "videocloud")
	setDefaults(r.durations())
	setDefault(&r.MaxUnfinished, max(256<<20, UnfinishedShare*min(r.MaxSize, math.MaxInt64/UnfinishedShare)))
	if r.MaxSize == 0 {
		r.MaxSize, r.sizeByDefault = min(5<<20, max(1, r.MaxUnfinished)), true
	}
	if len(r.Methods) == 0 {
		r.Methods = []string{"POST"}
	}
	setDefault(&r.Dedup.Lease, 2*time.Minute)
	setDefault(&r.Dedup.OnStoreError, OnStoreErrorLocal)
	if q := r.Queue; q != nil {
		if len(q.Retry) == 0 {
			q.Retry = DefaultRetry()
		}
		if q.Ordered {
			setDefault(&q.Concurrency, 1)
		}
		setDefault(&q.Concurrency, 64)
		setDefault(&q.MaxLength, 100_000)
	}
}

func (r *Receiver) durations() []option[time.Duration] {
	durations := []option[time.Duration]{
		{"read_timeout", &r.ReadTimeout, 30 * time.Second},
		{"dedup: ttl", &r.Dedup.TTL, 72 * time.Hour},
		{"dedup: timeout", &r.Dedup.Timeout, 5 * time.Minute},
	}
	if r.Queue != nil {
		durations = append(durations, option[time.Duration]{"queue: timeout", &r.Queue.Timeout, 30 * time.Second})
	}
	return durations
}

// MaxQueueAge is the longest that an event may wait in a receiver's queue.
const MaxQueueAge = 720 * time.Hour

var methodName = regexp.MustCompile(`^[A-Z]{1,32}$`)

// CheckMethods returns an error that names the first of the methods that a receiver can't accept.
func CheckMethods(methods []string) error {
	for _, m := range methods {
		switch {
		case !methodName.MatchString(m):
			return fmt.Errorf("methods: %q is not a method such as POST", m)
		case m == "CONNECT":
			return errors.New("methods: CONNECT would be a tunnel to the app; no provider sends it")
		}
	}
	return nil
}

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

var receiverName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Validate reports the first setting that can't work, naming its option. No error contains a secret.
// The scheme's options and the form of secrets are checked by the receiver itself.
func (r *Receiver) Validate() error {
	d := &r.Dedup
	emptySecret := slices.IndexFunc(r.Secrets, func(s string) bool { return strings.TrimSpace(s) == "" })
	return cmp.Or(
		errorIf(r.Name != "" && !receiverName.MatchString(r.Name), "name: %q is not a name; use letters, digits, dots, dashes and underscores, 64 at most", r.Name),
		errorIf(emptySecret >= 0, "secret: number %d is empty", emptySecret+1),
		conflictIf(r.Tolerance != 0 && r.ToleranceOff, "tolerance", "tolerance off", "one judges the age of a timestamp, the other does not; remove one of them"),
		errorIf(r.Tolerance != 0 && r.Tolerance < ShortestTolerance, "tolerance: at least %s, not %s; write off to accept any age", ShortestTolerance, r.Tolerance),
		errorIf(r.MaxSize <= 0, "max_size: must be more than zero"),
		checkDurations(r.durations()),
		errorIf(r.MaxUnfinished <= 0, "max_unfinished: must be more than zero"),
		conflictIf(r.MaxSize > r.MaxUnfinished/UnfinishedShare && !r.sizeByDefault, "max_size", "max_unfinished",
			"a body of %d bytes could never be whole, as one client may hold a quarter of %d; lower max_size or give max_unfinished four times of it", r.MaxSize, r.MaxUnfinished),
		CheckMethods(r.Methods),
		conflictIf(d.IDHeader != "" && d.IDPointer != "", "dedup: id header", "id json", "an event has one ID; remove one of them"),
		errorIf(d.IDPointer != "" && d.IDPointer[0] != '/', "dedup: id json: a pointer starts with a slash, such as /id; got %q", d.IDPointer),
		errorIf(d.IDHeader != "" && !headerName.MatchString(d.IDHeader), "dedup: id header: %q is not the name of a header", d.IDHeader),
		errorIf(d.Lease < time.Second, "dedup: lease: at least 1s"),
		errorIf(d.OnStoreError != OnStoreErrorLocal && d.OnStoreError != OnStoreErrorReject, "dedup: on_store_error: local or reject, not %q", d.OnStoreError),
		r.validateQueue(),
	)
}

func (r *Receiver) validateQueue() error {
	q := r.Queue
	if q == nil {
		return nil
	}
	span := addDurations(RetrySpan(q.Retry, q.Timeout), q.Timeout) // with the last attempt
	return cmp.Or(
		errorIf(r.Name == "", "name: a receiver with a queue needs a name"),
		retryTable("queue: retry", q.Retry),
		errorIf(q.Ordered && q.Concurrency > 1, "queue: ordered and concurrency: with ordered one event is delivered at a time; leave concurrency out"),
		errorIf(q.Concurrency <= 0 || q.MaxLength <= 0, "queue: concurrency and max_length must be more than zero"),
		conflictIf(span > MaxQueueAge, "queue: retry", "age that a waiting event may have", "the table takes more than %s; shorten it", FormatDuration(MaxQueueAge)),
	)
}
