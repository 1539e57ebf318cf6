package sender

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "embed"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
)

var (
	//go:embed lua/register.lua
	registerLua string
	//go:embed lua/delete.lua
	deleteLua string

	registerScript = queue.Script(registerLua)
	deleteScript   = queue.Script(deleteLua)
)

// shown is what is stored of a webhook to be shown again: nothing secret.
type shown struct {
	Settings
	HeaderNames []string `json:"headers,omitempty"`
	PublicKey   string   `json:"publicKey,omitempty"`
	Auth        *Auth    `json:"auth,omitempty"`
}

// record is a webhook as it stands in the store.
type record struct {
	lane    string
	account string
	version string
	status  Status
	created int64
	shown   shown
	meta    string
	last    *LastDelivery
	held    *time.Time
	failing int // events that its filter failed on
}

func (r *record) webhook() Webhook {
	return Webhook{
		ID: webhookPrefix + r.lane, Settings: r.shown.Settings, Status: r.status, CreatedAt: time.UnixMilli(r.created).UTC(),
		LastDelivery: r.last, HeldUntil: r.held, HeaderNames: r.shown.HeaderNames,
		PublicKey: r.shown.PublicKey, Auth: r.shown.Auth, FilterErrors: r.failing,
	}
}

// newSecret makes a secret of 24 random bytes in the form of Standard Webhooks.
func newSecret() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:])
}

// CreateWebhook registers a webhook. The secret is returned only where in has none and one was made: it is not shown again.
func (s *Sender) CreateWebhook(ctx context.Context, account string, in NewWebhook) (w Webhook, secret string, err error) {
	_, _ = s.catalogue(ctx) // subscriptions may be to types of a moment ago; where it can't be read, the store refuses all the same
	if err := s.checkNew(in); err != nil {
		return Webhook{}, "", err
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return Webhook{}, "", err
	}
	asked := in.digest()
	if in.Secret == "" {
		secret = newSecret()
		in.Secret = secret
	}
	if in.Status == "" {
		in.Status = StatusActive
	}
	r := record{lane: newLane(), account: account, status: in.Status, shown: shown{
		Settings: in.Settings, HeaderNames: slices.Sorted(maps.Keys(in.Headers)),
	}}
	m := meta{Account: account}
	m.set(&in.Settings)
	if m.Secret, err = s.seal(account, r.lane, in.Secret); err != nil {
		return Webhook{}, "", err
	}
	if m.Headers, err = s.sealHeaders(account, r.lane, in.Headers); err != nil {
		return Webhook{}, "", err
	}
	if _, err := s.resign(&r, &m, &WebhookUpdate{}, time.Now()); err != nil {
		return Webhook{}, "", err
	}
	if err := s.setAuth(&r, &m, in.Auth); err != nil {
		return Webhook{}, "", err
	}
	if err := checkWhole(&r.shown); err != nil {
		return Webhook{}, "", err
	}
	sealed := ""
	if in.IdempotencyKey != "" {
		if sealed, err = s.seal(account, r.lane, asked); err != nil {
			return Webhook{}, "", err
		}
	}
	args := append([]any{r.lane, account, config.MaxWebhooks}, r.stored(m)...)
	args = append(args, string(in.Status), in.IdempotencyKey, sealed, config.IdempotencyLifetime.Milliseconds(), r.member(in.Filter))
	for _, e := range in.Events {
		args = append(args, e)
	}
	v, err := s.queue.RunDurable(ctx, shard, registerScript, args...)
	if err != nil {
		return Webhook{}, "", s.unavailable("register", err)
	}
	switch v := v.(type) {
	case int64:
		r.created = v
	case []any:
		w, err := s.registeredBefore(ctx, account, asked, v)
		return w, "", err
	case string:
		if v == "ending" {
			return Webhook{}, "", errEnding
		}
		if v == "limit" {
			return Webhook{}, "", &Error{Code: CodeLimitReached, Message: fmt.Sprintf("this account has %d webhooks, the most there may be; delete one first", config.MaxWebhooks)}
		}
		return Webhook{}, "", s.unavailable("register", fmt.Errorf("lane %s", v))
	}
	return r.webhook(), secret, nil
}

// digest is what an idempotency key stands for. It covers the secret, so it is sealed where it is kept.
func (in *NewWebhook) digest() string {
	if in.IdempotencyKey == "" {
		return ""
	}
	h, parts := sha256.New(), []any{in.Settings, in.Secret, in.Headers, in.Status}
	if in.Auth != nil {
		parts = append(parts, in.Auth)
	}
	for _, part := range parts {
		text, _ := json.Marshal(part) // strings, numbers, and lists and maps of them; the names of a map come sorted
		_, _ = h.Write(append(text, 0))
	}
	return string(h.Sum(nil))
}

// registeredBefore answers a registration whose key was used before: the first webhook, where the same was asked for.
func (s *Sender) registeredBefore(ctx context.Context, account, asked string, first []any) (Webhook, error) {
	lane, _ := first[0].(string)
	sealed, _ := first[1].(string)
	before, err := s.open(account, lane, sealed)
	if err != nil {
		return Webhook{}, err
	}
	if before != asked {
		return Webhook{}, &Error{Code: CodeConflict, Field: "Idempotency-Key", Message: "this key was used in the last 72 h to register another webhook; choose a new key for a new webhook"}
	}
	w, err := s.Webhook(ctx, account, webhookPrefix+lane)
	if errors.Is(err, errNotFound) {
		return Webhook{}, &Error{Code: CodeConflict, Field: "Idempotency-Key", Message: "the webhook that was registered with this key was deleted; choose a new key"}
	}
	return w, err
}

func (s *Sender) checkNew(in NewWebhook) error {
	if err := s.checkSettings(new(Settings), &in.Settings); err != nil {
		return err
	}
	if in.Secret != "" {
		if err := checkSecret("secret", in.Secret); err != nil {
			return err
		}
	}
	if in.Status != "" {
		if err := checkStatus(in.Status); err != nil {
			return err
		}
	}
	if in.IdempotencyKey != "" && !validEventID(in.IdempotencyKey) {
		return invalid("Idempotency-Key", "an idempotency key has 1 to %d letters, digits, dashes and underscores", config.MaxEventID)
	}
	return s.checkHeaders(in.Headers)
}

func (s *Sender) sealHeaders(account, lane string, headers map[string]string) (map[string]string, error) {
	sealed := make(map[string]string, len(headers))
	for name, value := range headers {
		v, err := s.seal(account, lane, value)
		if err != nil {
			return nil, err
		}
		sealed[name] = v
	}
	return sealed, nil
}

// stored is the part of a webhook that register.lua and update.lua write.
func (r *record) stored(m meta) []any {
	pub, _ := json.Marshal(r.shown) // strings and numbers only
	private, _ := json.Marshal(m)
	limit := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	r.meta = string(private)
	return []any{string(pub), r.meta, limit(r.shown.RateLimit), limit(r.shown.MaxInFlight)}
}

// fields of a webhook's conf that a record is read from.
var recordFields = []string{"a", "st", "v", "c", "pub", "meta", "ls", "lt", "hu", "fe"}

func readRecord(lane string, values []any) (*record, error) {
	field := func(i int) string {
		v, _ := values[i].(string)
		return v
	}
	r := &record{lane: lane, account: field(0), status: Status(field(1)), version: field(2), meta: field(5)}
	if r.account == "" || field(1) == "deleted" {
		return nil, errNotFound
	}
	r.created, _ = strconv.ParseInt(field(3), 10, 64)
	if err := json.Unmarshal([]byte(field(4)), &r.shown); err != nil {
		return nil, fmt.Errorf("reading webhook %s: %w", lane, err)
	}
	if at, err := strconv.ParseInt(field(7), 10, 64); err == nil {
		r.last = &LastDelivery{Success: field(6) == "1", Timestamp: time.UnixMilli(at).UTC()}
	}
	if ms, err := strconv.ParseInt(field(8), 10, 64); err == nil && ms > time.Now().UnixMilli() {
		until := time.UnixMilli(ms).UTC()
		r.held = &until
	}
	r.failing, _ = strconv.Atoi(field(9))
	return r, nil
}

// record reads a webhook of an account; another account's is not found.
func (s *Sender) record(ctx context.Context, account, id string) (shard int, r *record, err error) {
	lane := laneOf(id)
	if lane == "" {
		return 0, nil, errNotFound
	}
	if shard, err = s.shard(ctx, account); err != nil {
		return 0, nil, err
	}
	values, err := s.store.Client().HMGet(ctx, s.queue.Tag(shard)+"conf:"+lane, recordFields...).Result()
	if err != nil {
		return 0, nil, s.unavailable("read", err)
	}
	if r, err = readRecord(lane, values); err != nil {
		return 0, nil, err
	}
	if r.account != account {
		return 0, nil, errNotFound
	}
	return shard, r, nil
}

// Webhook returns a webhook of an account.
func (s *Sender) Webhook(ctx context.Context, account, id string) (Webhook, error) {
	_, r, err := s.record(ctx, account, id)
	if err != nil {
		return Webhook{}, err
	}
	return r.webhook(), nil
}

// ListWebhooks returns an account's webhooks, oldest first, and the cursor of the next page where there is more.
func (s *Sender) ListWebhooks(ctx context.Context, account, cursor string, limit int) (items []Webhook, next string, err error) {
	if limit, err = checkLimit(limit); err != nil {
		return nil, "", err
	}
	after, err := readCursor(cursor)
	if err != nil {
		return nil, "", err
	}
	if after != "" && !webhookPlace.MatchString(after) {
		return nil, "", errCursor
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return nil, "", err
	}
	tag := s.queue.Tag(shard)
	// An account has a thousand webhooks at most, so their IDs are read as a whole.
	all, err := s.store.Client().ZRangeWithScores(ctx, tag+"hooks:"+account, 0, -1).Result()
	if err != nil {
		return nil, "", s.unavailable("list", err)
	}
	type place struct{ lane, cursor string }
	var page []place
	for _, z := range all {
		lane := z.Member.(string)
		// Creation times have 13 digits, so their text sorts as they do.
		at := strconv.FormatInt(int64(z.Score), 10) + lane
		if at <= after {
			continue
		}
		page = append(page, place{lane, at})
		if len(page) > limit {
			break
		}
	}
	if len(page) > limit {
		page = page[:limit]
		next = writeCursor(page[limit-1].cursor)
	}
	pipe := s.store.Client().Pipeline()
	for _, p := range page {
		pipe.HMGet(ctx, tag+"conf:"+p.lane, recordFields...)
	}
	items = make([]Webhook, 0, len(page))
	if len(page) == 0 {
		return items, "", nil
	}
	cmds, err := pipe.Exec(ctx)
	if err != nil {
		return nil, "", s.unavailable("list", err)
	}
	for i, cmd := range cmds {
		values, _ := cmd.(interface{ Result() ([]any, error) }).Result()
		r, err := readRecord(page[i].lane, values)
		if err != nil {
			continue // deleted in between
		}
		items = append(items, r.webhook())
	}
	return items, next, nil
}

// DeleteWebhook removes a webhook. Its waiting deliveries are cancelled; attempts under way finish.
func (s *Sender) DeleteWebhook(ctx context.Context, account, id string) error {
	shard, r, err := s.unregister(ctx, account, id)
	if err != nil {
		return err
	}
	// The first thousand at once, so that few deliveries show as cancelled by the time of the answer; a long backlog
	// is left to the chores.
	if err := s.cancelWaiting(ctx, shard, r.lane, 7); err != nil {
		s.log.Warn("cancelling deliveries of a deleted webhook; going on later", "webhook_id", id, "error", err)
	}
	return nil
}

// unregister takes a webhook out of its account.
func (s *Sender) unregister(ctx context.Context, account, id string) (shard int, r *record, err error) {
	for range updateTries {
		if shard, r, err = s.record(ctx, account, id); err != nil {
			return 0, nil, err
		}
		args := []any{r.lane, account, r.version, r.member(r.shown.Filter)}
		for _, e := range r.shown.Events {
			args = append(args, e)
		}
		v, err := s.queue.RunDurable(ctx, shard, deleteScript, args...)
		switch {
		case err != nil:
			return 0, nil, s.unavailable("delete", err)
		case v == int64(0):
			return 0, nil, errNotFound
		case v == int64(1):
			return shard, r, nil
		}
	}
	return 0, nil, errChanging
}

var errChanging = &Error{Code: CodeConflict, Message: "the webhook is being changed by others all the time; try again"}

// webhookPlace is a cursor's text in the list of webhooks: creation time and lane.
var webhookPlace = regexp.MustCompile(`^[0-9]{13}[0-9a-z]{12}$`)

var errCursor = invalid("cursor", "not a cursor; pass on nextCursor of the page before as it is")

// Cursors are opaque to callers: base64 of where the page ended.
func writeCursor(place string) string { return base64.RawURLEncoding.EncodeToString([]byte(place)) }

func readCursor(cursor string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) > 128 || strings.ContainsAny(cursor, "\r\n") { // the decoder skips line ends
		return "", errCursor
	}
	return string(b), nil
}
