package sender

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/destination"
	"github.com/videocloud/webhooks/internal/redistest"
)

// authority makes certificates.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.key, a.certificate = a.made(&x509.Certificate{Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour)})
	return a
}

func (a *authority) made(of *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	of.SerialNumber, of.NotBefore = big.NewInt(time.Now().UnixNano()), time.Now().Add(-24*time.Hour)
	by, with := a.certificate, a.key
	if by == nil {
		by, with = of, key
	}
	der, err := x509.CreateCertificate(rand.Reader, of, by, key.Public(), with)
	require.NoError(a.t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return key, c
}

// client is a client's auth by a certificate.
func (a *authority) client(name string, ends time.Time) *Auth {
	key, c := a.made(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, NotAfter: ends})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(a.t, err)
	return &Auth{
		Type:        AuthMTLS,
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})),
		Key:         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	}
}

// server is the certificate of a server on 127.0.0.1.
func (a *authority) server() (*x509.Certificate, *ecdsa.PrivateKey) {
	key, c := a.made(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, NotAfter: time.Now().Add(time.Hour)})
	return c, key
}

// authed registers a webhook whose endpoint asks something of its callers.
func (b *bundle) authed(url string, a *Auth) Webhook {
	b.t.Helper()
	w, _, err := b.CreateWebhook(b.t.Context(), "default", NewWebhook{Settings: Settings{URL: url, Events: []string{"*"}}, Auth: a})
	require.NoError(b.t, err)
	return w
}

func TestAuthOfEachRequest(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, withKeys(encryptionKey(1))).start()
		to := newSink(t, nil)
		w := b.authed(to.URL, &Auth{Type: AuthBasic, Username: "ünser", Password: "pa:ss-basic"})
		require.Equal(t, &Auth{Type: AuthBasic, Username: "ünser"}, w.Auth)
		require.Equal(t, w.Auth, b.hook(w).Auth)
		in := func() *http.Request { return &http.Request{Header: b.deliverTo(to).header} }
		user, password, ok := in().BasicAuth()
		require.True(t, ok)
		require.Equal(t, "ünser", user)
		require.Equal(t, "pa:ss-basic", password)

		w = b.update(w, WebhookUpdate{Auth: &Auth{Type: AuthBearer, Token: "bearer-token-1"}})
		require.Equal(t, &Auth{Type: AuthBearer}, w.Auth)
		require.Equal(t, []string{"Bearer bearer-token-1"}, in().Header["Authorization"])
		b.update(w, WebhookUpdate{Auth: &Auth{Type: AuthBearer}, Change: func(to *Webhook) error { to.Description = "as GET shows it"; return nil }})
		require.Equal(t, []string{"Bearer bearer-token-1"}, in().Header["Authorization"])
		b.update(w, WebhookUpdate{Auth: &Auth{Type: AuthBearer, Token: "bearer-token-2"}})
		require.Equal(t, []string{"Bearer bearer-token-2"}, in().Header["Authorization"])
		stored := everything(t, store)
		for _, secret := range []string{"pa:ss-basic", "bearer-token"} {
			require.NotContains(t, stored, secret)
		}
		require.Nil(t, b.update(w, WebhookUpdate{Auth: &Auth{}}).Auth)
		require.Empty(t, in().Header["Authorization"])
		require.Nil(t, b.hook(w).Auth)
	})
}

func TestAuthIsRefused(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) { o.Config.AllowNetworks = nil })
	ca := newAuthority(t)
	good, other := ca.client("good", time.Now().Add(time.Hour)), ca.client("other", time.Now().Add(time.Hour))
	oauth := func(change func(a *Auth)) Auth {
		a := Auth{Type: AuthOAuth2, TokenURL: "https://auth.example.com/token", ClientID: "c", ClientSecret: "s"}
		change(&a)
		return a
	}
	for name, row := range map[string]struct {
		a     Auth
		code  Code
		field string
	}{
		"no such type":              {Auth{Type: "digest"}, CodeInvalidField, "auth.type"},
		"no type":                   {Auth{Token: "x"}, CodeInvalidField, "auth.type"},
		"basic without a password":  {Auth{Type: AuthBasic, Username: "u"}, CodeInvalidField, "auth.password"},
		"basic without a user":      {Auth{Type: AuthBasic, Password: "p"}, CodeInvalidField, "auth.username"},
		"a colon in the user":       {Auth{Type: AuthBasic, Username: "u:v", Password: "p"}, CodeInvalidField, "auth.username"},
		"a line end in a password":  {Auth{Type: AuthBasic, Username: "u", Password: "p\r\nX-Y: z"}, CodeInvalidField, "auth.password"},
		"a line end in a token":     {Auth{Type: AuthBearer, Token: "t\nX: y"}, CodeInvalidField, "auth.token"},
		"no token":                  {Auth{Type: AuthBearer}, CodeInvalidField, "auth.token"},
		"a field of another type":   {Auth{Type: AuthBearer, Token: "t", Password: "p"}, CodeInvalidField, "auth.password"},
		"a token URL by http to us": {oauth(func(a *Auth) { a.TokenURL = "http://127.0.0.1/token" }), CodeUnsafeURL, "auth.tokenUrl"},
		"a private token URL":       {oauth(func(a *Auth) { a.TokenURL = "https://10.0.0.1/token" }), CodeUnsafeURL, "auth.tokenUrl"},
		"a metadata service":        {oauth(func(a *Auth) { a.TokenURL = "https://169.254.169.254/token" }), CodeUnsafeURL, "auth.tokenUrl"},
		"a token URL with a user":   {oauth(func(a *Auth) { a.TokenURL = "https://a:b@auth.example.com/" }), CodeInvalidField, "auth.tokenUrl"},
		"no client secret":          {oauth(func(a *Auth) { a.ClientSecret = "" }), CodeInvalidField, "auth.clientSecret"},
		"a scope with a quote":      {oauth(func(a *Auth) { a.Scope = `a"b` }), CodeInvalidField, "auth.scope"},
		"no certificate":            {Auth{Type: AuthMTLS, Certificate: "x", Key: good.Key}, CodeInvalidField, "auth.certificate"},
		"no key":                    {Auth{Type: AuthMTLS, Certificate: good.Certificate, Key: "x"}, CodeInvalidField, "auth.key"},
		"another one's key":         {Auth{Type: AuthMTLS, Certificate: good.Certificate, Key: other.Key}, CodeInvalidField, "auth.key"},
		"a certificate that ended":  {*ca.client("old", time.Now().Add(-time.Hour)), CodeInvalidField, "auth.certificate"},
	} {
		_, _, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: "https://hooks.example.com/", Events: []string{"*"}}, Auth: &row.a})
		require.Error(t, err, name)
		require.Contains(t, []Code{row.code, CodeUnsafeURL}, err.(*Error).Code, name)
		require.Equal(t, row.field, err.(*Error).Field, name)
		for _, list := range authFields {
			for _, f := range list {
				if value := *f.value(&row.a); len(value) > 8 && f.isSecret {
					require.NotContains(t, err.Error(), value, name)
				}
			}
		}
	}
}

// TestAuthContradictions: what would set one header twice, or show a certificate to nobody, is refused whichever came first.
func TestAuthContradictions(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	bearer, mtls := &Auth{Type: AuthBearer, Token: "t"}, newAuthority(t).client("us", time.Now().Add(time.Hour))
	header := map[string]string{"authorization": "Token x"}
	create := func(url string, a *Auth, headers map[string]string) (Webhook, error) {
		w, _, err := b.CreateWebhook(t.Context(), "default", NewWebhook{Settings: Settings{URL: url, Events: []string{"*"}}, Auth: a, Headers: headers})
		return w, err
	}
	_, err := create("https://hooks.example.com/", bearer, header)
	requireError(t, err, CodeInvalidField, "auth")
	_, err = create("http://127.0.0.1:1/", mtls, nil)
	requireError(t, err, CodeInvalidField, "auth")
	_, err = create("https://hooks.example.com/", mtls, header)
	require.NoError(t, err, "a certificate and a header go together")

	move := func(url string) func(*Webhook) error { return func(w *Webhook) error { w.URL = url; return nil } }
	for name, row := range map[string]struct {
		auth    *Auth
		headers map[string]string
		u       WebhookUpdate
	}{
		"a header beside a token":        {bearer, nil, WebhookUpdate{Headers: &map[string]string{"AUTHORIZATION": "x"}}},
		"a token beside a header":        {nil, header, WebhookUpdate{Auth: bearer}},
		"http with a certificate":        {mtls, nil, WebhookUpdate{Change: move("http://127.0.0.1:1/")}},
		"both at once":                   {nil, nil, WebhookUpdate{Auth: bearer, Headers: &header}},
		"a certificate and http at once": {nil, nil, WebhookUpdate{Auth: mtls, Change: move("http://127.0.0.1:1/")}},
	} {
		w, err := create("https://hooks.example.com/", row.auth, row.headers)
		require.NoError(t, err, name)
		_, err = b.UpdateWebhook(t.Context(), "default", w.ID, row.u)
		require.Error(t, err, name)
		requireError(t, err, CodeInvalidField, "auth")
		require.Equal(t, w, b.hook(w), name)
	}
	w, err := create("https://hooks.example.com/", nil, header)
	require.NoError(t, err)
	b.update(w, WebhookUpdate{Auth: bearer, Headers: &map[string]string{}}) // one for the other
}

// TestAuthMTLS: each webhook's own certificate is shown, from the attempt after a change on, and none where there is none.
func TestAuthMTLS(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	names := make(chan string, 100)
	to := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		name := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			name = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		names <- name
	}))
	roots := x509.NewCertPool()
	roots.AddCert(ca.certificate)
	to.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: roots}
	to.Config.ErrorLog = log.New(io.Discard, "", 0)
	to.EnableHTTP2 = true
	to.StartTLS()
	t.Cleanup(to.Close)
	server := x509.NewCertPool()
	server.AddCert(to.Certificate())
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), func(o *Options) {
		policy := &destination.Policy{AllowHTTP: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
		transport := destination.NewTransport(policy, destination.TransportOptions{TLSConfig: &tls.Config{RootCAs: server}})
		o.Transport = transport
	}).start()
	hour := time.Now().Add(time.Hour)
	first, second := ca.client("first", hour), ca.client("second", hour)
	sent := func(w Webhook) string {
		p, err := b.TestWebhook(t.Context(), "default", w.ID)
		require.NoError(t, err)
		b.reaches(p, StateSucceeded)
		return <-names
	}
	a, c, none := b.authed(to.URL, first), b.authed(to.URL, second), b.authed(to.URL, nil)
	require.Equal(t, first.Certificate, a.Auth.Certificate)
	require.Empty(t, a.Auth.Key)
	for range 2 { // the second time over kept connections
		require.Equal(t, "first", sent(a))
		require.Equal(t, "second", sent(c))
		require.Equal(t, "nobody", sent(none))
	}
	b.update(a, WebhookUpdate{Auth: second})
	require.Equal(t, "second", sent(a))
	text, err := json.Marshal(b.hook(a))
	require.NoError(t, err)
	require.NotContains(t, string(text), "PRIVATE KEY")
}
