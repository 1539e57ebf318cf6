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
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/sender/internal/registry"
)

// publicPart is what is stored of a webhook to be read back: nothing in it is secret.
type publicPart struct {
	Settings
	HeaderNames []string `json:"headers,omitempty"`
	PublicKey   string   `json:"publicKey,omitempty"`
	Auth        *Auth    `json:"auth,omitempty"`
}

// record is a webhook as it was read from the store, with its public part decoded.
type record struct {
	registry.Webhook
	public publicPart
}

func (r *record) webhook() Webhook {
	w := Webhook{
		ID: webhookPrefix + r.Lane, Settings: r.public.Settings, Status: Status(r.Status), CreatedAt: r.Created, HeaderNames: r.public.HeaderNames,
		PublicKey: r.public.PublicKey, Auth: r.public.Auth, FilterErrors: r.FilterFails,
	}
	if !r.Last.IsZero() {
		w.LastDelivery = &LastDelivery{Success: r.LastOK, Timestamp: r.Last}
	}
	if r.HeldUntil.After(time.Now()) {
		w.HeldUntil = &r.HeldUntil
	}
	return w
}

// decodeMeta decodes what an attempt needs to know of the webhook.
func (r *record) decodeMeta() (m meta, err error) {
	if err = json.Unmarshal([]byte(r.Meta), &m); err != nil {
		err = fmt.Errorf("reading webhook %s: %w", r.Lane, err)
	}
	return m, err
}

// newSecret makes a secret of 24 random bytes in the form of Standard Webhooks.
func newSecret() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:])
}

// CreateWebhook registers a webhook. It returns the secret only where in has none and one was made, for this once: it can't be
// read later.
func (s *Sender) CreateWebhook(ctx context.Context, account string, in NewWebhook) (w Webhook, secret string, err error) {
	_, _ = s.catalogue(ctx) // in may subscribe to types that were made a moment ago; where the catalogue can't be read, the store fails below
	if err := s.checkNewWebhook(in); err != nil {
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
	r := record{
		Webhook: registry.Webhook{Lane: newLane(), Account: account, Status: string(in.Status)},
		public:  publicPart{Settings: in.Settings, HeaderNames: slices.Sorted(maps.Keys(in.Headers))},
	}
	m := meta{Account: account}
	m.setFrom(&in.Settings)
	if m.Secret, err = s.seal(account, r.Lane, in.Secret); err != nil {
		return Webhook{}, "", err
	}
	if m.Headers, err = s.sealHeaders(account, r.Lane, in.Headers); err != nil {
		return Webhook{}, "", err
	}
	if _, err := s.changeSigning(&r, &m, &WebhookUpdate{}, time.Now()); err != nil {
		return Webhook{}, "", err
	}
	if err := s.setAuth(&r, &m, in.Auth); err != nil {
		return Webhook{}, "", err
	}
	if err := checkAuthConflicts(&r.public); err != nil {
		return Webhook{}, "", err
	}
	sealed := ""
	if in.IdempotencyKey != "" {
		if sealed, err = s.seal(account, r.Lane, asked); err != nil {
			return Webhook{}, "", err
		}
	}
	made, err := s.registry.Register(ctx, shard, registry.Registration{
		Lane: r.Lane, Account: account, Status: r.Status, Stored: r.stored(m), Limit: config.MaxWebhooks,
		IdempotencyKey: in.IdempotencyKey, Asked: sealed, KeyLifetime: config.IdempotencyLifetime,
	})
	switch {
	case errors.Is(err, registry.ErrLimit):
		return Webhook{}, "", &Error{Code: CodeLimitReached, Message: fmt.Sprintf("this account has %d webhooks, the most there may be; delete one first", config.MaxWebhooks)}
	case err != nil:
		return Webhook{}, "", s.writeError("register", err)
	case made.Before != "":
		w, err := s.registeredBefore(ctx, account, asked, made)
		return w, "", err
	}
	r.Created = made.Created
	return r.webhook(), secret, nil
}

// digest identifies what an idempotency key was used to ask for. It covers the secret, so it is stored sealed.
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

// registeredBefore answers a registration whose key was used before: with the first webhook, where the same was asked for.
func (s *Sender) registeredBefore(ctx context.Context, account, asked string, made registry.Registered) (Webhook, error) {
	lane := made.Before
	before, err := s.open(account, lane, made.Asked)
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

func (s *Sender) checkNewWebhook(in NewWebhook) error {
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
	if in.IdempotencyKey != "" && !names.IsID(in.IdempotencyKey) {
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

// stored returns the part of a webhook that every change writes.
func (r *record) stored(m meta) registry.Stored {
	private, _ := json.Marshal(m)
	r.Meta = string(private)
	return r.public.stored(r.Lane, r.Meta)
}

func (w *publicPart) stored(lane, private string) registry.Stored {
	pub, _ := json.Marshal(w) // strings and numbers only
	limit := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	inFlight := w.MaxInFlight
	if w.Ordered {
		inFlight = 1
	}
	return registry.Stored{
		Public: string(pub), Meta: private, Rate: limit(w.RateLimit), Cap: limit(inFlight), Ordered: w.Ordered,
		Member: queue.Member(lane, filterVersion(w.Filter)), Topics: w.Events,
	}
}

func readRecord(w *registry.Webhook) (*record, error) {
	if w == nil {
		return nil, errNotFound
	}
	r := &record{Webhook: *w}
	if err := json.Unmarshal([]byte(w.Public), &r.public); err != nil {
		return nil, fmt.Errorf("reading webhook %s: %w", w.Lane, err)
	}
	return r, nil
}

// record reads a webhook of an account. One of another account is not found.
func (s *Sender) record(ctx context.Context, account, id string) (shard int, r *record, err error) {
	lane := laneOf(id)
	if lane == "" {
		return 0, nil, errNotFound
	}
	if shard, err = s.shard(ctx, account); err != nil {
		return 0, nil, err
	}
	w, err := s.registry.Webhook(ctx, shard, lane)
	if err != nil {
		return 0, nil, s.unavailable("read", err)
	}
	if r, err = readRecord(w); err != nil {
		return 0, nil, err
	}
	if r.Account != account {
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

// ListWebhooks returns an account's webhooks, oldest first, and the cursor of the next page, "" where there is none.
func (s *Sender) ListWebhooks(ctx context.Context, account, cursor string, limit int) (items []Webhook, next string, err error) {
	page, err := s.listPage(ctx, account, cursor, limit, webhookPlace.MatchString)
	if err != nil {
		return nil, "", err
	}
	all, err := s.registry.ListWebhooks(ctx, page.shard, account)
	if err != nil {
		return nil, "", s.unavailable("list", err)
	}
	var lanes []string
	last := ""
	for _, w := range all {
		// Creation times have 13 digits, so their text sorts as they do.
		place := strconv.FormatInt(w.Created, 10) + w.Lane
		if place <= page.after {
			continue
		}
		if len(lanes) == page.limit {
			next = writeCursor(last)
			break
		}
		lanes, last = append(lanes, w.Lane), place
	}
	found, err := s.registry.Webhooks(ctx, page.shard, lanes)
	if err != nil {
		return nil, "", s.unavailable("list", err)
	}
	items = make([]Webhook, 0, len(found))
	for _, w := range found {
		r, err := readRecord(w)
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
	// About a thousand are cancelled at once, so that a short backlog is gone when the answer comes; a task cancels the rest of a
	// long one.
	if err := s.cancelWaiting(ctx, shard, r.Lane, 7); err != nil {
		s.log.Warn("cancelling deliveries of a deleted webhook; going on later", "webhook_id", id, "error", err)
	}
	return nil
}

// unregister removes a webhook from its account.
func (s *Sender) unregister(ctx context.Context, account, id string) (shard int, r *record, err error) {
	err = retryChanged("the webhook", func() error {
		if shard, r, err = s.record(ctx, account, id); err != nil {
			return err
		}
		if err := s.registry.Delete(ctx, shard, r.Lane, account, r.Version, r.public.stored(r.Lane, r.Meta)); err != nil {
			return s.writeError("delete", err)
		}
		return nil
	})
	return shard, r, err
}

// webhookPlace matches a place in the list of webhooks: creation time and lane.
var webhookPlace = regexp.MustCompile(`^[0-9]{13}[0-9a-z]{12}$`)
