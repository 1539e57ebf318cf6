package sender

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/videocloud/webhooks/internal/seal"
	"github.com/videocloud/webhooks/internal/signature"
)

// meta is what an attempt needs to know of its webhook. It comes with every claim, so that a change counts from the
// very next attempt on; secrets and header values in it are sealed.
type meta struct {
	URL      string            `json:"u"`
	Account  string            `json:"a"`
	Secret   string            `json:"k"`
	Old      string            `json:"o,omitempty"`  // the secret before, while it overlaps
	OldUntil int64             `json:"ou,omitempty"` // unix seconds
	Headers  map[string]string `json:"h,omitempty"`
	Key      string            `json:"sk,omitempty"` // the private key of signing ed25519
	OldKeys  []oldKey          `json:"so,omitempty"` // those before, while they overlap, the latest first
	Auth     string            `json:"au,omitempty"` // an [Auth] in JSON
	AuthID   string            `json:"ai,omitempty"` // another for each Auth that is given
	Retry    []time.Duration   `json:"r,omitempty"`  // of its own; nanoseconds
	Timeout  time.Duration     `json:"t,omitempty"`  // of its own; nanoseconds
}

// set takes over what an attempt needs of the settings.
func (m *meta) set(v *Settings) {
	m.URL, m.Retry, m.Timeout = v.URL, nil, time.Duration(v.Timeout)
	for _, d := range v.Retry {
		m.Retry = append(m.Retry, time.Duration(d))
	}
}

// eachSealed calls f for all that is sealed in m, and puts what it returns in its place.
func (m *meta) eachSealed(f func(sealed string) string) {
	for _, at := range []*string{&m.Secret, &m.Old, &m.Key, &m.Auth} {
		if *at != "" {
			*at = f(*at)
		}
	}
	for i := range m.OldKeys {
		m.OldKeys[i].Key = f(m.OldKeys[i].Key)
	}
	for name, sealed := range m.Headers {
		m.Headers[name] = f(sealed)
	}
}

// endpoint is a webhook ready to be delivered to.
type endpoint struct {
	meta     string // what it was made from
	account  string
	url      *url.URL
	via      http.RoundTripper
	body     *signature.VideoCloudSigner
	standard *signature.StandardSigner // nil with signing ed25519
	keys     []keySigner               // of signing ed25519
	old      *signature.StandardSigner // nil without an overlap
	oldUntil time.Time
	headers  http.Header
	retry    []time.Duration
	timeout  time.Duration
	tokens   *tokens // nil without auth by OAuth 2
}

// maxEndpoints bounds the ready-made endpoints of a process.
const maxEndpoints = 20_000

// endpoints keeps ready-made endpoints. It is no cache of settings: an entry is used only while the claim's own meta
// is, byte for byte, the one that it was made from.
type endpoints struct {
	mu     sync.RWMutex
	byLane map[string]*endpoint
}

func (s *Sender) endpoint(lane, text string) (*endpoint, error) {
	s.endpoints.mu.RLock()
	e := s.endpoints.byLane[lane]
	s.endpoints.mu.RUnlock()
	if e != nil && e.meta == text {
		return e, nil
	}
	e, err := s.newEndpoint(lane, text)
	if err != nil {
		return nil, err
	}
	s.endpoints.mu.Lock()
	defer s.endpoints.mu.Unlock()
	if s.endpoints.byLane == nil || len(s.endpoints.byLane) >= maxEndpoints {
		s.endpoints.byLane = make(map[string]*endpoint)
	}
	s.endpoints.byLane[lane] = e
	return e, nil
}

func (s *Sender) newEndpoint(lane, text string) (*endpoint, error) {
	var m meta
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return nil, fmt.Errorf("reading the webhook's settings: %w", err)
	}
	u, err := url.Parse(m.URL)
	if err != nil {
		return nil, fmt.Errorf("reading the webhook's URL: %w", err)
	}
	e := &endpoint{meta: text, account: m.Account, url: u, via: s.transport, headers: http.Header{}}
	e.retry, e.timeout = s.scheduleOf(m.Retry, m.Timeout)
	if lane == notifyLane {
		e.via = s.notify.transport
	}
	if ownerOf(lane) != "" {
		lane = accountLane // what its secret is sealed for
	}
	secret, err := s.open(m.Account, lane, m.Secret)
	if err != nil {
		return nil, err
	}
	if e.body, err = signature.NewVideoCloudSigner(secret); err != nil {
		return nil, err
	}
	if m.Key == "" {
		if e.standard, err = signature.NewStandardSigner(secret); err != nil {
			return nil, err
		}
	}
	if e.keys, err = s.keySigners(lane, &m); err != nil {
		return nil, err
	}
	if m.Old != "" {
		old, err := s.open(m.Account, lane, m.Old)
		if err != nil {
			return nil, err
		}
		if e.old, err = signature.NewStandardSigner(old); err != nil {
			return nil, err
		}
		e.oldUntil = time.Unix(m.OldUntil, 0)
	}
	for name, sealed := range m.Headers {
		if s.reserved(name) {
			continue // it became one of ours after it was registered: with another brand
		}
		value, err := s.open(m.Account, lane, sealed)
		if err != nil {
			return nil, err
		}
		e.headers[http.CanonicalHeaderKey(name)] = []string{value}
	}
	if err := e.authenticate(s, lane, &m); err != nil {
		return nil, err
	}
	return e, nil
}

func (s *Sender) seal(account, lane, value string) (string, error) {
	sealed, err := s.sealer.Seal([]byte(value), seal.AssociatedData(account, lane))
	if err != nil {
		return "", fmt.Errorf("sealing: %w", err)
	}
	return sealed, nil
}

func (s *Sender) open(account, lane, sealed string) (string, error) {
	value, _, err := s.sealer.Open(sealed, seal.AssociatedData(account, lane))
	if err != nil {
		return "", fmt.Errorf("opening a secret (is its key still among encryption_key?): %w", err)
	}
	return string(value), nil
}
