package signature

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const paypalCertURL = "https://api.paypal.com/v1/notifications/certs/CERT-1"

// paypalRequest signs a request as PayPal does.
func paypalRequest(t *testing.T, key *rsa.PrivateKey, address, body string) *Request {
	t.Helper()
	at := noon.Format(time.RFC3339)
	sum := sha256.Sum256(fmt.Appendf(nil, "transmission|%s|WH-1|%d", at, crc32.ChecksumIEEE([]byte(body))))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	require.NoError(t, err)
	h := http.Header{}
	for name, value := range map[string]string{paypalID: "transmission", paypalTime: at, paypalCert: address, paypalAlg: "SHA256withRSA",
		paypalSig: base64.StdEncoding.EncodeToString(signature)} {
		h.Set(name, value)
	}
	return &Request{Method: http.MethodPost, Header: h, Body: []byte(body)}
}

func TestPayPal(t *testing.T) {
	t.Parallel()
	key, text := certificate(t)
	web := &site{pages: map[string]string{paypalCertURL: text}}
	v, err := New(Config{Scheme: "paypal", Options: map[string]string{"webhook_id": "WH-1"}, Transport: web})
	require.NoError(t, err)
	body := `{"id":"WH-7","event_type":"PAYMENT.SALE.COMPLETED"}`
	res, err := v.Verify(paypalRequest(t, key, paypalCertURL, body), noon)
	require.NoError(t, err)
	require.Equal(t, "WH-7", res.ID)
	require.False(t, res.IDSigned, "a CRC-32 binds nothing")
	require.Equal(t, "PAYMENT.SALE.COMPLETED", res.Event)
	require.NotContains(t, string(res.Content), noon.Format(time.RFC3339), "a time is no part of the identity")

	for name, change := range map[string]func(*Request){
		"another body":            func(r *Request) { r.Body = []byte(`{}`) },
		"another transmission":    func(r *Request) { r.Header.Set(paypalID, "other") },
		"another time":            func(r *Request) { r.Header.Set(paypalTime, noon.Add(time.Second).Format(time.RFC3339)) },
		"no time":                 func(r *Request) { r.Header.Set(paypalTime, "soon") },
		"another algorithm":       func(r *Request) { r.Header.Set(paypalAlg, "SHA1withRSA") },
		"a border that was moved": func(r *Request) { r.Header.Set(paypalID, "transmission|"+noon.Format(time.RFC3339)) },
		"no signature":            func(r *Request) { r.Header.Del(paypalSig) },
		"two signatures":          func(r *Request) { r.Header.Add(paypalSig, "x") },
		"another host":            func(r *Request) { r.Header.Set(paypalCert, strings.Replace(paypalCertURL, "api.", "evil.", 1)) },
		"a longer host": func(r *Request) {
			r.Header.Set(paypalCert, strings.Replace(paypalCertURL, ".com", ".com.evil.example", 1))
		},
		"plain http":   func(r *Request) { r.Header.Set(paypalCert, strings.Replace(paypalCertURL, "https", "http", 1)) },
		"a port":       func(r *Request) { r.Header.Set(paypalCert, strings.Replace(paypalCertURL, ".com/", ".com:8443/", 1)) },
		"another path": func(r *Request) { r.Header.Set(paypalCert, "https://api.paypal.com/evil") },
		"a query":      func(r *Request) { r.Header.Set(paypalCert, paypalCertURL+"?x=y") },
	} {
		r := paypalRequest(t, key, paypalCertURL, body)
		change(r)
		_, err := v.Verify(r, noon)
		require.Error(t, err, name)
	}
	require.Equal(t, 1, web.requests(), "only PayPal's own certificate was asked for, and once")

	for name, options := range map[string]map[string]string{
		"no webhook": {}, "a bar in it": {"webhook_id": "a|b"}, "two sources": {"webhook_id": "WH-1", "cert_pem": text, "certs": "{}"},
		"a certificate that is none": {"webhook_id": "WH-1", "cert_pem": "x"},
	} {
		_, err := New(Config{Scheme: "paypal", Options: options})
		require.ErrorIs(t, err, ErrOption, name)
	}
}

// TestCertificatesOfOthersMakeFewRequests: strangers who name addresses that are down, slow, huge, or no certificate cost some requests
// a minute, and what is known goes on being verified.
func TestCertificatesOfOthersMakeFewRequests(t *testing.T) {
	t.Parallel()
	key, text := certificate(t)
	other, otherText := certificate(t)
	web := &site{pages: map[string]string{paypalCertURL: text, paypalCertURL + "-huge": text + strings.Repeat("x", maxFetch), paypalCertURL + "-page": "<html>", paypalCertURL + "-2": otherText}}
	v, err := New(Config{Scheme: "paypal", Options: map[string]string{"webhook_id": "WH-1"}, Transport: web})
	require.NoError(t, err)
	_, err = v.Verify(paypalRequest(t, key, paypalCertURL, "{}"), noon)
	require.NoError(t, err)
	for i := range 100 {
		for _, address := range []string{paypalCertURL + "-huge", paypalCertURL + "-page", fmt.Sprint(paypalCertURL, "-missing-", i)} {
			_, err := v.Verify(paypalRequest(t, key, address, "{}"), noon)
			requireReason(t, ReasonMismatch, err)
		}
	}
	require.LessOrEqual(t, web.requests(), 1+maxTries)
	_, err = v.Verify(paypalRequest(t, key, paypalCertURL, "{}"), noon)
	require.NoError(t, err, "what is known needs nobody")

	// Rotation: a new one is fetched as soon as there is room for it.
	_, err = v.Verify(paypalRequest(t, other, paypalCertURL+"-2", "{}"), noon.Add(triesPause))
	require.NoError(t, err)
	_, err = v.Verify(paypalRequest(t, key, paypalCertURL+"-2", "{}"), noon.Add(triesPause))
	requireReason(t, ReasonMismatch, err)
}

// TestCertificatesMakeRoom: strangers who name every certificate that the provider ever published push out none that verified something.
func TestCertificatesMakeRoom(t *testing.T) {
	t.Parallel()
	key, text := certificate(t)
	web := &site{pages: map[string]string{}}
	for i := range 3 * maxCertificates {
		web.pages[fmt.Sprint(paypalCertURL, "-", i)] = text
	}
	web.pages[paypalCertURL] = text
	v, err := New(Config{Scheme: "paypal", Options: map[string]string{"webhook_id": "WH-1"}, Transport: web})
	require.NoError(t, err)
	_, err = v.Verify(paypalRequest(t, key, paypalCertURL, "{}"), noon)
	require.NoError(t, err)
	stranger, _ := certificate(t)
	now := noon
	for i := range 3 * maxCertificates {
		now = now.Add(triesPause)
		_, err := v.Verify(paypalRequest(t, stranger, fmt.Sprint(paypalCertURL, "-", i), "{}"), now)
		requireReason(t, ReasonMismatch, err)
	}
	asked := web.requests()
	_, err = v.Verify(paypalRequest(t, key, paypalCertURL, "{}"), now)
	require.NoError(t, err)
	require.Equal(t, asked, web.requests())
	_, err = v.Verify(paypalRequest(t, key, paypalCertURL+"-0", "{}"), now.Add(triesPause))
	require.NoError(t, err, "there is always room for another one")
}
