package signature

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyring are public keys by their ID: those of the configuration, or fetched from the address where the provider publishes them.
//
// Failure policy: fetched keys are used for an hour, and longer if fetching fails, so that an address that is down refuses no request
// whose key was fetched before. An ID that is not among them causes a fetch at most once a minute, whoever sends it. While a fetch is
// under way, up to maxWaiting requests wait for it, because it may bring their key, which all of them need after a start. Further
// requests, and those in the minute after a fetch, are refused, and the provider tries again.
type keyring struct {
	url   string
	fetch fetcher

	mu       sync.Mutex
	keys     map[string]crypto.PublicKey
	fetched  time.Time     // the last success
	tried    time.Time     // the last try
	fetching chan struct{} // closed at the end of the fetch that is under way; nil where none is
	waiting  int
}

const (
	keysFresh = time.Hour   // how long fetched keys are used without asking for them again
	keysPause = time.Minute // the least time between two fetches
)

// maxWaiting is how many requests may wait for a fetch: their bodies are in memory and not yet verified.
const maxWaiting = 32

// maxKeys is how many keys are read from one address.
const maxKeys = 100

// keyring returns the keys by ID that the configuration or the row names; nil if they name none.
func (r *row) keyring(c Config) (*keyring, error) {
	if text, ok := c.Options["jwks_pem"]; ok {
		return keysOfPEM(text)
	}
	if r.kidHeader == "" && r.jwt == nil {
		return nil, nil
	}
	address, source := c.Options["jwks"], "jwks"
	if address == "" && r.jwksURL != "" && len(c.Secrets) == 0 {
		address, source = r.jwksURL, "the provider's address"
	}
	switch {
	case address == "":
		return nil, nil
	case strings.HasPrefix(address, "https://"):
		hosts := r.hosts
		if r.jwksURL == "" || address != r.jwksURL {
			if len(r.hosts) == 0 {
				hosts = []string{hostOf(address)} // the operator chose it
			}
		}
		if !allowedURL(address, hosts) {
			return nil, badOption(source, "%s publishes its keys at %s only", r.provider, strings.Join(r.hosts, ", "))
		}
		return &keyring{url: address, fetch: newFetcher(c, hosts)}, nil
	case strings.Contains(address, "://"):
		return nil, badOption("jwks", "keys are fetched by https only")
	}
	text, err := os.ReadFile(address)
	if err != nil {
		return nil, badOption("jwks", "the file can't be read")
	}
	keys, err := keysOfSet(text)
	if err != nil {
		return nil, badOption("jwks", "the file is no set of keys")
	}
	return &keyring{keys: keys}, nil
}

// keysOfPEM reads the option jwks_pem: a JSON object of key IDs and their keys in PEM.
func keysOfPEM(text string) (*keyring, error) {
	var texts map[string]string
	if err := json.Unmarshal([]byte(text), &texts); err != nil || len(texts) == 0 {
		return nil, badOption("jwks_pem", "give a JSON object with a PEM for each key ID")
	}
	ring := &keyring{keys: map[string]crypto.PublicKey{}}
	for kid, text := range texts {
		public, why := parsePublicKey(text)
		if why != "" {
			return nil, badOption("jwks_pem", "key %q: %s", kid, why)
		}
		ring.keys[kid] = public
	}
	return ring, nil
}

// keysOfSet reads a JSON Web Key Set (RFC 7517). It leaves out keys without an ID, private keys, keys of an unsupported kind, and RSA keys
// of an unsupported size.
func keysOfSet(text []byte) (map[string]crypto.PublicKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, err
	}
	keys := map[string]crypto.PublicKey{}
	for _, raw := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var k jose.JSONWebKey
		if k.UnmarshalJSON(raw) != nil || !k.Valid() || !k.IsPublic() || k.KeyID == "" || k.Use == "enc" {
			continue
		}
		if public, ok := k.Key.(*rsa.PublicKey); ok && !allowedSize(public) {
			continue
		}
		keys[k.KeyID] = k.Key
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}

// allowedSize reports whether an RSA key has 2048 to 8192 bits: a smaller one is weak, and a larger one makes each check expensive.
func allowedSize(public *rsa.PublicKey) bool {
	return public.Size() >= 256 && public.Size() <= maxRSASignature
}

// key returns the key of an ID, nil where there is none. It fetches the keys where that is due.
func (k *keyring) key(kid string, now time.Time) crypto.PublicKey {
	k.mu.Lock()
	public := k.keys[kid]
	stale := k.url != "" && (public == nil || now.Sub(k.fetched) > keysFresh)
	if public == nil && k.fetching != nil && k.waiting < maxWaiting {
		return k.wait(kid)
	}
	if !stale || k.fetching != nil || (now.Sub(k.tried) < keysPause && now.Sub(k.tried) > -keysPause) {
		k.mu.Unlock()
		return public
	}
	k.tried, k.fetching = now, make(chan struct{})
	k.mu.Unlock()
	if public != nil {
		go k.refresh(now) // the old key is used meanwhile
		return public
	}
	k.refresh(now)
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[kid]
}

// wait waits for the fetch that is under way, which has a timeout of its own, and returns the key of an ID. It is called with the lock
// held, and returns without it.
func (k *keyring) wait(kid string) crypto.PublicKey {
	done := k.fetching
	k.waiting++
	k.mu.Unlock()
	<-done
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting--
	return k.keys[kid]
}

// refresh fetches the keys. If that fails, the old ones stay.
func (k *keyring) refresh(now time.Time) {
	defer k.finishFetch() // also where the fetch panics: requests would wait for ever
	// Not the request's context: its sender may hang up, while other requests wait for the keys.
	text, err := k.fetch.get(context.Background(), k.url)
	var keys map[string]crypto.PublicKey
	if err == nil {
		keys, err = keysOfSet(text)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.keys, k.fetched = keys, now
	}
}

// finishFetch ends the fetch: the requests that wait for it go on.
func (k *keyring) finishFetch() {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.fetching)
	k.fetching = nil
}

// matchesNamed verifies with the key that the request names, and returns 0, or -1 where the signature is not the key's. A key of another
// algorithm than the row's never matches.
func (g *generic) matchesNamed(h http.Header, c *claims, m *message, now time.Time) (int, error) {
	kid, err := soleHeader(h, http.CanonicalHeaderKey(g.kidHeader))
	if err != nil {
		return -1, err
	}
	public := g.ring.key(kid, now)
	if public == nil {
		return -1, errUnknownKey
	}
	k, why := g.keyOf(public)
	if why != "" || !g.matches(&k, c, m) {
		return -1, nil
	}
	return 0, nil
}
