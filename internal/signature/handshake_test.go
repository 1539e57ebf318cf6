package signature

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// site is a transport that answers from memory.
type site struct {
	mu    sync.Mutex
	asked []string
	pages map[string]string
	down  bool
}

func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.String())
	if s.down {
		return nil, errors.New("down")
	}
	text, ok := s.pages[r.URL.String()]
	status := http.StatusOK
	if !ok {
		status = http.StatusNotFound
	}
	if strings.HasPrefix(text, "https://") {
		return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {text}}, Body: http.NoBody, Request: r}, nil
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

func (s *site) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func (s *site) set(change func(s *site)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

const (
	topic   = "arn:aws:sns:us-east-1:1:t"
	certURL = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem"
)

// snsMessage signs a message of SNS.
func snsMessage(t *testing.T, key *rsa.PrivateKey, fields map[string]string) []byte {
	names := snsNotification
	if fields["Type"] != "Notification" {
		names = snsConfirmation
	}
	var text bytes.Buffer
	for _, name := range names {
		if fields[name] != "" {
			text.WriteString(name + "\n" + fields[name] + "\n")
		}
	}
	sum := sha256.Sum256(text.Bytes())
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	require.NoError(t, err)
	fields["Signature"] = base64.StdEncoding.EncodeToString(signature)
	fields["SignatureVersion"] = "2"
	if fields["SigningCertURL"] == "" {
		fields["SigningCertURL"] = certURL
	}
	body, err := json.Marshal(fields)
	require.NoError(t, err)
	return body
}

func certificate(t *testing.T) (*rsa.PrivateKey, string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: noon.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// TestSNSConfirms: a right confirmation is confirmed at the address it names, which has to be Amazon's; a forged one goes nowhere.
func TestSNSConfirms(t *testing.T) {
	t.Parallel()
	key, text := certificate(t)
	confirm := "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + topic + "&Token=x"
	web := &site{pages: map[string]string{certURL: text, confirm: "<xml/>"}}
	v, err := New(Config{Scheme: "aws-sns", Options: map[string]string{"topic_arn": topic}, Transport: web})
	require.NoError(t, err)
	fields := func(kind, address string) map[string]string {
		return map[string]string{"Type": kind, "Message": "m", "MessageId": "1", "Timestamp": "2026-09-21T14:13:20.000Z", "TopicArn": topic, "Token": "x", "SubscribeURL": address}
	}
	ask := func(body []byte) (*Answer, error) {
		r := &Request{Method: "POST", Header: http.Header{}, Body: body}
		if _, err := v.Verify(r, noon); err != nil {
			return nil, err
		}
		a, _ := v.Challenge(r, "")
		return a, nil
	}
	a, err := ask(snsMessage(t, key, fields("SubscriptionConfirmation", confirm)))
	require.NoError(t, err)
	require.Equal(t, 200, a.Status)
	require.Equal(t, []string{certURL, confirm}, web.asked)

	for _, address := range []string{"https://evil.example/?Action=ConfirmSubscription&TopicArn=" + topic, strings.Replace(confirm, "https", "http", 1),
		"https://sns.us-east-1.amazonaws.com.evil.example/?Action=ConfirmSubscription&TopicArn=" + topic, "https://sns.us-east-1.amazonaws.com@evil.example/?Action=ConfirmSubscription&TopicArn=" + topic,
		"https://sns.us-east-1.amazonaws.com:8443/?Action=ConfirmSubscription&TopicArn=" + topic, "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&TopicArn=" + topic} {
		a, err := ask(snsMessage(t, key, fields("SubscriptionConfirmation", address)))
		require.NoError(t, err)
		require.Equal(t, 502, a.Status, address)
	}
	other, _ := certificate(t)
	_, err = ask(snsMessage(t, other, fields("SubscriptionConfirmation", confirm)))
	requireReason(t, ReasonMismatch, err)
	foreign := fields("Notification", "")
	foreign["TopicArn"] = "arn:aws:sns:us-east-1:2:t"
	_, err = ask(snsMessage(t, key, foreign))
	requireReason(t, ReasonMismatch, err)
	require.Equal(t, 2, web.requests(), "nothing else was asked")

	// The border between fields can't be moved into the message ID.
	broken := fields("Notification", "")
	broken["MessageId"] = "1\nSubject\nx"
	_, err = ask(snsMessage(t, key, broken))
	requireReason(t, ReasonMalformed, err)
}

// TestSNSFetchesLittle: certificates that strangers name make few requests, and only to Amazon.
func TestSNSFetchesLittle(t *testing.T) {
	t.Parallel()
	key, text := certificate(t)
	web := &site{pages: map[string]string{certURL: text}, down: true}
	v, err := New(Config{Scheme: "aws-sns", Options: map[string]string{"topic_arn": topic}, Transport: web})
	require.NoError(t, err)
	message := func(address string) *Request {
		return &Request{Header: http.Header{}, Body: snsMessage(t, key, map[string]string{"Type": "Notification", "Message": "m", "MessageId": "1", "Timestamp": "t", "TopicArn": topic, "SigningCertURL": address})}
	}
	for _, address := range []string{"https://evil.example/a.pem", "http://sns.us-east-1.amazonaws.com/a.pem", "https://evil.s3.amazonaws.com/a.pem", "https://sns.us-east-1.amazonaws.com/a.txt", "https://sns.us-east-1.amazonaws.com/a.pem?x", "file:///etc/a.pem", "%zz"} {
		_, err := v.Verify(message(address), noon)
		requireReason(t, ReasonMismatch, err)
	}
	require.Zero(t, web.requests())
	for range 5 {
		_, err = v.Verify(message(certURL), noon)
		requireReason(t, ReasonMismatch, err)
	}
	require.Equal(t, 1, web.requests())
	web.set(func(s *site) { s.down = false })
	_, err = v.Verify(message(certURL), noon.Add(time.Minute))
	require.NoError(t, err)
	web.set(func(s *site) { s.down = true })
	_, err = v.Verify(message(certURL), noon.Add(24*time.Hour))
	require.NoError(t, err, "a known certificate needs nobody")
}

// TestKeysAreFetchedSparingly: a set of keys is asked for once, again at an unknown key at most once a minute, and the last good one stays
// while its address is down, slow, wrong or hostile.
func TestKeysAreFetchedSparingly(t *testing.T) {
	t.Parallel()
	one, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	two, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	set := func(keys map[string]*rsa.PrivateKey) string {
		var all jose.JSONWebKeySet
		for kid, key := range keys {
			all.Keys = append(all.Keys, jose.JSONWebKey{Key: &key.PublicKey, KeyID: kid, Algorithm: "RS256", Use: "sig"})
		}
		text, err := json.Marshal(all)
		require.NoError(t, err)
		return string(text)
	}
	const address = "https://issuer.example/jwks"
	web := &site{pages: map[string]string{address: set(map[string]*rsa.PrivateKey{"1": one})}}
	v, err := New(Config{Scheme: "jwt", Options: map[string]string{"jwks": address, "audience": "us", "issuer": "them"}, Transport: web})
	require.NoError(t, err)
	token := func(kid string, key *rsa.PrivateKey, issuer string, now time.Time) *Request {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
		require.NoError(t, err)
		payload, err := json.Marshal(map[string]any{"aud": []string{"us"}, "iss": issuer, "exp": now.Add(time.Minute).Unix()})
		require.NoError(t, err)
		jws, err := signer.Sign(payload)
		require.NoError(t, err)
		text, err := jws.CompactSerialize()
		require.NoError(t, err)
		return &Request{Header: headers("Authorization", "Bearer "+text)}
	}
	check := func(kid string, key *rsa.PrivateKey, now time.Time) error {
		_, err := v.Verify(token(kid, key, "them", now), now)
		return err
	}
	require.NoError(t, check("1", one, noon))
	require.NoError(t, check("1", one, noon.Add(30*time.Minute)))
	require.Equal(t, 1, web.requests())

	// Rotated: an unknown key is looked for, but not for everyone who names one.
	web.set(func(s *site) { s.pages[address] = set(map[string]*rsa.PrivateKey{"1": one, "2": two}) })
	require.NoError(t, check("2", two, noon.Add(31*time.Minute)))
	require.Equal(t, 2, web.requests())
	for range 10 {
		requireReason(t, ReasonMismatch, check("3", two, noon.Add(31*time.Minute+30*time.Second)))
	}
	require.Equal(t, 2, web.requests())
	requireReason(t, ReasonMismatch, check("3", two, noon.Add(33*time.Minute)))
	require.Equal(t, 3, web.requests())

	// Down, or answering nonsense: what is known stays.
	for i, change := range []func(s *site){
		func(s *site) { s.down = true },
		func(s *site) { s.down, s.pages[address] = false, "{}" },
		func(s *site) { s.pages[address] = "https://evil.example/jwks" },
		func(s *site) { s.pages[address] = strings.Repeat("x", maxFetch+1) },
	} {
		web.set(change)
		now := noon.Add(time.Duration(10+i) * time.Hour)
		before := web.requests()
		requireReason(t, ReasonMismatch, check("4", two, now))
		require.Equal(t, before+1, web.requests(), "no redirect is followed")
		require.NoError(t, check("1", one, now))
	}
	_, err = v.Verify(token("1", one, "others", noon), noon)
	requireReason(t, ReasonMismatch, err)
	requireReason(t, ReasonMismatch, check("1", two, noon))
}

// TestFetchingSchemesStayWithTheirProvider: options can't send a provider's scheme elsewhere.
func TestFetchingSchemesStayWithTheirProvider(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"another host":     {Scheme: "fireblocks", Options: map[string]string{"jwks": "https://evil.example/jwks"}},
		"by http":          {Scheme: "jwt", Options: map[string]string{"jwks": "http://issuer.example/jwks", "audience": "us", "issuer": "them"}},
		"no audience":      {Scheme: "jwt", Options: map[string]string{"jwks": "https://issuer.example/jwks", "issuer": "them"}},
		"no issuer":        {Scheme: "jwt", Options: map[string]string{"jwks": "https://issuer.example/jwks", "audience": "us"}},
		"a secret's alg":   {Scheme: "jwt", Options: map[string]string{"jwks": "https://issuer.example/jwks", "audience": "us", "issuer": "them", "alg": "HS256"}},
		"no audience here": {Scheme: "jwt", Secrets: []string{"s"}},
		"alg none":         {Scheme: "jwt", Secrets: []string{"s"}, Options: map[string]string{"alg": "none", "audience": "us"}},
		"no topic":         {Scheme: "aws-sns"},
		"no email":         {Scheme: "google-pubsub", Options: map[string]string{"audience": "us"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(c)
			require.ErrorIs(t, err, ErrOption)
		})
	}
}

func TestWebSubConfirmsItsTopicOnly(t *testing.T) {
	t.Parallel()
	const feed = "https://www.youtube.com/xml/feeds/videos.xml?channel_id=UC1"
	v, err := New(Config{Scheme: "websub", Secrets: []string{"s"}, Options: map[string]string{"topic": feed, "alg": "sha1"}})
	require.NoError(t, err)
	ask := func(mode, topic string) *Answer {
		r := &Request{Method: "GET", URL: "/in?hub.mode=" + mode + "&hub.challenge=abc123&hub.topic=" + strings.NewReplacer(":", "%3A", "/", "%2F", "?", "%3F", "=", "%3D").Replace(topic)}
		a, _ := v.UnsignedChallenge(r, "")
		return a
	}
	require.Equal(t, "abc123", string(ask("subscribe", feed).Body))
	require.Equal(t, "abc123", string(ask("unsubscribe", feed).Body))
	require.Equal(t, 404, ask("subscribe", feed+"2").Status)
	require.Nil(t, ask("denied", feed))
}
