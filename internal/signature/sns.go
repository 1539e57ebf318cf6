package signature

import (
	"context"
	"crypto"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// snsHost is where Amazon publishes certificates and takes confirmations: no bucket, and nobody's subdomain.
const snsHost = `^sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$`

// sns checks Amazon SNS messages. The signature is in the body, and the body says which certificate made it: one of Amazon's own
// hosts, or the message is refused. The fields are signed on lines of their own, so none but the message itself may have more than one.
type sns struct {
	row     *row
	topic   string
	version string // that has to be, or empty
	given   map[string]crypto.PublicKey
	fetch   fetcher

	mu    sync.Mutex
	keys  map[string]*rsa.PublicKey
	tried time.Time
}

// Bounds of what is fetched and parsed before the signature is known.
const (
	maxSNSNames     = 100
	maxCertificates = 32
	snsPause        = 6 * time.Second
)

func newSNS(r *row, c Config) (scheme, error) {
	s := &sns{row: r, topic: c.Options["topic_arn"], version: c.Options["signature_version"], fetch: newFetcher(c, r.hosts), keys: map[string]*rsa.PublicKey{}}
	if s.topic == "" {
		return nil, badOption("topic_arn", "the scheme aws-sns needs it: the messages of every topic of anyone are signed by the same keys")
	}
	if s.version != "" && s.version != "1" && s.version != "2" {
		return nil, badOption("signature_version", "%q is neither 1 nor 2", s.version)
	}
	if len(c.Secrets) > 0 {
		return nil, badSecret(0, "the scheme aws-sns has none: its certificate is fetched from Amazon")
	}
	text, ok := c.Options["certs"]
	if !ok {
		return s, nil
	}
	var texts map[string]string
	if err := json.Unmarshal([]byte(text), &texts); err != nil || len(texts) == 0 {
		return nil, badOption("certs", "give a JSON object with a certificate in PEM for each address")
	}
	s.given = map[string]crypto.PublicKey{}
	for address, text := range texts {
		public, why := parsePublicKey(text)
		if why != "" {
			return nil, badOption("certs", "%s: %s", address, why)
		}
		s.given[address] = public
	}
	return s, nil
}

// check has nothing to look at before the body is there.
func (s *sns) check(http.Header, time.Time) error { return nil }

// The fields that are signed, in their order.
var (
	snsNotification = []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	snsConfirmation = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
)

// snsFields are all that is read of a message.
var snsFields = []string{"Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type", "Signature", "SignatureVersion", "SigningCertURL"}

const snsSubscription = "SubscriptionConfirmation"

func (s *sns) verify(r *Request, now time.Time) (Result, error) {
	if len(r.Body) > maxParsed || distinctNames(r.Body, maxSNSNames) != nil {
		return Result{}, malformed("the message", "is not JSON with distinct names, or is too large")
	}
	fields, ok := fieldsOf(r.Body, snsFields...)
	if !ok {
		return Result{}, malformed("the message", "is no JSON object")
	}
	text := func(name string) string { return fields[name] }
	kind := text("Type")
	names := snsNotification
	if kind == snsSubscription || kind == "UnsubscribeConfirmation" {
		names = snsConfirmation
	}
	var signed []byte
	for _, name := range names {
		value := text(name)
		if value == "" && name == "Subject" {
			continue
		}
		if value == "" && name != "Message" {
			return Result{}, missing(name + " in the message")
		}
		if name != "Message" && strings.ContainsAny(value, "\r\n") {
			return Result{}, malformed(name+" in the message", "has a line break")
		}
		signed = append(append(append(append(signed, name...), '\n'), value...), '\n')
	}
	var d decoded
	if !encBase64.decodeLong(&d, text("Signature")) {
		return Result{}, malformed("the signature in the message", "is not base64")
	}
	hash, err := s.hash(text("SignatureVersion"))
	if err != nil {
		return Result{}, err
	}
	if header := r.Header.Get("X-Amz-Sns-Message-Type"); header != "" && header != kind {
		return Result{}, &Error{ReasonMismatch, "the header with the message's type says another than the body"}
	}
	if text("TopicArn") != s.topic {
		return Result{}, &Error{ReasonMismatch, "the message is of another topic than topic_arn"}
	}
	public, err := s.key(text("SigningCertURL"), now)
	if err != nil {
		return Result{}, err
	}
	h := hash.New()
	h.Write(signed)
	if rsa.VerifyPKCS1v15(public, hash, h.Sum(nil), d.bytes()) != nil {
		return Result{}, errMismatch
	}
	res := Result{BodySigned: true, Event: kind, Timestamp: text("Timestamp")}
	if id := text("MessageId"); printable(id) {
		res.ID, res.IDSigned = id, true
	}
	return res, nil
}

func (s *sns) hash(version string) (crypto.Hash, error) {
	switch {
	case s.version != "" && version != s.version:
		return 0, malformed("the signature in the message", "has another version than signature_version")
	case version == "1":
		return crypto.SHA1, nil
	case version == "2":
		return crypto.SHA256, nil
	}
	return 0, malformed("the signature in the message", "has a version that is not known")
}

// key returns the key of a certificate.
//
// Failure policy: a certificate's address never changes its content, so what was fetched once is kept. One that is not known
// yet is fetched at most every few seconds, whoever names it; meanwhile such messages are refused, and Amazon tries again.
func (s *sns) key(address string, now time.Time) (*rsa.PublicKey, error) {
	unknown := &Error{ReasonMismatch, "the certificate that the message names is not one of Amazon's, or can't be had now"}
	u, err := url.Parse(address)
	if err != nil || !allowedURL(address, s.row.hosts) || u.RawQuery != "" || !strings.HasSuffix(u.Path, ".pem") {
		return nil, unknown
	}
	if s.given != nil {
		if public, ok := s.given[address].(*rsa.PublicKey); ok {
			return public, nil
		}
		return nil, unknown
	}
	s.mu.Lock()
	public := s.keys[address]
	wait := now.Sub(s.tried) < snsPause && now.Sub(s.tried) > -snsPause
	if public != nil || wait || len(s.keys) >= maxCertificates {
		s.mu.Unlock()
		if public == nil {
			return nil, unknown
		}
		return public, nil
	}
	s.tried = now
	s.mu.Unlock()
	text, err := s.fetch.get(context.Background(), address) // for everyone who waits, not for this request alone
	if err != nil {
		return nil, unknown
	}
	parsed, _ := parsePublicKey(string(text))
	public, ok := parsed.(*rsa.PublicKey)
	if !ok || public.Size() < 256 || public.Size() > maxLong {
		return nil, unknown
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[address] = public
	return public, nil
}

var errConfirm = errors.New("the address for confirming is not one of Amazon's")

// confirm answers a verified SubscriptionConfirmation by asking the address that it names.
func (s *sns) confirm(body []byte) error {
	raw, _ := rawField(body, "/SubscribeURL")
	address, _ := scalar(raw)
	u, err := url.Parse(address)
	if err != nil || !allowedURL(address, s.row.hosts) || u.Query().Get("Action") != "ConfirmSubscription" || u.Query().Get("TopicArn") != s.topic {
		return errConfirm
	}
	_, err = s.fetch.get(context.Background(), address)
	return err
}

func (s *sns) sign(*Request, string, time.Time) (http.Header, error) { return nil, ErrCannotSign }
