package signature

import (
	"context"
	"crypto"
	"errors"
	"net/url"
	"strings"
	"time"
)

// snsHost matches the hosts where Amazon publishes certificates and receives confirmations. No customer of Amazon can have such a name.
const snsHost = `^sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$`

// sns is the scheme of Amazon SNS. The body has the signature and the address of the certificate, which must be on one of Amazon's own
// hosts. Each field is signed on a line of its own, so only the message itself may have several lines.
type sns struct {
	inBody
	row     *row
	topic   string
	version string // that the signature must have; empty: any
	fetch   fetcher
	certs   *certificates
}

// maxSNSNames is how many names a message may have, which is parsed before its signature is verified.
const maxSNSNames = 100

func newSNS(r *row, c Config) (scheme, error) {
	s := &sns{row: r, topic: c.Options["topic_arn"], version: c.Options["signature_version"], fetch: newFetcher(c, r.hosts)}
	if s.topic == "" {
		return nil, badOption("topic_arn", "the scheme aws-sns needs it: the messages of every topic of anyone are signed by the same keys")
	}
	if s.version != "" && s.version != "1" && s.version != "2" {
		return nil, badOption("signature_version", "%q is neither 1 nor 2", s.version)
	}
	if len(c.Secrets) > 0 {
		return nil, badSecret(0, "the scheme aws-sns has none: its certificate is fetched from Amazon")
	}
	var err error
	s.certs, err = newCertificates(c, s.fetch, func(address string) bool {
		u, err := url.Parse(address)
		return err == nil && allowedURL(address, r.hosts) && u.RawQuery == "" && strings.HasSuffix(u.Path, ".pem")
	})
	return s, err
}

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
	h := hash.New()
	h.Write(signed)
	if err := s.certs.verify(text("SigningCertURL"), now, hash, h.Sum(nil), d.bytes()); err != nil {
		return Result{}, err
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

var errConfirm = errors.New("the address for confirming is not one of Amazon's")

// confirm confirms a verified SubscriptionConfirmation by a request to the address that it names.
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
