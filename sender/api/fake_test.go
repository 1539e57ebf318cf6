package api_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/filter"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
)

// fake is a Service in memory. It keeps the rules simply, and delivers nothing.
type fake struct {
	mu       sync.Mutex
	accounts map[string]*account
	last     int
	down     error // answers everything, where it is set
	keys     []*fakeKey
}

type fakeKey struct {
	sender.Key
	value string
}

type account struct {
	record     *sender.Account
	webhooks   []*sender.Webhook
	events     map[string]*stored
	deliveries []*sender.Delivery
	replays    map[string]sender.Replay
	keys       map[string]*registered
	keyed      bool // an API key was made for it
}

type registered struct {
	asked   sender.NewWebhook
	webhook *sender.Webhook
}

type stored struct {
	deleted   bool
	event     sender.Event
	published sender.Published
}

func newFake() *fake { return &fake{accounts: map[string]*account{}} }

// in locks the fake and finds the account; done unlocks it.
func (f *fake) in(name string) (a *account, done func()) {
	f.mu.Lock()
	a = f.accounts[name]
	if a == nil {
		a = &account{events: map[string]*stored{}, replays: map[string]sender.Replay{}, keys: map[string]*registered{}}
		f.accounts[name] = a
	}
	return a, f.mu.Unlock
}

func (f *fake) id(kind string) string {
	f.last++
	return fmt.Sprintf("%s_%032x", kind, f.last)
}

func refuse(code sender.Code, field, message string) error {
	return &sender.Error{Code: code, Field: field, Message: message}
}

var errMissing = refuse(sender.CodeNotFound, "", "there is none of this ID")

func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.User != nil || !strings.Contains(u.Hostname(), ".") && !strings.Contains(u.Hostname(), ":") {
		return refuse(sender.CodeUnsafeURL, "url", "must be https with a public host")
	}
	if a, err := netip.ParseAddr(u.Hostname()); err == nil && (!a.Unmap().IsGlobalUnicast() || a.Unmap().IsPrivate()) {
		return refuse(sender.CodeUnsafeURL, "url", "must be public")
	}
	return nil
}

func checkEvents(patterns []string) error {
	if len(patterns) == 0 {
		return refuse(sender.CodeInvalidField, "events", "must name at least one")
	}
	for _, p := range patterns {
		if !slices.ContainsFunc(config.DefaultEventTypes(), func(t config.EventType) bool { return slices.Contains(config.Patterns(t.Name), p) }) {
			return refuse(sender.CodeUnknownEventType, "events", "is not known")
		}
	}
	return nil
}

func checkSecret(secret string) error {
	if len(secret) < config.MinSecretSize || len(secret) > config.MaxSecretSize {
		return refuse(sender.CodeInvalidField, "secret", "must have 16 to 256 bytes")
	}
	return nil
}

func (f *fake) CreateWebhook(_ context.Context, name string, in sender.NewWebhook) (w sender.Webhook, secret string, err error) {
	a, done := f.in(name)
	defer done()
	if f.down != nil {
		return w, "", f.down
	}
	if first := a.keys[in.IdempotencyKey]; in.IdempotencyKey != "" && first != nil {
		if !reflect.DeepEqual(first.asked, in) {
			return w, "", refuse(sender.CodeConflict, "Idempotency-Key", "was used for another")
		}
		return *first.webhook, "", nil
	}
	asked := in
	if in.Secret == "" {
		secret = "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 24))
		in.Secret = secret
	}
	for _, err := range []error{checkURL(in.URL), checkEvents(in.Events), checkSecret(in.Secret)} {
		if err != nil {
			return w, "", err
		}
	}
	w = sender.Webhook{Settings: in.Settings, ID: strings.ReplaceAll(f.id("whk"), "-", ""), Status: sender.StatusActive, CreatedAt: time.Now(), HeaderNames: namesOf(in.Headers)}
	if in.Status != "" {
		w.Status = in.Status
	}
	a.webhooks = append(a.webhooks, &w)
	a.keys[in.IdempotencyKey] = &registered{asked, &w}
	return w, secret, nil
}

func (f *fake) TestFilter(source string, e sender.Event) (matches bool, problem string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return false, "", f.down
	}
	if err := checkEvents([]string{e.Type}); err != nil {
		return false, "", refuse(sender.CodeUnknownEventType, "event", "is not known")
	}
	if err := sender.CheckEvent(e); err != nil {
		return false, "", err
	}
	compiled, err := filter.Compile(source)
	if err != nil {
		return false, "", refuse(sender.CodeInvalidField, "filter", "is no expression: "+err.Error())
	}
	if matches, err = compiled.Match(&filter.Event{Type: e.Type, ID: "evt_1", Timestamp: time.Now(), Data: e.Data}); err != nil {
		return true, err.Error(), nil
	}
	return matches, "", nil
}

func namesOf(headers map[string]string) (names []string) {
	for n := range headers {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (f *fake) ListWebhooks(_ context.Context, name, cursor string, limit int) ([]sender.Webhook, string, error) {
	a, done := f.in(name)
	defer done()
	if f.down != nil {
		return nil, "", f.down
	}
	items := []sender.Webhook{}
	for _, w := range a.webhooks {
		items = append(items, *w)
	}
	return page(items, cursor, limit)
}

// page cuts one page out of a list. Its cursor is the number of the first item.
func page[T any](items []T, cursor string, limit int) ([]T, string, error) {
	start := 0
	if cursor != "" {
		n, err := strconv.Atoi(cursor)
		if err != nil || n < 0 || n > len(items) {
			return nil, "", refuse(sender.CodeInvalidField, "cursor", "is not a cursor of ours")
		}
		start = n
	}
	items = items[start:]
	if len(items) <= limit {
		return items, "", nil
	}
	return items[:limit], strconv.Itoa(start + limit), nil
}

func (a *account) webhook(id string) (*sender.Webhook, error) {
	for _, w := range a.webhooks {
		if w.ID == id {
			return w, nil
		}
	}
	return nil, errMissing
}

func (f *fake) Webhook(_ context.Context, name, id string) (sender.Webhook, error) {
	a, done := f.in(name)
	defer done()
	w, err := a.webhook(id)
	if err != nil {
		return sender.Webhook{}, err
	}
	return *w, nil
}

func (f *fake) UpdateWebhook(_ context.Context, name, id string, u sender.WebhookUpdate) (none sender.Webhook, err error) {
	a, done := f.in(name)
	defer done()
	w, err := a.webhook(id)
	if err != nil {
		return none, err
	}
	changed := *w
	if u.Change != nil {
		if err := u.Change(&changed); err != nil {
			return none, err
		}
	}
	if err = checkURL(changed.URL); err == nil {
		err = checkEvents(changed.Events)
	}
	if u.Secret != nil && err == nil {
		err = checkSecret(*u.Secret)
	}
	if u.Secret == nil && u.SecretOverlap > 0 && err == nil {
		err = refuse(sender.CodeInvalidField, "secretOverlap", "goes with a new secret")
	}
	if u.Status != nil {
		if changed.Status = *u.Status; changed.Status != sender.StatusActive && changed.Status != sender.StatusPaused && err == nil {
			err = refuse(sender.CodeInvalidField, "status", "is active or paused")
		}
	}
	if err != nil {
		return none, err
	}
	if u.Headers != nil {
		changed.HeaderNames = namesOf(*u.Headers)
	}
	*w = changed
	return *w, nil
}

func (f *fake) DeleteWebhook(_ context.Context, name, id string) error {
	a, done := f.in(name)
	defer done()
	if _, err := a.webhook(id); err != nil {
		return err
	}
	a.webhooks = slices.DeleteFunc(a.webhooks, func(w *sender.Webhook) bool { return w.ID == id })
	return nil
}

func (f *fake) SendExample(_ context.Context, name, id, event string) (sender.Published, error) {
	a, done := f.in(name)
	defer done()
	w, err := a.webhook(id)
	if err != nil {
		return sender.Published{}, err
	}
	if event == "" {
		event = config.EventTest
	} else if !slices.ContainsFunc(config.DefaultEventTypes(), func(t config.EventType) bool { return t.Name == event }) {
		return sender.Published{}, refuse(sender.CodeUnknownEventType, "event", "is not known")
	}
	return f.store(a, sender.Event{Type: event, Data: []byte(`{}`)}, []*sender.Webhook{w}), nil
}

var eventID = regexp.MustCompile(`^[A-Za-z0-9_-]{0,128}$`)

func (f *fake) Publish(_ context.Context, name string, e sender.Event) (none sender.Published, err error) {
	a, done := f.in(name)
	defer done()
	switch {
	case f.down != nil:
		return none, f.down
	case !slices.ContainsFunc(config.DefaultEventTypes(), func(t config.EventType) bool { return t.Name == e.Type }):
		return none, refuse(sender.CodeUnknownEventType, "event", "is not known")
	case !eventID.MatchString(e.ID):
		return none, refuse(sender.CodeInvalidField, "id", "is not an ID")
	case len(e.Data)+len(e.Type)+60 > config.MaxEnvelopeSize:
		return none, refuse(sender.CodePayloadTooLarge, "data", "is too large")
	}
	if s := a.events[e.ID]; s != nil {
		if s.deleted || s.event.Type != e.Type || !bytes.Equal(s.event.Data, e.Data) {
			return none, refuse(sender.CodeConflict, "id", "is another event's")
		}
		p := s.published
		p.Duplicate = true
		return p, nil
	}
	var to []*sender.Webhook
	for _, w := range a.webhooks {
		if slices.ContainsFunc(config.Patterns(e.Type), func(p string) bool { return slices.Contains(w.Events, p) }) {
			to = append(to, w)
		}
	}
	return f.store(a, e, to), nil
}

func (f *fake) store(a *account, e sender.Event, to []*sender.Webhook) sender.Published {
	if e.ID == "" {
		e.ID = f.id("evt")
	}
	if e.Timestamp.IsZero() {
		e.Timestamp = time.Now()
	}
	p := sender.Published{ID: e.ID, Type: e.Type, Timestamp: e.Timestamp}
	for _, w := range to {
		now := time.Now()
		d := &sender.Delivery{ID: f.id("dlv"), EventID: e.ID, Type: e.Type, WebhookID: w.ID, State: sender.StatePending, CreatedAt: now, NextAttemptAt: &now}
		a.deliveries = append(a.deliveries, d)
		p.Deliveries = append(p.Deliveries, sender.DeliveryRef{ID: d.ID, WebhookID: w.ID})
	}
	a.events[e.ID] = &stored{event: e, published: p}
	return p
}

func (f *fake) CreateKey(_ context.Context, in sender.NewKey) (sender.Key, string, error) {
	if in.Account != api.AnyAccount {
		a, done := f.in(in.Account)
		a.keyed = true
		done()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	k := &fakeKey{sender.Key{
		ID: f.id("key"), Account: in.Account, Role: in.Role, WebhookID: in.WebhookID, Description: in.Description, CreatedAt: time.Now(), ExpiresAt: in.ExpiresAt,
		By: in.By, Root: in.Root,
	}, f.id("vck")}
	f.keys = append(f.keys, k)
	return k.Key, k.value, nil
}

func (f *fake) FindKey(_ context.Context, value string) (sender.Key, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return sender.Key{}, f.down
	}
	for _, k := range f.keys {
		if k.value == value && (k.ExpiresAt.IsZero() || time.Now().Before(k.ExpiresAt)) {
			k.LastUsedAt = time.Now().Truncate(time.Hour)
			return k.Key, nil
		}
	}
	return sender.Key{}, errMissing
}

func (f *fake) ListKeys(_ context.Context, account, cursor string, limit int) ([]sender.Key, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var items []sender.Key
	for _, k := range f.keys {
		if account == "*" || k.Account == account {
			items = append(items, k.Key)
		}
	}
	return page(items, cursor, limit)
}

func (f *fake) DeleteKey(_ context.Context, account, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	ended := map[string]bool{}
	f.keys = slices.DeleteFunc(f.keys, func(k *fakeKey) bool {
		own := k.ID == id && (account == "*" || k.Account == account) || ended[k.By] // a maker comes before what it made
		ended[k.ID] = own
		return own
	})
	if len(ended) == 0 || !ended[id] {
		return errMissing
	}
	return nil
}

func (f *fake) RetryWebhook(ctx context.Context, name, id string, r sender.ReplayRequest) (sender.Replay, error) {
	if r.Since.IsZero() {
		r.Since = time.UnixMilli(1)
	}
	return f.StartReplay(ctx, name, id, r)
}

func (f *fake) ListReplays(_ context.Context, name, cursor string, limit int) ([]sender.Replay, string, error) {
	a, done := f.in(name)
	defer done()
	var items []sender.Replay
	for _, r := range a.replays {
		items = append(items, r)
	}
	return page(items, cursor, limit)
}

func (f *fake) CancelReplay(_ context.Context, name, id string) (sender.Replay, error) {
	a, done := f.in(name)
	defer done()
	r, ok := a.replays[id]
	if !ok {
		return sender.Replay{}, errMissing
	}
	r.State = "cancelled"
	a.replays[id] = r
	return r, nil
}

func (f *fake) Installation(context.Context) (string, error) { return "this-one", nil }

// Interface guard.
var _ api.Service = (*fake)(nil)

func (f *fake) Account(_ context.Context, name string) (sender.Account, error) {
	a, done := f.in(name)
	defer done()
	if a.record == nil {
		return sender.Account{Account: name, CreatedAt: time.Now()}, f.down
	}
	return *a.record, f.down
}

func (f *fake) UpdateAccount(_ context.Context, name string, u sender.AccountUpdate) (r sender.Account, secret string, err error) {
	a, done := f.in(name)
	defer done()
	if a.record == nil {
		a.record = &sender.Account{Account: name, CreatedAt: time.Now()}
	}
	r = *a.record
	if u.Name != nil {
		r.Name = *u.Name
	}
	if u.Emails != nil {
		if len(*u.Emails) > config.MaxNotifyEmails {
			return r, "", refuse(sender.CodeInvalidField, "notifyEmail", "too many")
		}
		r.Emails = nil
		for _, address := range *u.Emails {
			if strings.Count(address, "@") != 1 || strings.ContainsAny(address, " <>\r\n,") || !strings.Contains(address, ".") || slices.Contains(r.Emails, sender.NotifyEmail{Address: address}) {
				return r, "", refuse(sender.CodeInvalidField, "notifyEmail", "is no address")
			}
			r.Emails = append(r.Emails, sender.NotifyEmail{Address: address})
		}
	}
	if u.NotifyURL != nil {
		if err := checkURL(*u.NotifyURL); *u.NotifyURL != "" && err != nil {
			return r, "", refuse(sender.CodeUnsafeURL, "notifyUrl", "must be https with a public host")
		}
		if r.NotifyURL = *u.NotifyURL; r.NotifyURL != "" && u.NotifySecret == nil && a.record.NotifyURL == "" {
			secret = "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 24))
		}
	}
	if u.NotifySecret != nil && r.NotifyURL == "" {
		return r, "", refuse(sender.CodeInvalidField, "notifySecret", "there is no notifyUrl")
	}
	if u.Name != nil && len(*u.Name) > config.MaxAccountName {
		return r, "", refuse(sender.CodeInvalidField, "name", "is too long")
	}
	a.record = &r
	return r, secret, f.down
}

func (f *fake) Accounts(_ context.Context, cursor string, limit int) (items []sender.Account, next string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(f.accounts)) {
		if a := f.accounts[name]; name <= cursor || a.record == nil && len(a.webhooks) == 0 && len(a.events) == 0 && !a.keyed {
			continue
		}
		if len(items) == limit {
			return items, items[limit-1].Account, f.down
		}
		items = append(items, sender.Account{Account: name, CreatedAt: time.Now()})
	}
	return items, "", f.down
}

func (f *fake) DeleteAccount(_ context.Context, name string) (ending bool, err error) {
	list, _, err := f.Accounts(context.Background(), "", math.MaxInt)
	if err != nil || !slices.ContainsFunc(list, func(a sender.Account) bool { return a.Account == name }) {
		return false, cmp.Or(err, errMissing)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.accounts, name)
	f.keys = slices.DeleteFunc(f.keys, func(k *fakeKey) bool { return k.Account == name })
	return false, nil
}

func (f *fake) DeleteEvent(_ context.Context, name, id string) error {
	a, done := f.in(name)
	defer done()
	if a.events[id] == nil || a.events[id].deleted {
		return errMissing
	}
	a.events[id].deleted = true
	return f.down
}

func (f *fake) ConfirmEmail(context.Context, string) (c sender.Confirmation, err error) {
	return c, refuse(sender.CodeNotFound, "", "no such link")
}
