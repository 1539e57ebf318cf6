package signature

import (
	"net/http"
	"net/textproto"
	"regexp"
	"strconv"
	"time"

	"github.com/videocloud/webhooks/config"
)

// videoCloud is our own scheme: a lower-case hexadecimal HMAC-SHA256 of the body in X-VideoCloud-Signature and, from every
// current sender, the headers of Standard Webhooks beside it, which sign the event ID and a timestamp too.
// An older sender may leave those three out; but if one of them is present, all must be present and right.
type videoCloud struct {
	keys    []key
	brand   string
	names   config.BrandHeaders // canonical
	std     *generic            // verifies the webhook-* headers
	require bool                // whether the webhook-* headers must be there
}

// The canonical names of the Standard Webhooks headers.
var standardHeaders = [...]string{"Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"}

var brandName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)

func newVideoCloud(r *row, c Config) (scheme, error) {
	brand := c.Brand
	if option, ok := c.Options["brand"]; ok {
		brand = option
	}
	setDefault(&brand, config.DefaultBrand)
	if !brandName.MatchString(brand) {
		return nil, badOption("brand", "%q can't be part of a header's name", brand)
	}
	keys, err := r.keys(c)
	if err != nil {
		return nil, err
	}
	s := &videoCloud{keys: keys, brand: brand, names: canonicalBrand(brand), require: c.RequireTimestamp}
	// With an explicit encoding both signatures use the same key. Otherwise the standard one alone decodes what follows whsec_.
	standard := *table()["standard"]
	standard.secret, standard.eventJSON = secAuto, nil
	s.std, err = newGeneric(&standard, Config{
		Secrets: c.Secrets, Options: selectOptions(c.Options, "secret_encoding"), Tolerance: c.Tolerance, ToleranceOff: c.ToleranceOff,
	})
	return s, err
}

// selectOptions returns those of the options that have one of the names.
func selectOptions(options map[string]string, names ...string) map[string]string {
	var own map[string]string
	for _, name := range names {
		if value, ok := options[name]; ok {
			if own == nil {
				own = map[string]string{}
			}
			own[name] = value
		}
	}
	return own
}

// canonicalBrand returns the header names of a brand in the canonical spelling, by which http.Header has them.
func canonicalBrand(brand string) config.BrandHeaders {
	names := config.HeadersFor(brand)
	for _, name := range []*string{&names.Signature, &names.Event, &names.EventID, &names.Attempt} {
		*name = textproto.CanonicalMIMEHeaderKey(*name)
	}
	return names
}

func (s *videoCloud) check(h http.Header, now time.Time) error {
	return s.read(h, now, new(parsedHeaders))
}

// read decodes our signature and, where the Standard Webhooks headers are there, reads what they say.
func (s *videoCloud) read(h http.Header, now time.Time, k *parsedHeaders) error {
	k.scheme = nil
	value, err := soleHeader(h, s.names.Signature)
	if err != nil {
		return err
	}
	if !encLowerHex.decode(&k.signature, value) || k.signature.n != s.keys[0].mac.size {
		return malformed(s.names.Signature, "is not 64 lower-case hexadecimal digits")
	}
	k.standard = s.require
	for _, name := range standardHeaders {
		_, there := h[name]
		k.standard = k.standard || there
	}
	if k.standard {
		if k.claims, err = s.std.claims(h, now); err != nil {
			return err
		}
	}
	k.scheme, k.now = s, now
	return nil
}

func (s *videoCloud) verify(r *Request, now time.Time) (Result, error) {
	k := &r.parsed
	if k.scheme != s || !k.now.Equal(now) {
		k = new(parsedHeaders)
		if err := s.read(r.Header, now, k); err != nil {
			return Result{}, err
		}
	}
	res := Result{Secret: signedBy(s.keys, k.signature.bytes(), r.Body), BodySigned: true}
	if res.Secret < 0 {
		return Result{}, errMismatch
	}
	if k.standard {
		signed, err := s.std.authenticate(&k.claims, r, now)
		if err != nil {
			return Result{}, err
		}
		res.ID, res.IDSigned, res.Timestamp = signed.ID, true, signed.Timestamp
	} else {
		res.ID = optional(r.Header, s.names.EventID)
		res.Timestamp, _ = Field(r.Body, "/timestamp")
	}
	// The header with the event's type isn't signed; the type in the body is.
	res.Event, _ = Field(r.Body, "/event")
	return res, nil
}

func (s *videoCloud) sign(r *Request, id string, now time.Time) (http.Header, error) {
	if id == "" {
		id = NewEventID()
	}
	signer, standard := VideoCloudSigner{s.keys[0].mac}, StandardSigner{s.std.keys[0].mac}
	h := http.Header{}
	h.Set(s.names.Signature, string(signer.Append(nil, r.Body)))
	h.Set(s.names.EventID, id)
	if event, ok := Field(r.Body, "/event"); ok {
		h.Set(s.names.Event, event)
	}
	h.Set(standardHeaders[0], id)
	h.Set(standardHeaders[1], strconv.FormatInt(now.Unix(), 10))
	h.Set(standardHeaders[2], string(standard.Append(nil, id, now.Unix(), r.Body)))
	return h, nil
}

// documentedNames are the names of the headers as the documentation spells them; [http.Header] spells some of them in another way.
func (s *videoCloud) documentedNames() []string {
	names := config.HeadersFor(s.brand)
	return []string{names.Signature, names.Event, names.EventID, config.HeaderWebhookID, config.HeaderWebhookTimestamp, config.HeaderWebhookSignature}
}
