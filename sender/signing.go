package sender

import (
	"time"

	"github.com/videocloud/webhooks/internal/signature"
)

// SigningEd25519 is the [Settings.Signing] of a webhook with a key pair of its own.
const SigningEd25519 = "ed25519"

// maxOldKeys is how many keys sign beside the current one. There are several where a key is rotated again within the overlap of
// the rotation before, as by a client that lost the answer: the key that receivers know must go on signing.
const maxOldKeys = 3

// oldKey is a former key pair that still signs.
type oldKey struct {
	Key   string `json:"k"` // the private key, sealed
	Until int64  `json:"u"` // unix seconds
}

// changeSigning changes which secret or key makes webhook-signature, as r.public.Signing and u say. The one before goes on
// signing beside it until the overlap ends. changed reports whether another one signs now.
func (s *Sender) changeSigning(r *record, m *meta, u *WebhookUpdate, now time.Time) (changed bool, err error) {
	wants, had := r.public.Signing == SigningEd25519, m.Key != ""
	switch {
	case u.RotateKey && !wants:
		return false, invalid("rotateKey", "rotateKey renews the key pair of signing ed25519, which this webhook does not have; give signing ed25519 too")
	case wants && had && u.Secret != nil && u.SecretOverlap > 0 && !u.RotateKey:
		return false, invalid("secretOverlap", "with signing ed25519 the secret makes one header only, which has room for one signature; leave secretOverlap out, or give rotateKey as well")
	case wants == had && !u.RotateKey:
		return false, nil
	}
	until := now.Add(u.SecretOverlap).Unix() + 1 // whole seconds: rather longer than shorter
	switch {
	case u.SecretOverlap == 0:
		m.OldSecret, m.OldSecretUntil, m.OldKeys = "", 0, nil
	case had:
		m.OldKeys = append([]oldKey{{m.Key, until}}, m.OldKeys[:min(len(m.OldKeys), maxOldKeys-1)]...)
	default:
		m.OldSecret, m.OldSecretUntil = m.Secret, until
	}
	m.Key, r.public.PublicKey = "", ""
	if !wants {
		if m.OldSecret == m.Secret { // it is the one that signs again
			m.OldSecret, m.OldSecretUntil = "", 0
		}
		return true, nil
	}
	private, public := signature.NewSigningKey()
	sealed, err := s.seal(r.Account, r.Lane, private)
	if err != nil {
		return false, err
	}
	m.Key, r.public.PublicKey = sealed, public
	return true, nil
}

// keySigner is a key pair that signs, until a time unless that is zero.
type keySigner struct {
	*signature.KeySigner
	until time.Time
}

// keySigners makes the signers of the key pairs in m, the current one first.
func (s *Sender) keySigners(lane string, m *meta) (list []keySigner, err error) {
	add := func(sealed string, until time.Time) {
		if sealed == "" || err != nil {
			return
		}
		var private string
		if private, err = s.open(m.Account, lane, sealed); err != nil {
			return
		}
		k := keySigner{until: until}
		if k.KeySigner, err = signature.NewKeySigner(private); err == nil {
			list = append(list, k)
		}
	}
	add(m.Key, time.Time{})
	for _, old := range m.OldKeys {
		add(old.Key, time.Unix(old.Until, 0))
	}
	return list, err
}

// appendSignatures appends the value of webhook-signature: the current signature, then those of former keys or secrets.
func (e *endpoint) appendSignatures(buf []byte, id string, now time.Time, body ...[]byte) []byte {
	start := len(buf)
	space := func() {
		if len(buf) > start {
			buf = append(buf, ' ')
		}
	}
	at := now.Unix()
	if e.standard != nil {
		buf = e.standard.Append(buf, id, at, body...)
	}
	for _, k := range e.keys {
		if k.until.IsZero() || now.Before(k.until) {
			space()
			buf = k.Append(buf, id, at, body...)
		}
	}
	if e.oldStandard != nil && now.Before(e.oldUntil) {
		space()
		buf = e.oldStandard.Append(buf, id, at, body...)
	}
	return buf
}
