package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/sender"
)

// newKey is the body of POST /api-keys.
type newKey struct {
	Account     string         `json:"account" min:"1" max:"64" pattern:"^([A-Za-z0-9._-]{1,64}|[*])$" doc:"The account that it acts for. Left out, that of the key that makes it. A key of every account may name any, and * for every."`
	Role        Role           `json:"role" required:"true" enum:"publish,read,manage,all" doc:"What it may do."`
	Description string         `json:"description" max:"MaxKeyDescription" doc:"A note of yours."`
	ExpiresIn   *time.Duration `json:"expiresIn" max:"3650d" doc:"How long it works. Left out, until it is deleted."`
}

// key is an API key in answers.
type key struct {
	ID          string  `json:"id" example:"key_01jv3n5c4vqk8r2m9t0w6x7y8z"`
	Account     string  `json:"account"`
	Role        Role    `json:"role" enum:"publish,read,manage,all,portal"`
	WebhookID   string  `json:"webhookId,omitempty" doc:"The only webhook that it is for, where it is for one."`
	Description string  `json:"description,omitempty"`
	CreatedAt   seconds `json:"createdAt"`
	ExpiresAt   *millis `json:"expiresAt,omitempty" doc:"Absent where it works until it is deleted."`
	LastUsedAt  *millis `json:"lastUsedAt,omitempty" doc:"To the hour; absent until it was used."`
}

// createdKey is the answer to POST /api-keys.
type createdKey struct {
	ID  string `json:"id"`
	Key string `json:"key" doc:"Keep it: it is not shown again."`
	key
}

type keyPage struct{ page[key] }

type deletedKey struct {
	ID string `json:"id"`
}

// newPortalLink is the body of POST /portal-links.
type newPortalLink struct {
	Account   string         `json:"account" min:"1" max:"64" pattern:"^[A-Za-z0-9._-]{1,64}$" doc:"The account to show. Left out, that of the key that makes it."`
	WebhookID string         `json:"webhookId" min:"1" max:"MaxEventID" doc:"The only webhook to show. Left out, all of the account."`
	ExpiresIn *time.Duration `json:"expiresIn" max:"7d" doc:"How long it works. Left out, 24h."`
}

type portalLink struct {
	ID        string `json:"id"`
	URL       string `json:"url" format:"uri" doc:"The link to give to the customer. Who has it can use it."`
	Token     string `json:"token" doc:"The key in it, for the role portal."`
	ExpiresAt millis `json:"expiresAt"`
}

// MaxKeyDescription is how many bytes the note on a key has at most.
const MaxKeyDescription = 256

const (
	defaultPortalLife = 24 * time.Hour
	portalPath        = "/console/portal/" // the path of the console, unless portal_url says otherwise
)

func keyOf(k sender.Key) key {
	return key{
		ID: k.ID, Account: k.Account, Role: Role(k.Role), WebhookID: k.WebhookID, Description: k.Description,
		CreatedAt: seconds(k.CreatedAt), ExpiresAt: millisOrNil(k.ExpiresAt), LastUsedAt: millisOrNil(k.LastUsedAt),
	}
}

func millisOrNil(t time.Time) *millis {
	if t.IsZero() {
		return nil
	}
	return (*millis)(&t)
}

// keyAccount returns the account that a key is made for: that of the body, else that of the request.
func (c *call) keyAccount(named string) (string, error) {
	switch {
	case named == "" && c.account == "":
		return "", invalid("account", "is required with a key of every account; name the account that the new one acts for")
	case named == "":
		return c.account, nil
	case named != AnyAccount && !names.IsAccount(named):
		return "", invalid("account", "is not an account; use up to 64 letters, digits, dots, dashes and underscores")
	case named != c.account && c.caller.account != AnyAccount:
		return "", &sender.Error{Code: sender.CodeForbidden, Field: "account", Message: "this key makes keys for its own account only; leave account out"}
	}
	return named, nil
}

// expiry returns when a key that is made now expires: at the latest with the key that makes it. The default applies where in is
// nil; 0 stands for no expiry.
func (c *call) expiry(in *time.Duration, byDefault time.Duration) (time.Time, error) {
	life := byDefault
	if in != nil {
		if life = *in; life < time.Second {
			return time.Time{}, invalid("expiresIn", "must be at least 1s")
		}
	}
	ends := c.caller.ends
	if life > 0 {
		if at := time.Now().Add(life); ends.IsZero() || at.Before(ends) {
			ends = at
		}
	}
	return ends, nil
}

func (c *call) createKey(in newKey) (answer createdKey, err error) {
	if !slices.Contains(Roles(), in.Role) {
		return answer, invalid("role", "must be one of %s", joined(Roles()))
	}
	if len(in.Description) > MaxKeyDescription {
		return answer, invalid("description", "must have at most %d bytes", MaxKeyDescription)
	}
	account, err := c.keyAccount(in.Account)
	if err != nil {
		return answer, err
	}
	ends, err := c.expiry(in.ExpiresIn, 0)
	if err != nil {
		return answer, err
	}
	k, value, err := c.Service.CreateKey(c.r.Context(), sender.NewKey{
		Account: account, Role: string(in.Role), Description: in.Description, ExpiresAt: ends, By: c.maker, Root: c.root,
	})
	if err != nil {
		return answer, err
	}
	c.location = "/api-keys/" + k.ID
	return createdKey{ID: k.ID, Key: value, key: keyOf(k)}, nil
}

// accountOrAny returns the account whose keys or figures a call is about, * where none was named.
func (c *call) accountOrAny() string {
	return cmp.Or(c.account, AnyAccount)
}

func (c *call) listKeys() (keyPage, error) {
	return pageOf[keyPage](keyOf)(c.Service.ListKeys(c.r.Context(), c.accountOrAny(), c.query.cursor, c.query.limit))
}

func (c *call) deleteKey() (deletedKey, error) {
	if err := c.Service.DeleteKey(c.r.Context(), c.accountOrAny(), c.id); err != nil {
		return deletedKey{}, err
	}
	c.keyCache.clear()
	return deletedKey{ID: c.id}, nil
}

func (c *call) createPortalLink(in newPortalLink) (answer portalLink, err error) {
	if in.Account == AnyAccount {
		return answer, invalid("account", "must be one account; a portal is for one")
	}
	account, err := c.keyAccount(in.Account)
	if err != nil {
		return answer, err
	}
	if in.WebhookID != "" {
		if !names.IsID(in.WebhookID) {
			return answer, invalid("webhookId", "is not the ID of a webhook")
		}
		if _, err := c.Service.Webhook(c.r.Context(), account, in.WebhookID); err != nil {
			if e := (*sender.Error)(nil); errors.As(err, &e) && e.Code == sender.CodeNotFound {
				return answer, invalid("webhookId", "is no webhook of this account; GET /webhooks lists them")
			}
			return answer, err
		}
	}
	portal, err := c.portalAddress()
	if err != nil {
		return answer, err
	}
	ends, err := c.expiry(in.ExpiresIn, defaultPortalLife)
	if err != nil {
		return answer, err
	}
	k, token, err := c.Service.CreateKey(c.r.Context(), sender.NewKey{
		Account: account, Role: string(RolePortal), WebhookID: in.WebhookID, ExpiresAt: ends, By: c.maker, Root: c.root,
	})
	if err != nil {
		return answer, err
	}
	return portalLink{ID: k.ID, URL: portal + "#token=" + token, Token: token, ExpiresAt: millis(k.ExpiresAt)}, nil
}

// portalAddress returns the URL of the portal: that of the configuration, or on this very host where that can only be this
// machine. The Host of a request is chosen by the caller: a link made of it could lead a customer, and the token, anywhere.
func (c *call) portalAddress() (string, error) {
	if c.PortalURL != "" {
		return c.PortalURL, nil
	}
	if c.r.TLS == nil && isLoopback(c.r.Host) && isLoopback(c.r.RemoteAddr) {
		return "http://" + c.r.Host + portalPath, nil
	}
	return "", invalid("portal_url", "is not set, so there is no telling where customers reach the portal; write portal_url into the sender block of the Caddyfile")
}

// isLoopback reports whether a host, with a port or without, can only be this machine.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

// makerOf returns the name that a key of the configuration has in the keys that it makes. It is the same in every process with
// that key.
func makerOf(sum [sha256.Size]byte) string {
	named := sha256.Sum256(append([]byte("maker "), sum[:]...))
	return fmt.Sprintf("cfg_%x", named[:16])
}

const (
	// keyMaxAge is how long a key is used without asking the store again. A deleted key is refused everywhere within a second
	// because no process uses a cached one for longer. So no process has to hear of deletions, and no lost subscription can go
	// unnoticed. That costs one question a second for each key in use.
	keyMaxAge = 900 * time.Millisecond
	// keyRefreshAge is the age from which on a key in use is read again in the background, while requests go on with the cached one.
	keyRefreshAge = 400 * time.Millisecond
	// maxCachedKeys is how many keys are cached.
	maxCachedKeys = 10_000
)

// keyCache caches the keys that were made at run time and are in use.
type keyCache struct {
	service Service
	roots   map[string]bool // makers of keys that still count: the keys of the configuration, and the operator
	mu      sync.RWMutex
	cached  map[[sha256.Size]byte]*cachedKey
	lookups map[[sha256.Size]byte]*keyLookup // by the hash of the key
}

type cachedKey struct {
	caller
	askedAt    time.Time // before the store was
	refreshing bool
}

// keyLookup is a question to the store about one key, which several callers may have asked at once.
type keyLookup struct {
	callers int
	refused bool // one of them was told that the key is gone; an answer that says otherwise is older, however late it comes
}

func newKeyCache(service Service, configured []hashedKey) *keyCache {
	m := &keyCache{service: service, roots: map[string]bool{sender.RootOperator: true}, cached: map[[sha256.Size]byte]*cachedKey{}, lookups: map[[sha256.Size]byte]*keyLookup{}}
	for _, k := range configured {
		m.roots[k.root] = true
	}
	return m
}

// find returns the caller with a key.
func (m *keyCache) find(ctx context.Context, value string) (caller, error) {
	sum := sha256.Sum256([]byte(value))
	now := time.Now()
	m.mu.RLock()
	k := m.cached[sum]
	m.mu.RUnlock()
	if k != nil && now.Sub(k.askedAt) < keyMaxAge && (k.ends.IsZero() || now.Before(k.ends)) {
		if now.Sub(k.askedAt) > keyRefreshAge && m.claimRefresh(k) {
			go func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keyMaxAge) // the request may end before
				defer cancel()
				_, _ = m.lookUp(ctx, sum, value) // an error is repeated for the next request
			}()
		}
		return k.caller, nil
	}
	return m.lookUp(ctx, sum, value)
}

// claimRefresh reports whether the calling goroutine is to read a key again: the first one that asks is.
func (m *keyCache) claimRefresh(k *cachedKey) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := !k.refreshing
	k.refreshing = true
	return first
}

func (m *keyCache) lookUp(ctx context.Context, sum [sha256.Size]byte, value string) (caller, error) {
	m.mu.Lock()
	q := m.lookups[sum]
	if q == nil {
		q = &keyLookup{}
		m.lookups[sum] = q
	}
	q.callers++
	m.mu.Unlock()
	asked := time.Now()
	k, err := m.service.FindKey(ctx, value)
	notFound := (*sender.Error)(nil)
	gone := errors.As(err, &notFound) && notFound.Code == sender.CodeNotFound
	if err == nil && !m.roots[k.Root] {
		gone = true // the key of the configuration that all began with is gone
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := m.lookups[sum] == q // otherwise a key was deleted while the store was asked
	if q.callers--; kept && q.callers == 0 {
		delete(m.lookups, sum)
	}
	switch {
	case gone, err == nil && q.refused:
		q.refused = true
		delete(m.cached, sum)
		return caller{}, errUnknownKey
	case err != nil:
		return caller{}, err
	}
	if len(m.cached) >= maxCachedKeys {
		clear(m.cached)
	}
	known := &cachedKey{askedAt: asked, caller: caller{
		id: k.ID, maker: k.ID, root: k.Root, account: k.Account, role: Role(k.Role), webhookID: k.WebhookID, ends: k.ExpiresAt,
	}}
	if kept {
		m.cached[sum] = known
	}
	return known.caller, nil
}

// clear drops all keys, so that each is read again.
func (m *keyCache) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.cached)
	clear(m.lookups) // answers to questions that were asked before are not cached
}
