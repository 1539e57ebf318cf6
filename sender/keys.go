package sender

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/sender/internal/registry"
)

// Key is an API key that was made at run time, without its value: only a hash of that is stored.
type Key struct {
	ID          string // key_…
	Account     string // that it acts for; * is any
	Role        string // publish, read, manage, all or portal
	WebhookID   string // of a portal's token that is for one webhook only
	Description string
	CreatedAt   time.Time
	ExpiresAt   time.Time // zero: never
	LastUsedAt  time.Time // to the hour; zero: never
	By          string    // the key that made it, with which it ends
	Root        string    // the key of the configuration at the beginning of that, with which all end
}

// NewKey describes a key to be made.
type NewKey struct {
	Account     string    // that it acts for; * is any
	Role        string    // publish, read, manage, all or portal
	WebhookID   string    // empty: any of the account
	Description string    // a note
	ExpiresAt   time.Time // zero: it works until it is deleted
	By          string    // the key that makes it, with which it ends
	Root        string    // the key of the configuration at the beginning of that, or RootOperator
}

// keyRecord is a key as it is stored. key_delete.lua reads sum, account and by.
type keyRecord struct {
	Sum         string `json:"sum"`
	Account     string `json:"account"`
	By          string `json:"by"`
	Root        string `json:"root"`
	Role        string `json:"role"`
	WebhookID   string `json:"webhook,omitempty"`
	Description string `json:"description,omitempty"`
	ExpiresAt   int64  `json:"expires,omitempty"` // unix ms
}

// RootOperator is the Root of keys that the operator makes without a key of the configuration.
const RootOperator = "operator"

const (
	keyIDPrefix    = "key_"
	keyValuePrefix = "vck_"
)

// keyPattern matches the value of every key that is made: 32 random bytes.
var keyPattern = regexp.MustCompile(`^vck_[A-Za-z0-9_-]{43}$`)

func hashKey(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// CreateKey makes an API key and returns its value, which is not stored. A hash of it is; a fast one is enough, as the value is
// random.
func (s *Sender) CreateKey(ctx context.Context, in NewKey) (k Key, value string, err error) {
	if in.Account != AnyAccount && !names.IsAccount(in.Account) {
		return k, "", errAccount
	}
	if _, err := s.shard(ctx, config.DefaultAccount); err != nil { // is the store right?
		return k, "", err
	}
	_ = s.deleteKeys(ctx) // expired keys make room; where this fails they stay until the next time
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails, see crypto/rand
	value = keyValuePrefix + base64.RawURLEncoding.EncodeToString(random[:])
	k = Key{
		ID: keyIDPrefix + queue.NewJobID(newUUID()), Account: in.Account, Role: in.Role, WebhookID: in.WebhookID,
		Description: in.Description, ExpiresAt: in.ExpiresAt, By: in.By, Root: in.Root,
	}
	r := keyRecord{Sum: hashKey(value), Account: k.Account, By: k.By, Root: in.Root, Role: k.Role, WebhookID: k.WebhookID, Description: k.Description}
	ends := ""
	if !in.ExpiresAt.IsZero() {
		r.ExpiresAt = in.ExpiresAt.UnixMilli()
		ends = strconv.FormatInt(r.ExpiresAt, 10)
	}
	if err := s.openKeyAccount(ctx, k.Account); err != nil {
		return k, "", err
	}
	record, _ := json.Marshal(r) // strings and a number
	k.CreatedAt, err = s.registry.CreateKey(ctx, registry.NewKey{
		ID: k.ID, Sum: r.Sum, Record: string(record), Account: k.Account, By: k.By, Ends: ends, Limit: config.MaxKeys,
	})
	switch {
	case errors.Is(err, registry.ErrGone):
		return k, "", &Error{Code: CodeUnauthorized, Message: "the key that asks for this was deleted meanwhile"}
	case errors.Is(err, registry.ErrLimit):
		return k, "", &Error{Code: CodeLimitReached, Message: fmt.Sprintf("this account has %d keys, the most there may be; delete some first", config.MaxKeys)}
	case err != nil:
		return k, "", s.unavailable("key", err)
	}
	// Again: the account may have been deleted meanwhile, whose keys are in another shard.
	if err := s.openKeyAccount(ctx, k.Account); err != nil {
		return k, "", errors.Join(err, s.deleteKeys(ctx, k.ID))
	}
	return k, value, nil
}

// openKeyAccount records the account that a key is for; * is no account.
func (s *Sender) openKeyAccount(ctx context.Context, account string) error {
	if account == AnyAccount {
		return nil
	}
	return s.openAccount(ctx, account)
}

// FindKey returns the key with a value, and records that it is used. It does not ask the store for a value that can't be one.
func (s *Sender) FindKey(ctx context.Context, value string) (Key, error) {
	if !keyPattern.MatchString(value) {
		return Key{}, errNotFound
	}
	if _, err := s.shard(ctx, config.DefaultAccount); err != nil {
		return Key{}, err
	}
	id, record, err := s.registry.FindKey(ctx, hashKey(value))
	if err != nil {
		return Key{}, s.unavailable("key", err)
	}
	return readKey(id, record)
}

// readKey decodes the record of a key; errNotFound where it is empty.
func readKey(id, record string) (Key, error) {
	if record == "" {
		return Key{}, errNotFound
	}
	var r keyRecord
	if err := json.Unmarshal([]byte(record), &r); err != nil {
		return Key{}, fmt.Errorf("reading key %s: %w", id, err)
	}
	k := Key{ID: id, Account: r.Account, Role: r.Role, WebhookID: r.WebhookID, Description: r.Description, By: r.By, Root: r.Root}
	if r.ExpiresAt != 0 {
		k.ExpiresAt = time.UnixMilli(r.ExpiresAt).UTC()
	}
	return k, nil
}

// ListKeys returns the keys of an account, or of all accounts where account is [AnyAccount], oldest first, and the cursor of the
// next page, "" where there is none.
func (s *Sender) ListKeys(ctx context.Context, account, cursor string, limit int) (items []Key, next string, err error) {
	page, err := s.listPage(ctx, config.DefaultAccount, cursor, limit, isNumber)
	if err != nil {
		return nil, "", err
	}
	if err := s.deleteKeys(ctx); err != nil {
		return nil, "", err
	}
	if account == AnyAccount {
		account = ""
	}
	list, more, err := s.registry.ListKeys(ctx, account, page.after, page.limit)
	if err != nil {
		return nil, "", s.unavailable("keys", err)
	}
	if more {
		next = writeCursor(strconv.FormatInt(list[page.limit-1].Created, 10))
	}
	items = make([]Key, 0, len(list))
	for _, found := range list {
		k, err := readKey(found.ID, found.Record)
		if err != nil {
			continue // deleted in between
		}
		k.CreatedAt, k.LastUsedAt = time.UnixMilli(found.Created).UTC(), found.Used
		items = append(items, k)
	}
	return items, next, nil
}

// DeleteKey deletes a key of an account, of any account where account is [AnyAccount], and all keys that it made.
func (s *Sender) DeleteKey(ctx context.Context, account, id string) error {
	if _, err := s.shard(ctx, config.DefaultAccount); err != nil {
		return err
	}
	record, err := s.registry.KeyRecord(ctx, id)
	if err != nil {
		return s.unavailable("key", err)
	}
	k, err := readKey(id, record)
	if err != nil {
		return err
	}
	if account != AnyAccount && k.Account != account {
		return errNotFound
	}
	return s.deleteKeys(ctx, id)
}

// deleteKeys deletes keys with all that they made, and in any case those that have expired.
func (s *Sender) deleteKeys(ctx context.Context, ids ...string) error {
	if err := s.registry.DeleteKeys(ctx, ids...); err != nil {
		return s.unavailable("key", err)
	}
	return nil
}
