// Package names tells which texts can be the name of an account, an ID, or the name of a header.
package names

import (
	"strings"

	"github.com/videocloud/webhooks/config"
)

// MaxAccount is how many characters the name of an account may have.
const MaxAccount = 64

// IsAccount reports whether a text can be the name of an account: 1 to 64 letters, digits, dots, dashes and underscores.
func IsAccount(text string) bool { return len(text) <= MaxAccount && IsMadeOf(text, "._-") }

// IsID reports whether a text can be the ID of anything: 1 to 128 letters, digits, dashes and underscores.
func IsID(text string) bool { return len(text) <= config.MaxEventID && IsMadeOf(text, "_-") }

// IsHeader reports whether a text can be the name of a header: the token of RFC 9110 section 5.6.2.
func IsHeader(text string) bool { return IsMadeOf(text, "!#$%&'*+-.^_`|~") }

// IsMadeOf reports whether a text holds letters and digits of ASCII, the given signs, and nothing else. An empty one does not.
func IsMadeOf(text, signs string) bool {
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && strings.IndexByte(signs, c) < 0 {
			return false
		}
	}
	return text != ""
}
