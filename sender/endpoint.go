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

// meta is what an attempt needs to know of its webhook. Each claim returns it, so that a change counts from the very next attempt
// on. Secrets and header values in it are sealed.
type meta struct {
	URL            string            `json:"u"`
	Account        string            `json:"a"`
	Secret         string            `json:"k"`
	OldSecret      string            `json:"o,omitempty"`  // the secret before, while it overlaps
	OldSecretUntil int64             `json:"ou,omitempty"` // unix seconds
	Headers        map[string]string `json:"h,omitempty"`
	Key            string            `json:"sk,omitempty"` // the private key of signing ed25519
	OldKeys        []oldKey          `json:"so,omitempty"` // those before, while they overlap, the latest first
	Auth           string            `json:"au,omitempty"` // an [Auth] in JSON
	AuthID         string            `json:"ai,omitempty"` // another for each Auth that is given
	Retry          []time.Duration   `json:"r,omitempty"`  // of its own; nanoseconds
	Timeout        time.Duration     `json:"t,omitempty"`  // of its own; nanoseconds
}

// setFrom copies what an attempt needs of the settings.
func (m *meta) setFrom(v *Settings) {
	m.URL, m.Retry, m.Timeout = v.URL, nil, time.Duration(v.Timeout)
	for _, d := range v.Retry {
		m.Retry = append(m.Retry, time.Duration(d))
	}
}

// eachSealed replaces every sealed value in m by what f returns for it.
func (m *meta) eachSealed(f func(sealed string) string) {
	for _, at := range []*string{&m.Secret, &m.OldSecret, &m.Key, &m.Auth} {
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

// endpoint is a webhook with all that requests to it need, decoded and unsealed.
type endpoint struct {
	meta        string // what it was made from
	account     string
	url         *url.URL
	transport   http.RoundTripper
	videocloud  *signature.VideoCloudSigner
	standard    *signature.StandardSigner // nil with signing ed25519
	keys        []keySigner               // of signing ed25519
	oldStandard *signature.StandardSigner // nil without an overlap
	oldUntil    time.Time
	headers     http.Header
	retry       []time.Duration
	timeout     time.Duration
	tokens      *tokenSource // nil without auth by OAuth 2
}

// maxEndpoints is how many endpoints a process keeps.
const maxEndpoints = 20_000

// endpoints keeps the endpoints that were made last. Settings can't be stale in it: an endpoint is used only while the meta of
// the claim is, byte for byte, the one that it was made from.
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
	e := &endpoint{meta: text, account: m.Account, url: u, transport: s.transport, headers: http.Header{}}
	e.retry, e.timeout = s.effectiveSchedule(m.Retry, m.Timeout)
	if lane == notifyLane {
		e.transport = s.notify.transport
	}
	if ownerOf(lane) != "" {
		lane = accountLane // what its secret is sealed for
	}
	secret, err := s.open(m.Account, lane, m.Secret)
	if err != nil {
		return nil, err
	}
	if e.videocloud, err = signature.NewVideoCloudSigner(secret); err != nil {
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
	if m.OldSecret != "" {
		old, err := s.open(m.Account, lane, m.OldSecret)
		if err != nil {
			return nil, err
		}
		if e.oldStandard, err = signature.NewStandardSigner(old); err != nil {
			return nil, err
		}
		e.oldUntil = time.Unix(m.OldSecretUntil, 0)
	}
	for name, sealed := range m.Headers {
		if s.isReservedHeader(name) {
			continue // since the webhook was registered, another brand has made it one of ours
		}
		value, err := s.open(m.Account, lane, sealed)
		if err != nil {
			return nil, err
		}
		e.headers[http.CanonicalHeaderKey(name)] = []string{value}
	}
	if err := e.addAuth(s, lane, &m); err != nil {
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
