package signature

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// secretEncoding is how the text of a secret becomes a key.
type secretEncoding string

const (
	secUTF8   secretEncoding = "utf8"   // its bytes
	secBase64 secretEncoding = "base64" // decoded
	secHex    secretEncoding = "hex"    // decoded
	secWhsec  secretEncoding = "whsec"  // base64, after whsec_ where that is there
	secNFKD   secretEncoding = "nfkd"   // its bytes in Unicode's form NFKD
	secAuto   secretEncoding = "auto"   // base64 after whsec_ where that is there, otherwise its bytes
)

// whsec is the prefix of the secrets of Standard Webhooks.
const whsec = "whsec_"

// decode returns the key, or why there is none. It never returns an empty key, with which anyone could sign.
func (e secretEncoding) decode(secret string) (key []byte, why string) {
	if strings.TrimSpace(secret) == "" {
		return nil, "it is empty" // nothing but white space is a file that somebody emptied, not a secret
	}
	if e == secWhsec || e == secAuto {
		if rest, ok := strings.CutPrefix(secret, "v1,"); ok && strings.HasPrefix(rest, whsec) {
			secret = rest // some providers show the version of its signatures in front of it
		}
	}
	switch e {
	case secHex:
		key, err := hex.DecodeString(secret)
		if err != nil {
			return nil, "it is not hexadecimal"
		}
		return key, ""
	case secBase64:
		return base64Key(secret)
	case secNFKD:
		return norm.NFKD.Bytes([]byte(secret)), ""
	case secWhsec:
		return base64Key(strings.TrimPrefix(secret, whsec))
	case secAuto:
		if rest, ok := strings.CutPrefix(secret, whsec); ok {
			return base64Key(rest)
		}
	}
	return []byte(secret), ""
}

// base64Key decodes a key with or without padding, as people paste it. It comes from the operator, so that, unlike with a signature,
// several spellings of it do no harm.
func base64Key(text string) (key []byte, why string) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, "it has a line break in its base64"
	}
	bare := strings.TrimRight(text, "=")
	if pad := len(text) - len(bare); pad > 0 && (pad > 2 || len(text)%4 != 0) {
		return nil, "its base64 has a wrong padding"
	}
	key, err := base64.RawStdEncoding.DecodeString(bare)
	if err != nil {
		return nil, "it is not base64"
	}
	if len(key) == 0 {
		return nil, "it decodes to an empty key"
	}
	return key, ""
}
