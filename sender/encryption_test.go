package sender

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/internal/seal"
)

// encryptionKey is a key for tests.
func encryptionKey(b byte) string {
	return base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32))
}

func withKeys(keys ...string) func(*Options) {
	return func(o *Options) { o.Config.EncryptionKeys = keys }
}

// everything dumps all that a store holds, as text.
func everything(t *testing.T, store *Store) string {
	t.Helper()
	c := store.Client()
	var all strings.Builder
	keys, err := c.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.NotEmpty(t, keys)
	for _, key := range keys {
		kind, err := c.Type(t.Context(), key).Result()
		require.NoError(t, err)
		var value any
		switch kind {
		case "string":
			if value, err = c.Get(t.Context(), key).Result(); errors.Is(err, redis.Nil) {
				continue // it went meanwhile
			}
		case "hash":
			value, err = c.HGetAll(t.Context(), key).Result()
		case "set":
			value, err = c.SMembers(t.Context(), key).Result()
		case "zset":
			value, err = c.ZRangeWithScores(t.Context(), key, 0, -1).Result()
		case "list":
			value, err = c.LRange(t.Context(), key, 0, -1).Result()
		case "stream":
			value, err = c.XRange(t.Context(), key, "-", "+").Result()
		case "none": // it went meanwhile
		default:
			require.Fail(t, "a key of an unknown kind", "%s is a %s", key, kind)
		}
		require.NoError(t, err)
		fmt.Fprintln(&all, key, value)
	}
	return all.String()
}

// encodings of a secret in which it would be as readable as in the clear.
func encodings(secret string) []string {
	all := []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), strings.TrimPrefix(secret, "whsec_")}
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 { // as it looks within something longer
			text := e.EncodeToString(append(make([]byte, shift), secret...))
			all = append(all, text[(shift*8+5)/6:len(text)-2])
		}
	}
	return all
}

// TestEncryptionAtRest: with a key nothing in the store shows a secret or a header value; without one it would.
func TestEncryptionAtRest(t *testing.T) {
	t.Parallel()
	const given, value = "a_secret_that_is_given", "Bearer of-a-custom-header"
	for _, encrypted := range []bool{true, false} {
		t.Run(fmt.Sprint(encrypted), func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, store *Store) {
				var log logText
				b := newBundle(t, store, func(o *Options) {
					o.Logger = log.logger()
					o.Config.NotifyURL, o.Config.NotifySecret = "http://127.0.0.1:1/", "the_operators_secret"
					if encrypted {
						o.Config.EncryptionKeys = []string{encryptionKey(1)}
					}
					once(o)
				}).start()
				require.Equal(t, !encrypted, strings.Contains(log.String(), "stored unencrypted"), "a warning without a key")
				to, failing := newSink(t, nil), newSink(t, status(500))
				in := NewWebhook{Settings: Settings{URL: to.URL, Events: []string{"*"}}, Headers: map[string]string{"Authorization": value}}
				w, made, err := b.CreateWebhook(t.Context(), "default", in)
				require.NoError(t, err)
				b.update(w, WebhookUpdate{Secret: ptr(given), SecretOverlap: time.Hour})
				b.reaches(b.publish(guideData), StateSucceeded)
				requireSigned(t, to.got()[0], given, made)
				require.Equal(t, value, to.got()[0].header.Get("Authorization"))
				b.update(w, WebhookUpdate{Change: func(to *Webhook) error { to.URL = failing.URL; return nil }})
				b.reaches(b.publish(guideData), StateFailed)

				all := everything(t, store)
				found := false
				for _, secret := range []string{given, made, value, "the_operators_secret"} {
					for _, form := range encodings(secret) {
						found = found || strings.Contains(all, form)
					}
				}
				require.Equal(t, !encrypted, found)
			})
		})
	}
}

// TestKeyRotation: keys can be added in front of older ones, which go on opening what they sealed; and a key that is
// missing is said to be, without harm to what is sealed.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		to := newSink(t, nil)
		clear := newBundle(t, store, nil)
		w := clear.webhook(to.URL)
		one := newBundle(t, store, withKeys(encryptionKey(1)))
		one.update(w, WebhookUpdate{Headers: &map[string]string{"X-One": "1"}})
		two := newBundle(t, store, withKeys(encryptionKey(2), encryptionKey(1))).start()
		two.reaches(two.publish(guideData), StateSucceeded)
		requireSigned(t, to.got()[0], "your_webhook_secret")
		require.Equal(t, "1", to.got()[0].header.Get("X-One"))
		two.update(w, WebhookUpdate{Secret: ptr(first16), SecretOverlap: time.Hour})
		two.reaches(two.publish(guideData), StateSucceeded)
		requireSigned(t, to.got()[1], first16, "your_webhook_secret")
		require.NoError(t, two.Stop(t.Context()))

		var log logText
		missing := newBundle(t, store, func(o *Options) {
			withKeys(encryptionKey(1))(o)
			once(o)
			o.Logger = log.logger()
		}).start()
		d := missing.reaches(missing.publish(guideData), StateFailed)
		require.Contains(t, d.Attempts[0].Error, "its operator's log says why")
		require.Contains(t, log.String(), "is its key still among encryption_key?")
		require.NotContains(t, log.String(), "enc1:")
		require.Len(t, to.got(), 2)
		require.Equal(t, "http", missing.hook(w).URL[:4], "everything else works")
	})
}

// TestSealedForItsPlace: a sealed secret copied to another webhook is worth nothing there.
func TestSealedForItsPlace(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) {
			withKeys(encryptionKey(1))(o)
			once(o)
		}).start()
		mine, theirs := newSink(t, nil), newSink(t, nil)
		other := sameShard(t, b, "default")
		w, v := b.webhook(mine.URL), b.in(other, theirs.URL)
		tag, c := b.queue.Tag(mustShard(t, b)), store.Client()
		stolen, err := c.HGet(t.Context(), tag+"conf:"+laneOf(v.ID), "meta").Result()
		require.NoError(t, err)
		for _, account := range []string{other, "default"} {
			meta := strings.Replace(stolen, theirs.URL, mine.URL, 1)
			meta = strings.Replace(meta, `"`+other+`"`, `"`+account+`"`, 1)
			require.NoError(t, c.HSet(t.Context(), tag+"conf:"+laneOf(w.ID), "meta", meta).Err())
			b.reaches(b.publish(guideData), StateFailed)
		}
		require.Empty(t, mine.got())
	})
}

// sealedWith returns the IDs of the keys, or "plain", that a store's webhooks are sealed with.
func sealedWith(t *testing.T, b *bundle, webhooks ...Webhook) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, w := range webhooks {
		account, err := b.AccountOf(t.Context(), w.ID)
		require.NoError(t, err)
		_, r, err := b.record(t.Context(), account, w.ID)
		require.NoError(t, err)
		var m meta
		require.NoError(t, json.Unmarshal([]byte(r.Meta), &m))
		values := []string{m.Secret}
		if m.OldSecret != "" {
			values = append(values, m.OldSecret)
		}
		for _, v := range m.Headers {
			values = append(values, v)
		}
		for _, v := range values {
			parts := strings.Split(v, ":")
			if parts[0] == "enc1" {
				found[parts[1]]++
			} else {
				found[parts[0]]++
			}
		}
	}
	return found
}

// TestReencrypt: afterwards the first key opens everything, whatever it was sealed with, and nothing else has changed.
func TestReencrypt(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		to := newSink(t, nil)
		var all []Webhook
		accounts := []string{"default", "another", "a-third"}
		secrets := map[string][]string{} // of webhooks, the current one first
		for i, b := range []*bundle{newBundle(t, store, nil), newBundle(t, store, withKeys(encryptionKey(1))), newBundle(t, store, withKeys(encryptionKey(2), encryptionKey(1)))} {
			for k := range 120 {
				account := accounts[k%len(accounts)]
				in := NewWebhook{Settings: Settings{URL: to.URL, Events: []string{"video.deleted"}}, Secret: fmt.Sprintf("secret_number_%d_%d", i, k), Headers: map[string]string{"X-A": "a", "X-B": "b"}}
				w, _, err := b.CreateWebhook(t.Context(), account, in)
				require.NoError(t, err)
				secrets[w.ID] = []string{in.Secret}
				if k%4 == 0 {
					next := "next_" + in.Secret
					w, err = b.UpdateWebhook(t.Context(), account, w.ID, WebhookUpdate{Secret: &next, SecretOverlap: time.Hour})
					require.NoError(t, err)
					secrets[w.ID] = []string{next, in.Secret}
				}
				all = append(all, w)
			}
		}
		gone := all[0]
		require.NoError(t, newBundle(t, store, nil).DeleteWebhook(t.Context(), accounts[0], gone.ID))
		all = all[1:]

		b := newBundle(t, store, func(o *Options) {
			withKeys(encryptionKey(3), encryptionKey(2), encryptionKey(1))(o)
			o.Config.DeliverOff = true
		})
		require.Len(t, sealedWith(t, b, all...), 3)
		var changes sync.WaitGroup
		changes.Go(func() { // beside it
			for _, w := range all[:60] {
				account, err := b.AccountOf(t.Context(), w.ID)
				assert.NoError(t, err)
				_, err = b.UpdateWebhook(t.Context(), account, w.ID, WebhookUpdate{Change: func(to *Webhook) error { to.Description = "changed meanwhile"; return nil }})
				assert.NoError(t, err)
			}
		})
		n, err := b.Reencrypt(t.Context())
		require.NoError(t, err)
		require.Equal(t, len(all), n)
		changes.Wait()
		require.Len(t, sealedWith(t, b, all...), 1)
		n, err = b.Reencrypt(t.Context())
		require.NoError(t, err)
		require.Zero(t, n, "there is nothing left to do")

		only := newBundle(t, store, withKeys(encryptionKey(3))).start()
		for _, account := range accounts {
			p := only.publishes(account, Event{Type: "video.deleted"})
			eventually(t, "delivered", func() bool {
				e, err := only.Event(t.Context(), account, p.ID)
				require.NoError(t, err)
				return !slices.ContainsFunc(e.Deliveries, func(d Delivery) bool { return d.State != StateSucceeded })
			})
		}
		good := map[string]int{}
		for _, r := range to.got() {
			require.Equal(t, []string{"a", "b"}, []string{r.header.Get("X-A"), r.header.Get("X-B")})
			for _, w := range all {
				s := secrets[w.ID]
				if r.header.Get("X-VideoCloud-Signature") == fmt.Sprintf("%x", mac([]byte(s[0]), string(r.body))) {
					requireSigned(t, r, s[0], s[1:]...)
					good[w.ID]++
				}
			}
		}
		require.Len(t, good, len(all))
		for i, w := range all[:60] {
			account, err := b.AccountOf(t.Context(), w.ID)
			require.NoError(t, err)
			now, err := b.Webhook(t.Context(), account, w.ID)
			require.NoError(t, err)
			require.Equal(t, "changed meanwhile", now.Description, i)
		}
	})
}

// TestReencryptCoversAllThatIsSealed: every sealed place of what an attempt needs, the ones that are added later too.
func TestReencryptCoversAllThatIsSealed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		by, to := newAuthorizer(t, 3600), newSink(t, nil)
		old := newBundle(t, store, withKeys(encryptionKey(1)))
		w, _, err := old.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: to.URL, Events: []string{"*"}}, Headers: map[string]string{"X-A": "a"}, Auth: by.auth()})
		require.NoError(t, err)
		old.update(w, WebhookUpdate{Secret: ptr("another_webhook_secret"), SecretOverlap: time.Hour})
		old.update(w, WebhookUpdate{Change: setSigning(SigningEd25519), SecretOverlap: time.Hour})
		w = old.update(w, WebhookUpdate{RotateKey: true, SecretOverlap: time.Hour})
		require.NoError(t, old.Start(t.Context()))
		old.deliverTo(to)
		require.NoError(t, old.Stop(t.Context()))
		b := newBundle(t, store, withKeys(encryptionKey(2), encryptionKey(1)))
		text, err := store.Client().HGet(t.Context(), b.queue.Tag(mustShard(t, b))+"conf:"+laneOf(w.ID), "meta").Result()
		require.NoError(t, err)
		require.Equal(t, 6, strings.Count(text, "enc1:"), "secret, old secret, key, old key, header, auth: %s", text)
		_, _, err = old.UpdateAccount(t.Context(), "default", AccountUpdate{NotifyURL: &to.URL, Emails: &[]string{"ops@example.com"}})
		require.NoError(t, err)
		registered := map[string]NewWebhook{}
		for _, key := range []string{"kept", "deleted"} {
			in := NewWebhook{Settings: Settings{URL: to.URL, Events: []string{"video.deleted"}}, Secret: "your_webhook_secret", IdempotencyKey: key}
			made, _, err := old.CreateWebhook(t.Context(), "default", in)
			require.NoError(t, err)
			registered[key] = in
			if key == "deleted" {
				require.NoError(t, old.DeleteWebhook(t.Context(), "default", made.ID))
			}
		}
		n, err := b.Reencrypt(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, n)
		first := strings.SplitN(text[strings.Index(text, "enc1:"):], ":", 3)[1]
		require.NotContains(t, everything(t, store), "enc1:"+first, "nothing is left that the old key opens")
		only := newBundle(t, store, withKeys(encryptionKey(2))).start()
		_, _, err = only.CreateWebhook(t.Context(), "default", registered["kept"])
		require.NoError(t, err)
		_, _, err = only.CreateWebhook(t.Context(), "default", registered["deleted"])
		requireError(t, err, CodeConflict, "Idempotency-Key")
		r := only.deliverTo(to)
		require.Equal(t, []string{"v1a", "v1a", "v1"}, versions(r))
		require.Equal(t, "Bearer token-2", r.header.Get("Authorization"))
	})
}

// TestReencryptWithoutKeys: it says what is missing, and does the rest.
func TestReencryptWithoutKeys(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		clear := newBundle(t, store, nil)
		w := clear.webhook("http://127.0.0.1:1/")
		_, err := clear.Reencrypt(t.Context())
		require.ErrorIs(t, err, ErrNoKey)
		lost := newBundle(t, store, withKeys(encryptionKey(1))).webhook("http://127.0.0.1:1/")
		b := newBundle(t, store, withKeys(encryptionKey(2)))
		n, err := b.Reencrypt(t.Context())
		require.Equal(t, 1, n)
		require.ErrorIs(t, err, seal.ErrUnknownKey)
		require.ErrorContains(t, err, lost.ID)
		require.ErrorContains(t, err, "account default")
		require.Len(t, sealedWith(t, b, w, lost), 2)
	})
}
