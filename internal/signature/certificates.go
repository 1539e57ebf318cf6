package signature

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"sync"
	"time"
)

// certificates are the keys of certificates that requests name by their address: those of the configuration, or fetched from the
// provider's own hosts.
//
// Failure policy: the content of a certificate's address never changes, so a fetched certificate is kept. An address without one is
// fetched at most once a minute, and at most maxTries different addresses are tried in a minute, whoever names them. While a fetch is
// under way, up to maxWaiting requests wait for it; further requests, and those in the minute after a failed fetch, are refused, and the
// provider tries again.
type certificates struct {
	allowed    func(address string) bool
	byAddress  map[string]crypto.PublicKey // of the option certs
	configured crypto.PublicKey            // of the option cert_pem, for every address
	fetch      fetcher

	mu    sync.Mutex
	keys  map[string]*fetchedKey
	tries map[string]time.Time // when an address was last asked, unless that was a success

	fetching map[string]chan struct{} // by address: closed at the end of the fetch that is under way
	waiting  int
}

// fetchedKey is the key of a fetched certificate.
type fetchedKey struct {
	public   *rsa.PublicKey
	fetched  time.Time
	verified bool
}

const (
	maxCertificates = 32
	maxTries        = 10
	triesPause      = time.Minute
)

// newCertificates reads the options certs and cert_pem.
func newCertificates(c Config, fetch fetcher, allowed func(string) bool) (*certificates, error) {
	s := &certificates{allowed: allowed, fetch: fetch, keys: map[string]*fetchedKey{}, tries: map[string]time.Time{}, fetching: map[string]chan struct{}{}}
	if text, ok := c.Options["cert_pem"]; ok {
		public, why := parsePublicKey(text)
		if why != "" {
			return nil, badOption("cert_pem", "%s", why)
		}
		s.configured = public
	}
	text, ok := c.Options["certs"]
	if !ok {
		return s, nil
	}
	if s.configured != nil {
		return nil, badOption("certs", "it can't be with cert_pem")
	}
	var texts map[string]string
	if err := json.Unmarshal([]byte(text), &texts); err != nil || len(texts) == 0 {
		return nil, badOption("certs", "give a JSON object with a certificate in PEM for each address")
	}
	s.byAddress = map[string]crypto.PublicKey{}
	for address, text := range texts {
		public, why := parsePublicKey(text)
		if why != "" {
			return nil, badOption("certs", "%s: %s", address, why)
		}
		s.byAddress[address] = public
	}
	return s, nil
}

// verify checks a signature by the certificate of an address.
func (s *certificates) verify(address string, now time.Time, hash crypto.Hash, digest, sig []byte) error {
	public := s.key(address, now)
	if public == nil {
		return &Error{ReasonMismatch, "the certificate that the request names is not one of the provider's, or can't be had now"}
	}
	if rsa.VerifyPKCS1v15(public, hash, digest, sig) != nil {
		return errMismatch
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.keys[address]; c != nil {
		c.verified = true
	}
	return nil
}

// key returns the key of an address, nil where there is none.
func (s *certificates) key(address string, now time.Time) *rsa.PublicKey {
	if !s.allowed(address) {
		return nil
	}
	if s.byAddress != nil || s.configured != nil {
		public := s.configured
		if public == nil {
			public = s.byAddress[address]
		}
		key, _ := public.(*rsa.PublicKey)
		return key
	}
	if public, fetch := s.cached(address, now); !fetch {
		return public
	}
	defer s.finishFetch(address)
	text, err := s.fetch.get(context.Background(), address) // not the request's context: other requests wait for the certificate too
	if err != nil {
		return nil
	}
	parsed, _ := parsePublicKey(string(text))
	public, ok := parsed.(*rsa.PublicKey)
	if !ok || !allowedSize(public) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom()
	s.keys[address] = &fetchedKey{public: public, fetched: now}
	delete(s.tries, address)
	return public
}

// cached returns the key that is kept for an address, nil where there is none, and whether the caller has to fetch it now.
func (s *certificates) cached(address string, now time.Time) (*rsa.PublicKey, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.keys[address]; c != nil {
		return c.public, false
	}
	for other, at := range s.tries {
		if d := now.Sub(at); d >= triesPause || d <= -triesPause {
			delete(s.tries, other)
		}
	}
	if done := s.fetching[address]; done != nil && s.waiting < maxWaiting {
		return s.wait(address, done), false
	}
	if _, tried := s.tries[address]; tried || len(s.tries) >= maxTries {
		return nil, false
	}
	s.tries[address], s.fetching[address] = now, make(chan struct{})
	return nil, true
}

// wait waits for the fetch of an address that is under way, which has a timeout of its own, and returns the key. It is called with the
// lock held, gives it up meanwhile, and returns with it held.
func (s *certificates) wait(address string, done chan struct{}) *rsa.PublicKey {
	s.waiting++
	s.mu.Unlock()
	<-done
	s.mu.Lock()
	s.waiting--
	if c := s.keys[address]; c != nil {
		return c.public
	}
	return nil
}

// finishFetch ends the fetch of an address: the requests that wait for it go on.
func (s *certificates) finishFetch(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.fetching[address])
	delete(s.fetching, address)
}

// makeRoom drops a certificate if there are maxCertificates: the oldest of those that verified nothing, or else the oldest of all.
func (s *certificates) makeRoom() {
	if len(s.keys) < maxCertificates {
		return
	}
	var worst string
	for address, c := range s.keys {
		w := s.keys[worst]
		if w == nil || (w.verified && !c.verified) || (w.verified == c.verified && c.fetched.Before(w.fetched)) {
			worst = address
		}
	}
	delete(s.keys, worst)
}
