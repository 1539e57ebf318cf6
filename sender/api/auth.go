package api

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/names"
	"github.com/videocloud/webhooks/sender"
)

// Role says what a key may do.
type Role string

// The roles of the Caddyfile's api_key option.
const (
	RolePublish Role = "publish" // publish, and read event types and the events it can name
	RoleRead    Role = "read"    // look at everything, change nothing
	RoleManage  Role = "manage"  // all of read, and change everything but publish
	RoleAll     Role = "all"     // everything
	RolePortal  Role = "portal"  // what manage may but delete events, for a customer's browser; made by POST /portal-links only
)

// Roles are the roles that a key of the configuration can have.
func Roles() []Role { return []Role{RolePublish, RoleRead, RoleManage, RoleAll} }

// AnyAccount is the account of a key for every account: each of its requests names one in a header.
const AnyAccount = "*"

// Key is an API key of the configuration.
type Key struct {
	// Value is the secret that the caller sends.
	Value string
	// Account is the account that the key acts for, or [AnyAccount]. Defaults to "default".
	Account string
	// Role says what the key may do. Defaults to [RoleAll].
	Role Role
}

// withDefaults returns the key with the defaults of what was not given.
func (k Key) withDefaults() Key {
	k.Account = cmp.Or(k.Account, config.DefaultAccount)
	k.Role = cmp.Or(k.Role, RoleAll)
	return k
}

// Validate returns what is wrong with a key, without its value; nil where nothing is.
func (k Key) Validate() error {
	if problem := k.withDefaults().problem(); problem != "" {
		return errors.New("api_key" + problem)
	}
	return nil
}

// problem describes what is wrong, to stand after the name of the key; "" where nothing is.
func (k Key) problem() string {
	switch {
	case k.Value == "":
		return " is empty"
	case !keyValue.MatchString(k.Value):
		return " can't stand in a header; use up to 512 visible ASCII characters without spaces"
	case k.Account != AnyAccount && !names.IsAccount(k.Account):
		return fmt.Sprintf(": %q is not an account; use up to 64 letters, digits, dots, dashes and underscores, or *", k.Account)
	case !slices.Contains(Roles(), k.Role):
		return fmt.Sprintf(": unknown role %q; it is one of %s", k.Role, joined(Roles()))
	}
	return ""
}

// String names the key without its value, so that printing one gives nothing away.
func (k Key) String() string { return fmt.Sprintf("key of account %q for %s", k.Account, k.Role) }

// GoString does for %#v what String does for %v.
func (k Key) GoString() string { return k.String() }

// caller is who sends a request: a key of the configuration, a key that was made at run time, or anybody.
type caller struct {
	id        string // its name in logs
	maker     string // its name in the keys that it makes
	root      string // the key of the configuration at the beginning of the chain of keys that made it
	account   string
	role      Role
	webhookID string    // the only webhook that it may use, where there is one
	ends      time.Time // zero: never
	anonymous bool
}

// hashedKey is a key as the handler keeps it: its value can't be read back, and all have the same length.
type hashedKey struct {
	sum [sha256.Size]byte
	caller
}

var keyValue = regexp.MustCompile(`^[!-~]{1,512}$`)

func hashKeys(keys []Key, anonymous bool) ([]hashedKey, error) {
	if anonymous && len(keys) > 0 {
		return nil, errors.New("anonymous: it excludes api_key; write one or the other")
	}
	if !anonymous && len(keys) == 0 {
		return nil, errors.New("api_key: give at least one, or write anonymous to let everybody in")
	}
	hashed := make([]hashedKey, 0, len(keys))
	for i, k := range keys {
		k = k.withDefaults()
		if problem := k.problem(); problem != "" {
			return nil, fmt.Errorf("api_key: number %d%s", i+1, problem)
		}
		sum := sha256.Sum256([]byte(k.Value))
		for j := range hashed {
			if hashed[j].sum == sum {
				return nil, fmt.Errorf("api_key: number %d is the same key as number %d; a key has one account and one role", i+1, j+1)
			}
		}
		hashed = append(hashed, hashedKey{sum, caller{
			id: fmt.Sprintf("api_key %d", i+1), maker: makerOf(sum), root: makerOf(sum), account: k.Account, role: k.Role,
		}})
	}
	return hashed, nil
}

// access says which roles a route is for.
type access int

const (
	accessOpen     access = iota // no key needed
	accessAny                    // any role
	accessPublish                // publish, all
	accessRead                   // read, manage, portal, all
	accessManage                 // manage, portal, all
	accessExpunge                // manage, all
	accessAll                    // all
	accessOperator               // all, by a key of every account
)

// permittedRoles are the roles that each kind of access is for.
var permittedRoles = map[access][]Role{
	accessAny:      {RolePublish, RoleRead, RoleManage, RolePortal, RoleAll},
	accessPublish:  {RolePublish, RoleAll},
	accessRead:     {RoleRead, RoleManage, RolePortal, RoleAll},
	accessManage:   {RoleManage, RolePortal, RoleAll},
	accessExpunge:  {RoleManage, RoleAll},
	accessAll:      {RoleAll},
	accessOperator: {RoleAll},
}

func (a access) permits(r Role) bool { return slices.Contains(permittedRoles[a], r) }

var (
	errNoKey      = &sender.Error{Code: sender.CodeUnauthorized, Message: "send an API key: Authorization: Bearer <key>, or X-API-Key: <key>"}
	errUnknownKey = &sender.Error{Code: sender.CodeUnauthorized, Message: "this API key is not known here; check the key and the server"}
	errTwoKeys    = &sender.Error{Code: sender.CodeUnauthorized, Message: "the request carries different API keys; send one"}
)

// authorize checks that the caller may use the route, and finds the account that the call acts for.
func (c *call) authorize() error {
	if c.route.access == accessOpen {
		return nil
	}
	var err error
	if c.caller, err = c.handler.identify(c.r); err != nil {
		return err
	}
	switch {
	case !c.route.access.permits(c.role):
		return &sender.Error{Code: sender.CodeForbidden, Message: fmt.Sprintf("a key for %s may not do this; use another", c.role)}
	case c.route.access == accessOperator && c.caller.account != AnyAccount:
		return &sender.Error{Code: sender.CodeForbidden, Message: "a key of one account may not do this; use one of every account (*)"}
	case c.route.keyed && c.caller.anonymous:
		return &sender.Error{Code: sender.CodeForbidden, Message: "nobody without a key makes keys; write api_key instead of anonymous"}
	}
	return c.chooseAccount(c.caller.account)
}

// identify returns the caller of a request, by its key.
func (h *handler) identify(r *http.Request) (caller, error) {
	if h.Anonymous {
		return caller{id: "anonymous", account: config.DefaultAccount, role: RoleAll, anonymous: true}, nil
	}
	value, err := presentedKey(r.Header)
	if err != nil {
		return caller{}, err
	}
	if k := h.configuredKey(value); k != nil {
		return k.caller, nil
	}
	return h.keyCache.find(r.Context(), value)
}

// Identity is what is known of the caller of a request.
type Identity struct {
	// KeyID names the key in logs.
	KeyID string
	// Account is the key's, or [AnyAccount].
	Account string
	// Role is what the key may do.
	Role Role
	// Ends is when the key expires; zero where it does not.
	Ends time.Time
}

// Identify returns the caller of a request by the keys of h, a handler of [New]. It is for other handlers, such as the console's,
// that let in the callers of the API.
func Identify(h http.Handler, r *http.Request) (Identity, error) {
	of, ok := h.(*handler)
	if !ok {
		return Identity{}, errUnknownKey
	}
	who, err := of.identify(r)
	return Identity{KeyID: who.id, Account: who.account, Role: who.role, Ends: who.ends}, err
}

// checkWebhookScope refuses to the token of one webhook what does not concern that webhook. A route that states no scope is
// refused to it.
func (c *call) checkWebhookScope() error {
	own := c.caller.webhookID
	if own == "" {
		return nil
	}
	switch {
	case c.route.scope == scopeFree, c.route.scope == scopeWebhook && c.id == own:
		return nil
	case c.route.scope == scopeDelivery:
		d, err := c.Service.Delivery(c.r.Context(), c.account, c.id)
		if err != nil {
			return err
		}
		if d.WebhookID == own {
			return nil
		}
	case c.route.scope == scopeNone:
		return &sender.Error{Code: sender.CodeForbidden, Message: "this token is for one webhook only and may not do this; use a key of the account"}
	}
	return errOtherWebhook
}

var errOtherWebhook = &sender.Error{Code: sender.CodeNotFound, Message: "there is no such thing for this token, which is for one webhook only"}

// scope says for what the token of one webhook may use a route.
type scope int

const (
	scopeNone     scope = iota // nothing
	scopeFree                  // the route checks it by itself, or answers nothing about webhooks
	scopeWebhook               // where {id} is its webhook
	scopeDelivery              // where {id} is a delivery of its webhook
)

// configuredKey returns the key of the configuration with a value; nil where there is none. It compares all keys, whatever it
// finds, so that the time taken tells nothing.
func (h *handler) configuredKey(value string) *hashedKey {
	sum := sha256.Sum256([]byte(value))
	var found *hashedKey
	for i := range h.keys {
		if subtle.ConstantTimeCompare(h.keys[i].sum[:], sum[:]) == 1 {
			found = &h.keys[i]
		}
	}
	return found
}

// presentedKey returns the API key that the headers carry. An Authorization of another scheme is not ours: a proxy in front may
// have its own.
func presentedKey(h http.Header) (string, error) {
	bearer, err := bearerOf(h["Authorization"])
	if err != nil {
		return "", err
	}
	plain := h["X-Api-Key"]
	switch {
	case len(plain) > 1:
		return "", errTwoKeys
	case len(plain) == 0 && bearer == "":
		return "", errNoKey
	case len(plain) == 0:
		return bearer, nil
	case bearer != "" && bearer != plain[0]:
		return "", errTwoKeys
	}
	return plain[0], nil
}

func bearerOf(values []string) (string, error) {
	if len(values) > 1 {
		return "", errTwoKeys
	}
	if len(values) == 0 {
		return "", nil
	}
	scheme, value, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	return strings.TrimSpace(value), nil
}

// chooseAccount finds the account: the key's own, or the one that the header names for a key of every account.
func (c *call) chooseAccount(ofKey string) error {
	named := c.r.Header.Values(c.accountHeader)
	if len(named) > 1 {
		return invalid(c.accountHeader, "is given more than once; send it once")
	}
	if len(named) == 1 && !names.IsAccount(named[0]) {
		return invalid(c.accountHeader, "is not an account; use up to 64 letters, digits, dots, dashes and underscores")
	}
	switch {
	case ofKey != AnyAccount && (len(named) == 0 || named[0] == ofKey):
		c.account = ofKey
	case ofKey != AnyAccount:
		return &sender.Error{Code: sender.CodeForbidden, Field: c.accountHeader, Message: "this key acts for its own account only; leave the header out"}
	case len(named) == 1:
		c.account = named[0]
	case c.route.accountless:
	default:
		return invalid(c.accountHeader, "is required with this key; name the account to act for")
	}
	return nil
}
