package signature

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A signature that is not spelled right is none: schemes that need not say why compare what was decoded, and that is nothing.
func TestWhatIsNotSpelledRightDecodesToNothing(t *testing.T) {
	t.Parallel()
	right := strings.Repeat("0f", 32)
	for name, tc := range map[string]struct {
		enc  encoding
		text string
	}{
		"no digit":             {encHex, strings.Replace(right, "f", "g", 1)},
		"no digit first":       {encHex, "z" + right[1:]},
		"upper case":           {encLowerHex, strings.ToUpper(right)},
		"bytes over 127":       {encHex, "\xff\xfe" + right[2:]},
		"a letter of two":      {encHex, "é" + right[2:]},
		"odd":                  {encHex, right[1:]},
		"hex in base64":        {encHexBase64, strictBase64.EncodeToString([]byte(strings.ToUpper(right)))},
		"base64":               {encBase64, "!" + strings.Repeat("A", 43)},
		"base64 with an end":   {encBase64, strings.Repeat("A", 42) + "!="},
		"base64 of URLs":       {encBase64URL, strings.Repeat("_", 42) + "/"},
		"base64 with leftover": {encBase64, strings.Repeat("A", 42) + "B="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var d decoded
			require.False(t, tc.enc.decode(&d, tc.text))
			require.Empty(t, d.bytes())
		})
	}
}
