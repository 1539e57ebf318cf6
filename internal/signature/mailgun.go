package signature

import (
	"time"
)

// mailgun is the scheme of Mailgun. The signature in the body covers a timestamp and a token beside it, and nothing of the event. The token
// is used as the ID, because it is signed and each has only one event.
type mailgun struct {
	inBody
	keys   []key
	window window
}

func newMailgun(r *row, c Config) (scheme, error) {
	keys, err := r.keys(c)
	if err != nil {
		return nil, err
	}
	return &mailgun{keys: keys, window: r.window(c)}, nil
}

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
	signed := []byte(stamp + token)
	res := Result{ID: token, IDSigned: true, Timestamp: stamp}
	if res.Secret = signedBy(s.keys, d.bytes(), signed); res.Secret < 0 {
		return Result{}, errMismatch
	}
	// The two are signed without a separator. The window also keeps an attacker from moving digits between them.
	if err := s.window.check(ms, precision, now); err != nil {
		return Result{}, err
	}
	if s.window.off {
		res.Content = signed // the border between the two could be moved
	}
	res.Event = field("event")
	return res, nil
}
