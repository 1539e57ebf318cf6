package signature

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// The longest decoded signatures, in bytes. Those of RSA are decoded on the heap.
const (
	maxSignature    = 80   // an ECDSA P-256 signature in DER has up to 72
	maxRSASignature = 1024 // of a key with 8,192 bits
)

// maxHeader bounds the headers that are parsed, in bytes; the longest that providers send are tokens of about 1 KiB.
const maxHeader = 8 << 10

// encoding is how a signature is written.
type encoding uint8

const (
	encHex       encoding = iota // either case
	encLowerHex                  // lower case only
	encBase64                    // standard alphabet, padded, canonical
	encBase64URL                 // URL alphabet, unpadded, canonical
	encHexBase64                 // base64 of the hexadecimal text
	encAnyBase64                 // standard or URL alphabet, padded or not: for hashes inside of what is signed, of which two spellings do no harm
)

// decoded is a decoded signature, which is on the stack unless it is long.
type decoded struct {
	buf  [maxSignature]byte
	n    int
	long []byte // in place of buf, for RSA
}

func (d *decoded) bytes() []byte {
	if d.long != nil {
		return d.long
	}
	return d.buf[:d.n]
}

// decode writes the bytes of text into d, and returns false, with nothing in d, if it can't. It accepts only the canonical spelling, though
// either case of hexadecimal digits: to a cache or a log, two spellings of one signature would be two requests.
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
	case encAnyBase64:
		return d.base64(strictBase64, text) || d.base64(strictBase64URL, strings.TrimRight(text, "="))
	default:
		return d.base64(strictBase64URL, text)
	}
}

// decodeLong is decode for signatures of RSA, which are too long for the stack.
func (e encoding) decodeLong(d *decoded, text string) bool {
	if len(text) == 0 || len(text) > 2*maxRSASignature || strings.ContainsAny(text, "\r\n") {
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
	if err != nil {
		d.long = nil
	}
	d.n = len(d.long)
	return d.n > 0
}

var (
	strictBase64    = base64.StdEncoding.Strict()
	strictBase64URL = base64.RawURLEncoding.Strict()
)

// hex decodes hexadecimal digits, only lower-case ones if lower is set.
func (d *decoded) hex(text string, lower bool) bool {
	if len(text) == 0 || len(text)%2 != 0 || len(text) > 2*maxSignature {
		return false
	}
	digits := &hexValues
	if lower {
		digits = &lowerHexValues
	}
	var wrong byte
	for i := 0; i < len(text); i += 2 {
		hi, lo := digits[text[i]], digits[text[i+1]]
		wrong |= hi | lo
		d.buf[i/2] = hi<<4 | lo&15
	}
	if wrong >= 16 {
		return false
	}
	d.n = len(text) / 2
	return true
}

// The values of hexadecimal digits, and noDigit for all other bytes. A table is faster than a branch, because a processor can't predict
// whether a digit is a letter.
var lowerHexValues, hexValues = valuesOf(hexDigits), valuesOf(hexDigits + "ABCDEF")

const noDigit = 0xff

// valuesOf makes a table of the digits, of which those from the 17th on are the upper-case letters.
func valuesOf(digits string) (values [256]byte) {
	for i := range values {
		values[i] = noDigit
	}
	for i, c := range []byte(digits) {
		values[c] = byte(i)
		if i >= 16 {
			values[c] = byte(i - 6)
		}
	}
	return values
}

func (d *decoded) base64(enc *base64.Encoding, text string) bool {
	var src [maxSignature/3*4 + 8]byte
	// The decoder skips CR and LF wherever they stand; a signature has none.
	if len(text) == 0 || len(text) > len(src) || strings.ContainsAny(text, "\r\n") || enc.DecodedLen(len(text)) > maxSignature {
		return false
	}
	n, err := enc.Decode(d.buf[:], src[:copy(src[:], text)])
	if err != nil {
		return false
	}
	d.n = n
	return true
}

// encode is the reverse of decode.
func (e encoding) encode(dst, signature []byte) []byte {
	switch e {
	case encHex, encLowerHex:
		return appendHex(dst, signature)
	case encBase64, encAnyBase64:
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
