// Package rdb reads a snapshot that Redis or Valkey wrote (an RDB file). It does not interpret the values in it: it only finds
// where each one ends, and passes it on in the form that the command RESTORE takes.
//
//	err := rdb.Read(r, func(key string) bool { return true }, func(e rdb.Entry) error { ... })
package rdb

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"strconv"
)

// Entry is one key with its value.
type Entry struct {
	DB      int // number of the database
	Key     string
	Expires int64  // unix milliseconds; 0 for never
	Dump    []byte // the value as the command DUMP returns it
}

// Opcodes: what stands in the file in place of a value's type.
const (
	opSlot      = 0xF4
	opFunction2 = 0xF5
	opFunction  = 0xF6
	opModuleAux = 0xF7
	opIdle      = 0xF8
	opFreq      = 0xF9
	opAux       = 0xFA
	opResize    = 0xFB
	opExpireMS  = 0xFC
	opExpire    = 0xFD
	opSelect    = 0xFE
	opEnd       = 0xFF
)

// Encodings of a string, which stand in place of its length.
const (
	encInt8 = iota
	encInt16
	encInt32
	encLZF
)

const (
	maxKeyLength = 1 << 20
	maxLength    = 512 << 20 // the longest string that Redis stores
)

// reader reads the file. Its methods named copy… pass over what they read, and append it to captured if that is set.
type reader struct {
	*bufio.Reader
	captured *bytes.Buffer // the value that is being read; nil where it is not wanted
}

// Read calls each for every key for which wanted returns true, in the order of the file. An entry stays valid after the call. Read returns the first
// error of each, and an error with [io.ErrUnexpectedEOF] where the file ends within a key. It does not check the checksum of the file.
func Read(from io.Reader, wanted func(key string) bool, each func(Entry) error) error {
	r := &reader{Reader: bufio.NewReaderSize(from, 1<<16)}
	head := make([]byte, 9)
	if _, err := io.ReadFull(r, head); err != nil {
		return fmt.Errorf("reading the snapshot: %w", err)
	}
	version, err := strconv.Atoi(string(head[5:]))
	if err != nil || string(head[:5]) != "REDIS" {
		return errors.New("reading the snapshot: it is none")
	}
	if err := r.readKeys(uint16(version), wanted, each); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("reading the snapshot: %w", err)
	}
	return nil
}

func (r *reader) readKeys(version uint16, wanted func(string) bool, each func(Entry) error) error {
	db, expires := 0, int64(0)
	for {
		kind, err := r.ReadByte()
		if err != nil {
			return err
		}
		switch kind {
		case opEnd:
			return nil
		case opSelect:
			n, _, err := r.length()
			if err != nil {
				return err
			}
			db = int(n)
		case opExpireMS, opExpire:
			if expires, err = r.expiry(kind); err != nil {
				return err
			}
		case opFunction:
			return errors.New("functions of a release candidate are not read")
		default:
			if layout, ok := opcodeLayouts[kind]; ok {
				if err := r.copyLayout(layout); err != nil {
					return err
				}
				continue
			}
			key, err := r.decodeKey(maxKeyLength)
			if err != nil {
				return err
			}
			if wanted(key) {
				r.captured = bytes.NewBuffer([]byte{kind})
			}
			if err := r.copyValue(kind); err != nil {
				return fmt.Errorf("key %q: %w", key, err)
			}
			if r.captured != nil {
				e := Entry{DB: db, Key: key, Expires: expires, Dump: dump(r.captured.Bytes(), version)}
				r.captured = nil
				if err := each(e); err != nil {
					return err
				}
			}
			expires = 0
		}
	}
}

// expiry reads the end of a key, which is in milliseconds or, for opExpire, in seconds.
func (r *reader) expiry(kind byte) (int64, error) {
	b := make([]byte, 8)
	if kind == opExpire {
		b = b[:4]
	}
	if _, err := io.ReadFull(r.Reader, b); err != nil {
		return 0, err
	}
	if kind == opExpire {
		return int64(binary.LittleEndian.Uint32(b)) * 1000, nil
	}
	return int64(binary.LittleEndian.Uint64(b)), nil
}

// copyBytes copies n bytes.
func (r *reader) copyBytes(n uint64) error {
	if n > maxLength {
		return fmt.Errorf("a length of %d", n)
	}
	if r.captured == nil {
		_, err := r.Discard(int(n))
		return err
	}
	_, err := io.CopyN(r.captured, r.Reader, int64(n))
	return err
}

// octet reads a byte and copies it.
func (r *reader) octet() (byte, error) {
	b, err := r.ReadByte()
	if err == nil && r.captured != nil {
		r.captured.WriteByte(b)
	}
	return b, err
}

// length reads and copies a length. Where encoded is true, n is the encoding of a string, which stands in place of its length.
func (r *reader) length() (n uint64, encoded bool, err error) {
	b, err := r.octet()
	if err != nil {
		return 0, false, err
	}
	switch b >> 6 {
	case 0:
		return uint64(b & 0x3f), false, nil
	case 1:
		next, err := r.octet()
		return uint64(b&0x3f)<<8 | uint64(next), false, err
	case 3:
		return uint64(b & 0x3f), true, nil
	}
	size := 4
	if b == 0x81 {
		size = 8
	}
	for range size {
		next, err := r.octet()
		if err != nil {
			return 0, false, err
		}
		n = n<<8 | uint64(next)
	}
	return n, false, nil
}

// copyString copies a string in any encoding.
func (r *reader) copyString() error {
	n, encoded, err := r.length()
	if err != nil || !encoded {
		if err != nil {
			return err
		}
		return r.copyBytes(n)
	}
	switch n {
	case encInt8, encInt16, encInt32:
		return r.copyBytes(1 << n)
	case encLZF:
		packed, _, err := r.length()
		if err != nil {
			return err
		}
		if _, _, err := r.length(); err != nil { // of the unpacked string
			return err
		}
		return r.copyBytes(packed)
	}
	return fmt.Errorf("a string of encoding %d", n)
}

// decodeKey reads a string and decodes it, where others are only copied. It fails on one that is longer than most bytes.
func (r *reader) decodeKey(most int) (string, error) {
	r.captured = new(bytes.Buffer)
	defer func() { r.captured = nil }()
	n, encoded, err := r.length()
	if err != nil {
		return "", err
	}
	if n > uint64(most) {
		return "", fmt.Errorf("a key of %d bytes", n)
	}
	r.captured.Reset()
	if !encoded {
		err := r.copyBytes(n)
		return r.captured.String(), err
	}
	switch n {
	case encInt8, encInt16, encInt32:
		if err := r.copyBytes(1 << n); err != nil {
			return "", err
		}
		b := append(r.captured.Bytes(), 0, 0, 0)
		switch n {
		case encInt8:
			return strconv.Itoa(int(int8(b[0]))), nil
		case encInt16:
			return strconv.Itoa(int(int16(binary.LittleEndian.Uint16(b)))), nil
		}
		return strconv.Itoa(int(int32(binary.LittleEndian.Uint32(b)))), nil
	case encLZF:
		packed, _, err := r.length()
		if err != nil {
			return "", err
		}
		size, _, err := r.length()
		if err != nil {
			return "", err
		}
		if packed > uint64(most) || size > uint64(most) {
			return "", fmt.Errorf("a key of %d bytes", size)
		}
		r.captured.Reset()
		if err := r.copyBytes(packed); err != nil {
			return "", err
		}
		return decompressLZF(r.captured.Bytes(), int(size))
	}
	return "", fmt.Errorf("a key of encoding %d", n)
}

// decompressLZF undoes the compression of strings in Redis (LZF). Its input consists of literal runs and of references to earlier output.
func decompressLZF(in []byte, size int) (string, error) {
	broken := errors.New("a key that can't be unpacked")
	out := make([]byte, 0, size)
	for i := 0; i < len(in); {
		c := int(in[i])
		i++
		if c < 32 {
			if i+c+1 > len(in) {
				return "", broken
			}
			out = append(out, in[i:i+c+1]...)
			i += c + 1
			continue
		}
		n := c >> 5
		if n == 7 {
			if i >= len(in) {
				return "", broken
			}
			n += int(in[i])
			i++
		}
		if i >= len(in) {
			return "", broken
		}
		back := len(out) - ((c&0x1f)<<8 | int(in[i])) - 1
		i++
		if back < 0 || len(out)+n+2 > size {
			return "", broken
		}
		for j := range n + 2 {
			out = append(out, out[back+j])
		}
	}
	if len(out) != size {
		return "", broken
	}
	return string(out), nil
}

// checksums is the table of the checksum in Redis, the CRC-64 of Jones. Redis does not invert it before and after, as hash/crc64 does, so dump
// uses the table by itself.
var checksums = crc64.MakeTable(0x95ac9329ac4bc9b5)

// dump appends to a value what the command DUMP does: the version of the format, and a checksum of all before.
func dump(value []byte, version uint16) []byte {
	d := binary.LittleEndian.AppendUint16(bytes.Clone(value), version)
	sum := uint64(0)
	for _, b := range d {
		sum = checksums[byte(sum)^b] ^ sum>>8
	}
	return binary.LittleEndian.AppendUint64(d, sum)
}
