package signature

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// maxSignature is the longest decoded signature of the schemes with a MAC or a curve: an ECDSA P-256 signature in DER has up to 72
// bytes. Those of RSA, and hexadecimal in base64, are decoded on the heap.
const (
	maxSignature = 80
	maxLong      = 1024 // RSA with 8,192 bits
)

// maxHeader bounds the headers that are parsed; the longest real ones are tokens of about 1 KiB.
const maxHeader = 8 << 10

// encoding is how a signature is written.
type encoding uint8

const (
	encHex       encoding = iota // either case
	encLowerHex                  // lower case only
	encBase64                    // standard alphabet, padded, canonical
	encBase64URL                 // URL alphabet, unpadded, canonical
	encHexBase64                 // base64 of the hexadecimal text
)

// decoded is room for one signature on the stack.
type decoded struct {
	buf  [maxSignature]byte
	n    int
	long []byte // instead, where it is longer
}

func (d *decoded) bytes() []byte {
	if d.long != nil {
		return d.long
	}
	return d.buf[:d.n]
}

// decode writes the bytes of text into d. It refuses everything but the one canonical spelling, save for the
// case of hexadecimal digits: two spellings of one signature would be two requests to a cache or a log.
func (e encoding) decode(d *decoded, text string) bool {
	switch e {
	case encHex, encLowerHex:
		return d.hex(text, e == encLowerHex)
	case encBase64:
		return d.base64(strictBase64, text)
	case encHexBase64:
		decoded, err := strictBase64.DecodeString(text)
		text, ok := string(decoded), !strings.ContainsAny(text, "\r\n")
		return ok && err == nil && d.hex(text, true)
	default:
		return d.base64(strictBase64URL, text)
	}
}

// decodeLong is decode for signatures of RSA.
func (e encoding) decodeLong(d *decoded, text string) bool {
	if len(text) == 0 || len(text) > 2*maxLong || strings.ContainsAny(text, "\r\n") {
		return false
	}
	var err error
	switch e {
	case encBase64:
		d.long, err = strictBase64.DecodeString(text)
	case encBase64URL:
		d.long, err = strictBase64URL.DecodeString(text)
	case encHex, encLowerHex:
		d.long, err = hex.DecodeString(text)
	default:
		return false
	}
	d.n = len(d.long)
	return err == nil && d.n > 0
}

var (
	strictBase64    = base64.StdEncoding.Strict()
	strictBase64URL = base64.RawURLEncoding.Strict()
)

func (d *decoded) hex(text string, lower bool) bool {
	if len(text) == 0 || len(text)%2 != 0 || len(text) > 2*maxSignature {
		return false
	}
	for i := 0; i < len(text); i += 2 {
		hi, ok1 := hexDigit(text[i], lower)
		lo, ok2 := hexDigit(text[i+1], lower)
		if !ok1 || !ok2 {
			return false
		}
		d.buf[i/2] = hi<<4 | lo
	}
	d.n = len(text) / 2
	return true
}

func hexDigit(c byte, lower bool) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F' && !lower:
		return c - 'A' + 10, true
	}
	return 0, false
}

func (d *decoded) base64(enc *base64.Encoding, text string) bool {
	var src [maxSignature/3*4 + 8]byte
	// The decoder skips CR and LF wherever they stand; a signature has none.
	if len(text) == 0 || len(text) > len(src) || strings.ContainsAny(text, "\r\n") || enc.DecodedLen(len(text)) > maxSignature {
		return false
	}
	n, err := enc.Decode(d.buf[:], src[:copy(src[:], text)])
	d.n = n
	return err == nil
}

// encode is the reverse of decode.
func (e encoding) encode(dst, signature []byte) []byte {
	switch e {
	case encHex, encLowerHex:
		return appendHex(dst, signature)
	case encBase64:
		return base64.StdEncoding.AppendEncode(dst, signature)
	case encHexBase64:
		return base64.StdEncoding.AppendEncode(dst, appendHex(nil, signature))
	default:
		return base64.RawURLEncoding.AppendEncode(dst, signature)
	}
}

const hexDigits = "0123456789abcdef"

func appendHex(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return dst
}
