package signature

import (
	"crypto"
	"crypto/sha256"
	"hash/crc32"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// paypalHost matches the hosts where PayPal publishes its certificates: those of the API and of its sandbox.
const paypalHost = `^api(-m)?(\.sandbox)?\.paypal\.com$`

// paypal is the scheme of PayPal, which signs the ID and the time of the transmission, the ID of the webhook, and the CRC-32 of the body.
// The request names the address of the certificate, which must be on one of PayPal's own hosts.
type paypal struct {
	inBody
	webhook string
	certs   *certificates
}

func newPayPal(r *row, c Config) (scheme, error) {
	s := &paypal{webhook: c.Options["webhook_id"]}
	if s.webhook == "" || strings.Contains(s.webhook, "|") {
		return nil, badOption("webhook_id", "the scheme paypal needs it, as PayPal shows it: every app's messages are signed by the same keys")
	}
	if len(c.Secrets) > 0 {
		return nil, badSecret(0, "the scheme paypal has none: its certificate is fetched from PayPal")
	}
	var err error
	s.certs, err = newCertificates(c, newFetcher(c, r.hosts), func(address string) bool {
		u, err := url.Parse(address)
		return err == nil && allowedURL(address, r.hosts) && u.RawQuery == "" && strings.HasPrefix(u.Path, "/v1/notifications/certs/")
	})
	return s, err
}

const (
	paypalID   = "Paypal-Transmission-Id"
	paypalTime = "Paypal-Transmission-Time"
	paypalSig  = "Paypal-Transmission-Sig"
	paypalCert = "Paypal-Cert-Url"
	paypalAlg  = "Paypal-Auth-Algo"
)

func (s *paypal) check(h http.Header, _ time.Time) error {
	for _, name := range []string{paypalSig, paypalID, paypalTime, paypalCert, paypalAlg} {
		value, err := soleHeader(h, name)
		if err != nil {
			return err
		}
		if name != paypalCert && strings.Contains(value, "|") {
			return malformed(name, "has a | in it") // it separates the signed parts, so their borders could be moved
		}
	}
	if !strings.EqualFold(h.Get(paypalAlg), "SHA256withRSA") {
		return malformed(paypalAlg, "is not SHA256withRSA")
	}
	if _, err := time.Parse(time.RFC3339, h.Get(paypalTime)); err != nil {
		return malformed(paypalTime, "is no time")
	}
	return nil
}

func (s *paypal) verify(r *Request, now time.Time) (Result, error) {
	if err := s.check(r.Header, now); err != nil {
		return Result{}, err
	}
	var d decoded
	if !encBase64.decodeLong(&d, r.Header.Get(paypalSig)) {
		return Result{}, malformed(paypalSig, "is not base64")
	}
	id, at := r.Header.Get(paypalID), r.Header.Get(paypalTime)
	crc := strconv.FormatUint(uint64(crc32.ChecksumIEEE(r.Body)), 10)
	digest := sha256.Sum256([]byte(id + "|" + at + "|" + s.webhook + "|" + crc))
	if err := s.certs.verify(r.Header.Get(paypalCert), now, crypto.SHA256, digest[:], d.bytes()); err != nil {
		return Result{}, err
	}
	// Whoever has one request can make other bodies with the same CRC-32. So the event is identified by what was signed, never by the body.
	res := Result{BodySigned: true, Timestamp: at, Content: []byte(id + "|" + s.webhook + "|" + crc)}
	if event, _ := Field(r.Body, "/event_type"); printable(event) {
		res.Event = event
	}
	if id, _ := Field(r.Body, "/id"); printable(id) {
		res.ID = id
	}
	return res, nil
}
