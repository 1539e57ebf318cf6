package rdb_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/rdb"
)

// Values of each layout end where the next key begins. Those that Redis writes today are also in the test of a backup.
func TestValuesEnd(t *testing.T) {
	t.Parallel()
	const id = "0123456789abcdef"
	for name, value := range map[string]string{
		"string":                   "\x00\x01a",
		"integer":                  "\x00\xc1\x01\x02",
		"compressed":               "\x00\xc3\x03\x20abc",
		"list":                     "\x01\x02\x01a\x01b",
		"sorted set of old":        "\x03\x02\x01a\x031.5\x01b\xfe",
		"hash":                     "\x04\x01\x01a\x01b",
		"sorted set":               "\x05\x02\x01a12345678\x01b12345678",
		"module":                   "\x07\x81idnumber\x01\x41\x02\x02\x03\x03flt.\x04double..\x05\x02ab\x00",
		"list in parts":            "\x12\x02\x01\x01a\x02\x01b",
		"packed":                   "\x14\x02ab",
		"stream of Redis 5":        "\x0f\x01\x01n\x01p" + "\x01\x02\x03" + "\x01\x01g\x01\x02" + "\x01" + id + "millisec\x01" + "\x01\x01c" + "seentime" + "\x01" + id,
		"stream of Redis 7":        "\x13\x01\x01n\x01p" + "\x01\x02\x03\x04\x05\x06\x07\x08" + "\x01\x01g\x01\x02\x03" + "\x01" + id + "millisec\x01" + "\x01\x01c" + "seentime" + "\x01" + id,
		"stream of Redis 7.2":      "\x15\x01\x01n\x01p" + "\x01\x02\x03\x04\x05\x06\x07\x08" + "\x01\x01g\x01\x02\x03" + "\x01" + id + "millisec\x01" + "\x01\x01c" + "seentimeactiveat" + "\x01" + id,
		"stream without groups":    "\x15\x00" + "\x01\x02\x03\x04\x05\x06\x07\x08" + "\x00",
		"hash that expires":        "\x18earliest\x02\x01\x01a\x01b\x00\x01c\x01d",
		"packed hash that expires": "\x19earliest\x02ab",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := "REDIS0011\xfa\x01n\x01v\xfe\x02\xfb\x01\x00\xfc\x01\x00\x00\x00\x00\x00\x00\x00" + value[:1] + "\x01k" + value[1:] + "\x00\x04next\x01v\xff"
			var entries []rdb.Entry
			require.NoError(t, rdb.Read(strings.NewReader(file), func(string) bool { return true }, func(e rdb.Entry) error {
				entries = append(entries, e)
				return nil
			}))
			require.Len(t, entries, 2)
			require.Equal(t, value+"\x0b\x00", string(entries[0].Dump[:len(entries[0].Dump)-8]), "the value and the version, before the checksum")
			entries[0].Dump = nil
			require.Equal(t, rdb.Entry{DB: 2, Key: "k", Expires: 1}, entries[0])
			require.Equal(t, "next", entries[1].Key)

			cut := strings.Index(file, "\x04next") - 2 // within the value
			err := rdb.Read(strings.NewReader(file[:cut]), func(string) bool { return false }, func(rdb.Entry) error { return nil })
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		})
	}
	err := rdb.Read(strings.NewReader("REDIS0011\x1a\x01k"), func(string) bool { return true }, nil)
	require.ErrorContains(t, err, "a value of type 26")
}
