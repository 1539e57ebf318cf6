package seal

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func testKey(b byte) []byte { return bytes.Repeat([]byte{b}, KeySize) }

func newSealer(t testing.TB, keys ...[]byte) *Sealer {
	t.Helper()
	s, err := New(keys)
	require.NoError(t, err)
	return s
}

var place = AssociatedData("default", "whk_1", "secret")

// stored is "secret", sealed with testKey(1) for place by the first version: it must open for ever.
const stored = "enc1:wM_J-kfP:FCyGRTD_B_eoBydyGKI_0b5BP6omUPr7a0EI9LOvjEbMtLP7UDKxIJm7VI5g3A"

func TestWhatIsStoredStaysReadable(t *testing.T) {
	t.Parallel()
	plaintext, current, err := newSealer(t, testKey(1)).Open(stored, place)
	require.NoError(t, err)
	require.True(t, current)
	require.Equal(t, "secret", string(plaintext))
	plaintext, current, err = newSealer(t).Open("plain:c2VjcmV0", place)
	require.NoError(t, err)
	require.True(t, current)
	require.Equal(t, "secret", string(plaintext))
}

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	for name, plaintext := range map[string][]byte{
		"text": []byte("a signing secret"), "empty": {}, "not UTF-8": {0xff, 0, 0xfe}, "looks plain": []byte("plain:abc"),
		"looks sealed": []byte("enc1:abc:def"), "long": bytes.Repeat([]byte("x"), 10000),
	} {
		for kind, s := range map[string]*Sealer{"keys": newSealer(t, testKey(1), testKey(2)), "no keys": newSealer(t)} {
			text, err := s.Seal(plaintext, place)
			require.NoError(t, err, name)
			opened, current, err := s.Open(text, place)
			require.NoError(t, err, name)
			require.True(t, current, name)
			require.Equal(t, string(plaintext), string(opened), name)
			require.Equal(t, kind == "keys", s.Encrypts())
			require.Equal(t, s.Encrypts(), strings.HasPrefix(text, "enc1:"))
			require.Regexp(t, `^[A-Za-z0-9:_-]+$`, text)
		}
	}
}

func TestSealedTellsNothing(t *testing.T) {
	t.Parallel()
	s := newSealer(t, testKey(1))
	first, err := s.Seal([]byte("a signing secret"), place)
	require.NoError(t, err)
	second, err := s.Seal([]byte("a signing secret"), place)
	require.NoError(t, err)
	require.NotEqual(t, first, second, "equal secrets don't show")
	require.NotContains(t, first, "signing")
	require.NotContains(t, first, encoding.EncodeToString([]byte("a signing secret")))
	require.NotContains(t, first, encoding.EncodeToString(testKey(1))[:8])
}

func TestRotation(t *testing.T) {
	t.Parallel()
	none, old, both, fresh := newSealer(t), newSealer(t, testKey(1)), newSealer(t, testKey(2), testKey(1)), newSealer(t, testKey(2))
	text, err := none.Seal([]byte("secret"), place)
	require.NoError(t, err)

	// A key is added: what was stored in the clear opens, and is due for sealing.
	plaintext, current, err := old.Open(text, place)
	require.NoError(t, err)
	require.False(t, current)
	text, err = old.Seal(plaintext, place)
	require.NoError(t, err)

	// Another is put in front: the older still opens, and is due for sealing.
	plaintext, current, err = both.Open(text, place)
	require.NoError(t, err)
	require.Equal(t, "secret", string(plaintext))
	require.False(t, current)
	_, _, err = fresh.Open(text, place)
	require.ErrorIs(t, err, ErrUnknownKey, "the old key was taken away too early")
	text, err = both.Seal(plaintext, place)
	require.NoError(t, err)

	// The old one is taken away.
	plaintext, current, err = fresh.Open(text, place)
	require.NoError(t, err)
	require.True(t, current)
	require.Equal(t, "secret", string(plaintext))
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	s := newSealer(t, testKey(1))
	text, err := s.Seal([]byte("secret"), place)
	require.NoError(t, err)
	other, err := newSealer(t, testKey(2)).Seal([]byte("secret"), place)
	require.NoError(t, err)
	parts := strings.Split(text, ":")
	raw, err := encoding.DecodeString(parts[2])
	require.NoError(t, err)
	raw[len(raw)-1] ^= 1
	altered := strings.Join([]string{parts[0], parts[1], encoding.EncodeToString(raw)}, ":")

	for name, tt := range map[string]struct {
		sealer *Sealer
		text   string
		place  []byte
		want   error
	}{
		"no keys any more":         {newSealer(t), text, place, ErrUnknownKey},
		"another key":              {newSealer(t, testKey(2)), text, place, ErrUnknownKey},
		"another key's ID":         {s, strings.Replace(other, keyID(testKey(2)), keyID(testKey(1)), 1), place, ErrAuthentication},
		"another account":          {s, text, AssociatedData("other", "whk_1", "secret"), ErrAuthentication},
		"another webhook":          {s, text, AssociatedData("default", "whk_2", "secret"), ErrAuthentication},
		"no associated data":       {s, text, nil, ErrAuthentication},
		"altered":                  {s, altered, place, ErrAuthentication},
		"empty":                    {s, "", place, ErrFormat},
		"neither prefix":           {s, "secret", place, ErrFormat},
		"another version":          {s, strings.Replace(text, "enc1", "enc2", 1), place, ErrFormat},
		"no key ID":                {s, "enc1:abc", place, ErrFormat},
		"cut off":                  {s, text[:len(text)-30], place, ErrFormat},
		"not base64":               {s, text + "!", place, ErrFormat},
		"a line feed within":       {s, text[:40] + "\n" + text[40:], place, ErrFormat},
		"a line feed within plain": {newSealer(t), "plain:YWJj\nYWJj", place, ErrFormat},
		"plain, not base64":        {newSealer(t), "plain:secret!", place, ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plaintext, current, err := tt.sealer.Open(tt.text, tt.place)
			require.ErrorIs(t, err, tt.want)
			require.Nil(t, plaintext)
			require.False(t, current)
			require.NotContains(t, err.Error(), "whk_")
		})
	}
}

func TestEveryBitCounts(t *testing.T) {
	t.Parallel()
	s := newSealer(t, testKey(1))
	text, err := s.Seal([]byte("secret"), place)
	require.NoError(t, err)
	for i := range len(text) {
		for bit := range 8 {
			b := []byte(text)
			b[i] ^= 1 << bit
			_, _, err := s.Open(string(b), place)
			require.Error(t, err, "byte %d, bit %d", i, bit)
		}
	}
}

func TestNewRefusesKeysOfAnotherSize(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 16, 31, 33} {
		_, err := New([][]byte{testKey(1), make([]byte, size)})
		require.ErrorContains(t, err, "key 2")
	}
}

// Two keys may share an ID by accident, or be the same one given twice: both must work.
func TestKeysThatShareAnID(t *testing.T) {
	t.Parallel()
	s := newSealer(t, testKey(1), testKey(2))
	text, err := newSealer(t, testKey(2)).Seal([]byte("secret"), place)
	require.NoError(t, err)
	s.keys[0].id = s.keys[1].id
	plaintext, current, err := s.Open(text, place)
	require.NoError(t, err)
	require.Equal(t, "secret", string(plaintext))
	require.False(t, current, "the second key opened it")
}

func TestAssociatedDataDoesNotRunTogether(t *testing.T) {
	t.Parallel()
	seen := map[string][]string{}
	for _, parts := range [][]string{
		nil, {""}, {"", ""}, {"ab"}, {"a", "b"}, {"a", "b", ""}, {"", "a", "b"}, {"a\x01b"}, {"\x01a\x01b"}, {strings.Repeat("a", 200)},
	} {
		data := string(AssociatedData(parts...))
		require.NotContains(t, seen, data, "%q and %q", seen[data], parts)
		seen[data] = parts
	}
}

func FuzzOpen(f *testing.F) {
	s := newSealer(f, testKey(1), testKey(2))
	for _, seed := range []string{stored, "plain:YWJj", "enc1:", "enc1::", "plain:", "", "enc1:" + s.keys[0].id + ":AAAA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, other string) {
		plaintext, current, err := s.Open(other, place)
		switch {
		case err != nil:
			require.Nil(t, plaintext)
		case other == stored:
			require.True(t, current)
		default: // Nothing but the clear opens without the key, and that is never taken for current.
			require.True(t, strings.HasPrefix(other, plainPrefix))
			require.False(t, current)
			again, err := newSealer(t).Seal(plaintext, place)
			require.NoError(t, err)
			require.Equal(t, other, again, "one value has one text")
		}
	})
}

func FuzzSeal(f *testing.F) {
	f.Add([]byte("secret"), []byte("place"), []byte("elsewhere"))
	s := newSealer(f, testKey(1))
	f.Fuzz(func(t *testing.T, plaintext, ad, other []byte) {
		text, err := s.Seal(plaintext, ad)
		require.NoError(t, err)
		opened, current, err := s.Open(text, ad)
		require.NoError(t, err)
		require.True(t, current)
		require.True(t, bytes.Equal(plaintext, opened))
		if !bytes.Equal(ad, other) {
			_, _, err := s.Open(text, other)
			require.ErrorIs(t, err, ErrAuthentication)
		}
	})
}
