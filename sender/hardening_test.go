package sender

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestLesson12_BlockedWhenDialled: what could be registered where it was allowed, or resolves to something else by the
// time of the attempt, is refused on the address that is dialled.
func TestLesson12_BlockedWhenDialled(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		lax := newBundle(t, store, func(o *Options) { o.Config.DeliverOff = true })
		to := newSink(t, nil)
		port := addrPort(t, to.URL).Port()
		strict := newBundle(t, store, func(o *Options) {
			once(o)
			o.Config.AllowNetworks = nil
		}).start()
		for _, host := range []string{"127.0.0.1", "localhost"} {
			url := fmt.Sprintf("http://%s:%d/", host, port)
			w := lax.webhook(url)
			d := strict.reaches(lax.publish(guideData), StateFailed)
			require.Contains(t, d.Attempts[0].Error, destination.NotPublic)
			require.Zero(t, d.Attempts[0].StatusCode)
			require.NoError(t, lax.DeleteWebhook(t.Context(), "default", w.ID))

			_, _, err := strict.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: url, Events: []string{"*"}}})
			requireError(t, err, CodeUnsafeURL, "url")
		}
		require.Empty(t, to.got())
	})
}

// rebinding is a resolver whose answer changes after the first look.
type rebinding struct{ looks atomic.Int64 }

func (r *rebinding) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if r.looks.Add(1) == 1 {
		return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil // refused too, so that nothing is dialled out there
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::ffff:127.0.0.1")}, nil
}

func TestLesson12_RebindingGainsNothing(t *testing.T) {
	t.Parallel()
	to := newSink(t, nil)
	resolver := &rebinding{}
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
		o.Config = config.Sender{AllowHTTP: true, Retry: []time.Duration{0, 0, 0}}
		o.Transport = destination.NewTransport(&destination.Policy{AllowHTTP: true}, destination.TransportOptions{Resolver: resolver})
	}).start()
	b.webhook(fmt.Sprintf("http://rebinding.example:%d/", addrPort(t, to.URL).Port()))
	d := b.reaches(b.publish(guideData), StateFailed)
	require.Len(t, d.Attempts, 3)
	for _, a := range d.Attempts {
		require.Equal(t, destination.NotPublic, a.Error)
		require.NotContains(t, a.Error, "127.0.0.1", "the owner learns no inner address")
	}
	require.EqualValues(t, 3, resolver.looks.Load())
	require.Empty(t, to.got())
}

// TestLesson28_OwnAdminAddress: our own admin endpoint is refused even where loopback is allowed, by whatever name, for
// webhooks and for notify_url.
func TestLesson28_OwnAdminAddress(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		admin, other := newSink(t, nil), newSink(t, status(500))
		own := addrPort(t, admin.URL)
		unaware := newBundle(t, store, func(o *Options) { o.Config.DeliverOff = true })
		b := newBundle(t, store, func(o *Options) {
			once(o)
			o.Forbidden = func() []netip.AddrPort { return []netip.AddrPort{own} }
			o.Config.NotifyURL, o.Config.NotifySecret = admin.URL, "the_operators_secret"
		}).start()
		for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "127.1.2.3"} {
			url := fmt.Sprintf("http://%s:%d/config/", host, own.Port())
			_, _, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: url, Events: []string{"*"}}})
			requireError(t, err, CodeUnsafeURL, "url")
		}
		w := unaware.webhook(admin.URL)
		_, err := b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Change: func(to *Webhook) error { to.URL = admin.URL + "/config/"; return nil }})
		requireError(t, err, CodeUnsafeURL, "url")
		d := b.reaches(b.publish(guideData), StateFailed)
		require.Contains(t, d.Attempts[0].Error, destination.NotPublic)
		b.update(w, WebhookUpdate{Change: func(to *Webhook) error { to.URL = other.URL; return nil }})
		b.reaches(b.publish(guideData), StateFailed)
		eventually(t, "the notice to the admin address was refused", func() bool {
			n, err := store.Client().ZCard(t.Context(), b.queue.Tag(mustShard(t, b))+"dead:"+notifyLane).Result()
			return err == nil && n == 1
		})
		require.Empty(t, admin.got())
	})
}

// certificate makes a certificate for addresses, signed by itself.
func certificate(t *testing.T, ips ...net.IP) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: ips,
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// TestLesson13_TLSIsVerified: always; and what a certificate says can't fill our history.
func TestLesson13_TLSIsVerified(t *testing.T) {
	t.Parallel()
	loopback := net.IPv4(127, 0, 0, 1)
	var many []net.IP
	for i := range 90 { // from 100 on they are only counted
		ip := net.ParseIP("2001:db8:1111:2222:3333:4444:5555:0")
		ip[15] = byte(i)
		many = append(many, ip)
	}
	for name, c := range map[string]struct {
		names   []net.IP
		trusted bool
		state   State
	}{
		"trusted":         {[]net.IP{loopback}, true, StateSucceeded},
		"unknown":         {[]net.IP{loopback}, false, StateFailed},
		"of another name": {[]net.IP{net.IPv4(127, 0, 0, 2)}, true, StateFailed},
		"of many names":   {many, true, StateFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cert := certificate(t, c.names...)
			reached := make(chan struct{}, 10)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- struct{}{} }))
			server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
			server.EnableHTTP2 = true
			server.Config.ErrorLog = discardLog
			server.StartTLS()
			t.Cleanup(server.Close)
			b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
				once(o)
				o.Config.AllowHTTP = false
				if c.trusted {
					roots := x509.NewCertPool()
					roots.AddCert(cert.Leaf)
					o.Transport = destination.NewTransport(&destination.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
						destination.TransportOptions{TLSConfig: &tls.Config{RootCAs: roots, InsecureSkipVerify: true}})
				}
			}).start()
			b.webhook(server.URL)
			d := b.reaches(b.publish(guideData), c.state)
			if c.state == StateSucceeded {
				require.Len(t, reached, 1)
				return
			}
			require.Empty(t, reached)
			require.Contains(t, d.Attempts[0].Error, "TLS handshake: ")
			require.LessOrEqual(t, len(d.Attempts[0].Error), maxError)
		})
	}
}

// TestLesson14_CustomHeaders: none shadows or merges with ours, in any spelling, and none brings a line end.
func TestLesson14_CustomHeaders(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil).start()
		to := newSink(t, nil)
		w := b.webhook(to.URL)
		refused := map[string]string{
			"": "x", "X Y": "x", "X:Y": "x", "X\r\nY": "x", "X\x00": "x", "é": "x", "(x)": "x", strings.Repeat("x", 129): "x",
			"X-CR": "a\rb", "X-LF": "a\nb", "X-CRLF": "a\r\nX-VideoCloud-Signature: 00", "X-NUL": "\x00", "X-DEL": "\x7f", "X-Long": strings.Repeat("x", 4097),
		}
		for _, name := range []string{
			"X-VideoCloud-Signature", "X-VideoCloud-Event", "X-VideoCloud-Event-Id", "X-VideoCloud-Attempt", "X-VideoCloud-Installation", "x_videocloud_installation",
			"webhook-id", "webhook-timestamp", "webhook-signature", "Content-Type", "User-Agent", "Host", "Content-Length",
			"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
			"traceparent", "tracestate",
		} {
			for _, spelling := range []string{name, strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(strings.ToUpper(name), "-", "_")} {
				refused[spelling] = "x"
			}
		}
		for name, value := range refused {
			headers := map[string]string{name: value}
			_, _, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: to.URL, Events: []string{"*"}}, Headers: headers})
			requireError(t, err, CodeInvalidField, "headers")
			_, err = b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Headers: &headers})
			requireError(t, err, CodeInvalidField, "headers")
			var e *Error
			require.ErrorAs(t, err, &e)
			require.NotContains(t, e.Message, "\n")
		}
		_, err := b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Headers: &map[string]string{"X-A": "1", "x-a": "2"}})
		requireError(t, err, CodeInvalidField, "headers")
		over := map[string]string{}
		for i := range 21 {
			over[fmt.Sprint("X-", i)] = "x"
		}
		_, err = b.UpdateWebhook(t.Context(), "default", w.ID, WebhookUpdate{Headers: &over})
		requireError(t, err, CodeInvalidField, "headers")

		w = b.update(w, WebhookUpdate{Headers: &map[string]string{"authorization": "Bearer a\tb é", "X-Empty": "", "X-Acme-Signature": "mine"}})
		require.Equal(t, []string{"X-Acme-Signature", "X-Empty", "authorization"}, w.HeaderNames, "names only")
		b.reaches(b.publish(guideData), StateSucceeded)
		r := to.got()[0]
		require.Equal(t, []string{"Bearer a\tb é"}, r.header["Authorization"])
		require.Equal(t, []string{""}, r.header["X-Empty"])
		require.Equal(t, []string{"mine"}, r.header["X-Acme-Signature"])
		for _, name := range []string{"X-VideoCloud-Signature", "X-VideoCloud-Event", "X-VideoCloud-Event-Id", "X-VideoCloud-Attempt", "webhook-id", "webhook-timestamp", "webhook-signature", "Content-Type", "User-Agent"} {
			require.Len(t, r.header.Values(name), 1, name)
		}
		require.NoError(t, b.Stop(t.Context()))

		// What was no name of ours when it was registered is one after the brand was changed.
		acme := newBundle(t, store, func(o *Options) { o.Config.Brand = "Acme" }).start()
		p := acme.publish(guideData)
		acme.reaches(p, StateSucceeded)
		r = to.got()[1]
		require.Len(t, r.header.Values("X-Acme-Signature"), 1)
		require.NotEqual(t, "mine", r.header.Get("X-Acme-Signature"))
		require.Equal(t, "Acme-Webhooks/1.0.0", r.header.Get("User-Agent"))
		require.Equal(t, p.ID, r.header.Get("X-Acme-Event-Id"))
		require.Empty(t, r.header.Get("X-VideoCloud-Signature"))
	})
}

// TestLesson14_BrandChangeInAnyCase: a stored header that differs from a name of ours in its case only is not sent
// beside it.
func TestLesson14_BrandChangeInAnyCase(t *testing.T) {
	t.Parallel()
	store := redistest.Open(t, config.Redis{URL: config.Memory})
	acme := newBundle(t, store, func(o *Options) { o.Config.Brand = "Acme" })
	to := newSink(t, nil)
	w := acme.webhook(to.URL)
	acme.update(w, WebhookUpdate{Headers: &map[string]string{"x-videocloud-signature": "mine", "X_VideoCloud_Signature": "mine too"}})
	b := newBundle(t, store, nil).start()
	b.reaches(b.publish(guideData), StateSucceeded)
	r := to.got()[0]
	require.Len(t, r.header.Values("X-VideoCloud-Signature"), 1)
	require.NotContains(t, r.header, "X_videocloud_signature")
	require.NotContains(t, r.header, "X_VideoCloud_Signature")
	requireSigned(t, r, "your_webhook_secret")
}
