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

// keyring are public keys by their ID: given by the configuration, or fetched from where the provider publishes them.
//
// Failure policy: fetched keys are kept for an hour and longer while nothing better comes, so that an address that is down refuses
// nobody whose key is known. An ID that nobody knows makes a fetch at most once a minute, whoever asks. While one is under way, some
// requests wait for it, as it may bring their key: at a start all of them need it at once. Further ones, and those shortly after a
// fetch, are refused, and the provider tries again.
type keyring struct {
	url   string
	fetch fetcher

	mu       sync.Mutex
	keys     map[string]crypto.PublicKey
	fetched  time.Time // the last success
	tried    time.Time
	fetching chan struct{} // closed at the end of the one that is under way
	waiting  int
}

// Times of fetched keys.
const (
	keysFresh = time.Hour
	keysPause = time.Minute
)

// maxWaiting bounds the requests that wait for a fetch, whose bodies nobody has vouched for.
const maxWaiting = 32

// maxKeys bounds what one address may hold.
const maxKeys = 100

// keyring is what the configuration says of keys by ID, nil where there are none.
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
				hosts = []string{hostOf(address)} // the operator's word
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

// keysOfSet reads a JSON Web Key Set. Keys without an ID, private ones, those of a kind that we
// don't know, and RSA keys that are weak or dear are passed over.
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

// usualSize reports whether an RSA key is of 2048 bits or more, and of no more than a stranger's request may cost to check.
func allowedSize(public *rsa.PublicKey) bool { return public.Size() >= 256 && public.Size() <= maxLong }

// key returns the key of an ID, nil where nobody knows it.
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
		go k.refresh(now) // the known one does meanwhile
		return public
	}
	k.refresh(now)
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[kid]
}

// wait is for what the fetch brings that is under way, which has its own bound. It needs the lock, and gives it back.
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

// refresh fetches the keys, and keeps what it has if that fails.
func (k *keyring) refresh(now time.Time) {
	defer k.done()
	// Not the request's context: whoever asked first may hang up, and the others wait for the keys.
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

// done lets those go on who wait, also where the fetch panicked: they would wait for ever.
func (k *keyring) done() {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.fetching)
	k.fetching = nil
}

// matchesNamed verifies with the key that the request names. The key's own algorithm is the row's, or it is no match.
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
