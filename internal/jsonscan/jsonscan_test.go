package jsonscan

import (
	"bytes"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// documents are the seeds of the fuzz targets of this package and of the API: every kind of token, and every way in which one breaks.
func documents(t testing.TB) (all []string) {
	lines, err := os.ReadFile("testdata/documents.txt") // each as Go quotes it
	require.NoError(t, err)
	for line := range strings.Lines(string(lines)) {
		d, err := strconv.Unquote(strings.TrimSuffix(line, "\n"))
		require.NoError(t, err)
		all = append(all, d)
	}
	return all
}

// FuzzScanner compares the scanner with encoding/json: the two must agree on what is JSON.
func FuzzScanner(f *testing.F) {
	for _, d := range documents(f) {
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := New(b)
		err := CheckEncoding(b)
		if err == nil {
			if err = s.Skip(); err == nil {
				err = s.End()
			}
		}
		if s.Deepest > 10_000 {
			return // encoding/json goes no deeper
		}
		if want := json.Valid(b) && utf8.Valid(b); want != (err == nil) {
			t.Fatalf("%q: valid %t, but the scanner says %v", b, want, err)
		}
	})
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for length := range 40 {
		for at := range length {
			for c := range 256 {
				b := bytes.Repeat([]byte{'a'}, length)
				b[at] = byte(c)
				want := length
				if c < 0x20 || c == '"' || c == '\\' {
					want = at
				}
				require.Equal(t, want, plain(b), "%q", b)
			}
		}
	}
}

func TestUnescape(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`plain`: "plain", `a\u00e9b`: "aéb", `\ud83d\ude00!`: "😀!", `\"\\\/\b\f\n\r\t`: "\"\\/\b\f\n\r\t", `\u0000`: "\x00", `\uFFFD`: "\ufffd",
	} {
		text, valid := Unescape([]byte(raw))
		require.True(t, valid, raw)
		require.Equal(t, want, string(text))
	}
	for _, raw := range []string{`\ud800`, `\udc00\ud800`, `\ud800x`, `\ud800\n`, `\ud800\u0041`} {
		_, valid := Unescape([]byte(raw))
		require.False(t, valid, raw)
	}
}

func TestNamesThatOtherParsersReadAlike(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]bool{
		`{"a":1,"a":2}`: true, `{"a":1,"\u0061":2}`: true, `{"\ud800":1,"\udc00":2}`: true, `{"\ud800":1,"\ufffd":2}`: true,
		`{"a":1,"A":2}`: false, `{"\ud800":1,"\ud800\ud800":2}`: false, `{"a":{"b":1},"b":{"a":1}}`: false,
	} {
		s, found := New([]byte(document)), false
		require.NoError(t, s.Object(func(_ []byte, repeated bool) error {
			found = found || repeated
			return s.Skip()
		}))
		require.NoError(t, s.End())
		require.Equal(t, want, found, document)
	}
}
