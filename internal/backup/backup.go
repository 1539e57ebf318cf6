// Package backup is the file that a store is backed up into: a line that says what it is, then, compressed, what it is of,
// each key with its end and its value as Redis dumps it, and how many they were. A file without its end is none.
package backup

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

const magic = "VideoCloud Webhooks backup 1\n"

// Head says what a backup is of.
type Head struct {
	Prefix  string    `json:"prefix"`  // of the keys
	Version string    `json:"version"` // of the program that made it
	At      time.Time `json:"at"`
}

// Entry is one key.
type Entry struct {
	Key     string
	Expires int64 // unix milliseconds; zero where it stays
	Dump    []byte
}

// Writer writes a backup.
type Writer struct {
	zip  *gzip.Writer
	b    []byte
	keys uint64
}

// NewWriter begins a backup.
func NewWriter(w io.Writer, head Head) (*Writer, error) {
	if _, err := io.WriteString(w, magic); err != nil {
		return nil, err
	}
	text, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	out := &Writer{zip: gzip.NewWriter(w)}
	return out, out.write(text)
}

// write writes texts, each behind its length.
func (w *Writer) write(texts ...[]byte) error {
	w.b = w.b[:0]
	for _, t := range texts {
		w.b = binary.AppendUvarint(w.b, uint64(len(t)))
		w.b = append(w.b, t...)
	}
	_, err := w.zip.Write(w.b)
	return err
}

// Add writes one key.
func (w *Writer) Add(e Entry) error {
	w.keys++
	return w.write([]byte(e.Key), binary.AppendVarint(nil, e.Expires), e.Dump)
}

// Close ends the backup and returns how many keys are in it. Without it, there is none.
func (w *Writer) Close() (keys int, err error) {
	return int(w.keys), errors.Join(w.write(nil, binary.AppendUvarint(nil, w.keys)), w.zip.Close())
}

// ErrIncomplete means that a backup has no end, as where what wrote it was cut off.
var ErrIncomplete = errors.New("the backup is not whole")

// most is the longest text in a backup, as Redis' own bound of a value is.
const most = 512 << 20

// Read calls each for every key of a backup, after begin with what it is of. It fails on one that is not whole.
func Read(from io.Reader, begin func(Head) error, each func(Entry) error) (keys int, err error) {
	r := bufio.NewReader(from)
	line := make([]byte, len(magic))
	if _, err := io.ReadFull(r, line); err != nil || string(line) != magic {
		return 0, errors.New("this is no backup, or one of a newer program")
	}
	zip, err := gzip.NewReader(r)
	if err != nil {
		return 0, incomplete(err)
	}
	in := bufio.NewReader(zip)
	text, err := next(in)
	if err != nil {
		return 0, incomplete(err)
	}
	var head Head
	if err := json.Unmarshal(text, &head); err != nil {
		return 0, fmt.Errorf("what the backup is of can't be read: %w", err)
	}
	if err := begin(head); err != nil {
		return 0, err
	}
	for {
		var e Entry
		key, err := next(in)
		if err != nil {
			return keys, incomplete(err)
		}
		number, err := next(in)
		if err != nil {
			return keys, incomplete(err)
		}
		if len(key) == 0 {
			if n, size := binary.Uvarint(number); size <= 0 || n != uint64(keys) {
				return keys, ErrIncomplete
			}
			if _, err := in.ReadByte(); err != io.EOF { // which checks the checksum
				return keys, ErrIncomplete
			}
			return keys, nil
		}
		e.Key = string(key)
		e.Expires, _ = binary.Varint(number)
		if e.Dump, err = next(in); err != nil {
			return keys, incomplete(err)
		}
		if err := each(e); err != nil {
			return keys, err
		}
		keys++
	}
}

func incomplete(err error) error { return fmt.Errorf("%w: %w", ErrIncomplete, err) }

func next(r *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > most {
		return nil, fmt.Errorf("a length of %d", n)
	}
	text := make([]byte, 0, min(n, 1<<20))
	for uint64(len(text)) < n { // no more than there is, whatever a length says
		size := min(n-uint64(len(text)), 1<<20)
		text = append(text, make([]byte, size)...)
		if _, err := io.ReadFull(r, text[uint64(len(text))-size:]); err != nil {
			return nil, err
		}
	}
	return text, nil
}
