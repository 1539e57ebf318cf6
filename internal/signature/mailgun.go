package signature

import (
	"crypto/hmac"
	"net/http"
	"time"
)

// mailgun checks the signature in a Mailgun body. It covers a timestamp and a token that stand beside it, and
// nothing of the event. The token is the ID: it is signed and used once.
type mailgun struct {
	row    *row
	keys   []key
	window window
}

func newMailgun(r *row, c Config) (scheme, error) {
	keys, err := r.keys(c)
	if err != nil {
		return nil, err
	}
	return &mailgun{r, keys, r.window(c)}, nil
}

// check has nothing to look at before the body is there.
func (s *mailgun) check(http.Header, time.Time) error { return nil }

func (s *mailgun) verify(r *Request, now time.Time) (Result, error) {
	var parts [3]string
	field := mailgunFields(r)
	for i, name := range [...]string{"timestamp", "token", "signature"} {
		if parts[i] = field(name); parts[i] == "" {
			return Result{}, missing(name + " in the body's signature")
		}
	}
	stamp, token := parts[0], parts[1]
	var d decoded
	if !encHex.decode(&d, parts[2]) || !s.keys[0].fits(&d) {
		return Result{}, malformed("the signature in the body", "is not hexadecimal of the right length")
	}
	ms, precision, ok := unitSeconds.parse(stamp)
	if !ok {
		return Result{}, malformed("the timestamp in the body", "is not a number")
	}
	for i, k := range s.keys {
		m := k.mac.get()
		m.writeString(stamp)
		m.writeString(token)
		equal := hmac.Equal(m.total(), d.bytes())
		k.mac.put(m)
		if !equal {
			continue
		}
		// The two are signed without a separator: the window is also what keeps digits from moving between them.
		if err := s.window.check(ms, precision, now); err != nil {
			return Result{}, err
		}
		res := Result{Secret: i, ID: token, IDSigned: true, Timestamp: stamp}
		if s.window.off {
			res.Content = []byte(stamp + token) // nothing else keeps the border between the two
		}
		res.Event = field("event")
		return res, nil
	}
	return Result{}, errMismatch
}

func (s *mailgun) sign(r *Request, _ string, now time.Time) (http.Header, error) {
	return signedInBody(s, r, now)
}
