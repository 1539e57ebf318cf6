package sender

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/queue"
)

// AuthType says how an endpoint authenticates its callers.
type AuthType string

// The types of [Auth].
const (
	AuthBasic  AuthType = "basic"  // a user name and a password
	AuthBearer AuthType = "bearer" // a fixed token
	AuthOAuth2 AuthType = "oauth2" // a token that an authorization server gives for client credentials (RFC 6749 section 4.4)
	AuthMTLS   AuthType = "mtls"   // a client certificate
)

// Auth holds the credentials that an endpoint asks of its callers, beside the signature. authFields lists which fields belong to
// which type. In a webhook that is read back, the secret ones are empty.
type Auth struct {
	Type         AuthType `json:"type"`
	Username     string   `json:"username,omitempty"`
	Password     string   `json:"password,omitempty"`
	Token        string   `json:"token,omitempty"`
	TokenURL     string   `json:"tokenUrl,omitempty"`
	ClientID     string   `json:"clientId,omitempty"`
	ClientSecret string   `json:"clientSecret,omitempty"`
	Scope        string   `json:"scope,omitempty"`
	Certificate  string   `json:"certificate,omitempty"` // PEM, followed by those between it and its root
	Key          string   `json:"key,omitempty"`         // PEM
}

// authField is a field of an [Auth].
type authField struct {
	name       string
	value      func(a *Auth) *string
	isSecret   bool
	isOptional bool
	max        int
	problem    func(value string) string // "" where there is none
}

// authFields lists the fields of each type. The OpenAPI document states the same bounds; a test compares them.
var authFields = map[AuthType][]authField{
	AuthBasic: {
		{name: "username", value: func(a *Auth) *string { return &a.Username }, max: 256, problem: userName},
		{name: "password", value: func(a *Auth) *string { return &a.Password }, max: 1024, isSecret: true, problem: printable},
	},
	AuthBearer: {
		{name: "token", value: func(a *Auth) *string { return &a.Token }, max: 4096, isSecret: true, problem: bearerToken},
	},
	AuthOAuth2: {
		{name: "tokenUrl", value: func(a *Auth) *string { return &a.TokenURL }, max: 2048},
		{name: "clientId", value: func(a *Auth) *string { return &a.ClientID }, max: 256, problem: printable},
		{name: "clientSecret", value: func(a *Auth) *string { return &a.ClientSecret }, max: 1024, isSecret: true, problem: printable},
		{name: "scope", value: func(a *Auth) *string { return &a.Scope }, max: 1024, isOptional: true, problem: scopes},
	},
	AuthMTLS: {
		{name: "certificate", value: func(a *Auth) *string { return &a.Certificate }, max: 16 << 10},
		{name: "key", value: func(a *Auth) *string { return &a.Key }, max: 16 << 10, isSecret: true},
	},
}

// Rules for the characters of a field.
var (
	printable   = without(isControl, "holds a control character")
	noColon     = without(func(r rune) bool { return r == ':' }, "can't hold a colon (RFC 7617)")
	bearerToken = without(func(r rune) bool { return r <= ' ' || r >= 0x7f }, "holds a space, a control character, or one that is not ASCII")
	scopes      = without(func(r rune) bool { return r < ' ' || r >= 0x7f || r == '"' || r == '\\' },
		"is a list of names in ASCII, separated by spaces, without quotes and backslashes (RFC 6749 section 3.3)")
)

func isControl(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }

// without is the rule that no character of a value is one of those that excluded reports.
func without(excluded func(rune) bool, problem string) func(value string) string {
	return func(value string) string {
		if strings.ContainsFunc(value, excluded) {
			return problem
		}
		return ""
	}
}

func userName(value string) string { return cmp.Or(noColon(value), printable(value)) }

// public returns a copy without what is secret.
func (a Auth) public() *Auth {
	for _, f := range authFields[a.Type] {
		if f.isSecret {
			*f.value(&a) = ""
		}
	}
	return &a
}

// checkAuth checks that an Auth has all fields of its type, within their bounds, and none of another type.
func (s *Sender) checkAuth(a *Auth) error {
	fields, ok := authFields[a.Type]
	if !ok {
		return invalid("auth.type", "auth.type takes basic, bearer, oauth2 or mtls")
	}
	rest := *a
	rest.Type = ""
	for _, f := range fields {
		value := *f.value(a)
		*f.value(&rest) = ""
		name := "auth." + f.name
		switch {
		case value == "" && !f.isOptional:
			return invalid(name, "%s is missing; auth of type %s needs it", name, a.Type)
		case len(value) > f.max || !utf8.ValidString(value):
			return invalid(name, "%s has at most %d bytes of UTF-8", name, f.max)
		}
		if f.problem != nil {
			if problem := f.problem(value); problem != "" {
				return invalid(name, "%s %s", name, problem)
			}
		}
	}
	for _, list := range authFields {
		for _, f := range list {
			if *f.value(&rest) != "" {
				return invalid("auth."+f.name, "auth.%s does not go with auth of type %s", f.name, a.Type)
			}
		}
	}
	switch a.Type {
	case AuthOAuth2:
		return s.checkTokenURL(a.TokenURL)
	case AuthMTLS:
		return checkCertificate(a)
	}
	return nil
}

// checkTokenURL holds the address of an authorization server to the rules of destinations.
func (s *Sender) checkTokenURL(raw string) error {
	err := s.checkDestination("auth.tokenUrl", raw)
	if e, ok := err.(*Error); ok {
		e.Message = "auth.tokenUrl: " + e.Message
	}
	return err
}

func checkCertificate(a *Auth) error {
	i, err := destination.NewIdentity([]byte(a.Certificate), []byte(a.Key))
	switch {
	case errors.Is(err, destination.ErrCertificate):
		return invalid("auth.certificate", "auth.certificate: %v", err)
	case err != nil:
		return invalid("auth.key", "auth.key: %v", err)
	case time.Now().After(i.Leaf().NotAfter):
		return invalid("auth.certificate", "auth.certificate ended on %s; give one that is valid", i.Leaf().NotAfter.UTC().Format(time.DateOnly))
	}
	return nil
}

// checkAuthConflicts refuses an Auth that contradicts the URL or the custom headers of its webhook.
func checkAuthConflicts(v *publicPart) error {
	switch {
	case v.Auth == nil:
	case v.Auth.Type != AuthMTLS:
		if slices.ContainsFunc(v.HeaderNames, func(name string) bool { return strings.EqualFold(name, "Authorization") }) {
			return invalid("auth", "auth of type %s and the custom header Authorization set the same header; give one of them", v.Auth.Type)
		}
	default:
		if u, err := url.Parse(v.URL); err == nil && u.Scheme != "https" {
			return invalid("auth", "auth of type mtls and an http:// URL can't both be: a certificate is shown within TLS; give an https:// URL")
		}
	}
	return nil
}

// setAuth changes the credentials of a webhook to a. An Auth that equals what GET answers changes nothing, as does nil; the zero
// Auth removes them.
func (s *Sender) setAuth(r *record, m *meta, a *Auth) error {
	switch {
	case a == nil, r.public.Auth != nil && *a == *r.public.Auth:
		return nil
	case *a == Auth{}:
		r.public.Auth, m.Auth, m.AuthID = nil, "", ""
		return nil
	}
	if err := s.checkAuth(a); err != nil {
		return err
	}
	text, _ := json.Marshal(a) // strings
	sealed, err := s.seal(r.Account, r.Lane, string(text))
	if err != nil {
		return err
	}
	r.public.Auth, m.Auth, m.AuthID = a.public(), sealed, queue.NewJobID(newUUID())
	return nil
}

// addAuth makes the requests to an endpoint carry the credentials that m holds.
func (e *endpoint) addAuth(s *Sender, lane string, m *meta) error {
	if m.Auth == "" {
		return nil
	}
	text, err := s.open(m.Account, lane, m.Auth)
	if err != nil {
		return err
	}
	var a Auth
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return errors.New("reading the webhook's auth: it is not JSON")
	}
	switch a.Type {
	case AuthBasic:
		e.headers["Authorization"] = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(a.Username+":"+a.Password))}
	case AuthBearer:
		e.headers["Authorization"] = []string{"Bearer " + a.Token}
	case AuthOAuth2:
		e.tokens = s.newTokenSource(lane, m, &a)
	case AuthMTLS:
		i, err := destination.NewIdentity([]byte(a.Certificate), []byte(a.Key))
		if err != nil {
			return fmt.Errorf("reading the webhook's certificate: %w", err)
		}
		by, ok := e.transport.(interface {
			WithIdentity(*destination.Identity) http.RoundTripper
		})
		if !ok {
			return errors.New("this transport has no client certificates")
		}
		e.transport = by.WithIdentity(i)
	}
	return nil
}
