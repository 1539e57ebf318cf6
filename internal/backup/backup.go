// Package backup reads and writes the file into which a store is backed up. The file is a line that says what it is, followed by gzip data: a
// [Head], then each key with its expiry and its value as Redis dumps it, and at the end the number of keys. A file without that end is no backup.
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

// Head says which store was backed up, when and by what.
type Head struct {
	Prefix  string    `json:"prefix"`  // of the store's keys
	Version string    `json:"version"` // of the program that made the backup
	At      time.Time `json:"at"`
}

// Entry is one key with its value.
type Entry struct {
	Key     string
	Expires int64  // unix milliseconds; 0 for never
	Dump    []byte // the value as the command DUMP returns it
}

// Writer writes a backup. It is not safe for concurrent use.
type Writer struct {
	zip  *gzip.Writer
	b    []byte // buffer of write
	keys uint64
}

// NewWriter begins a backup in w. [Writer.Close] has to end it.
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

// write writes texts, each after its length.
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

// Close writes the end of the backup and returns the number of its keys. It does not close the underlying writer.
func (w *Writer) Close() (keys int, err error) {
	return int(w.keys), errors.Join(w.write(nil, binary.AppendUvarint(nil, w.keys)), w.zip.Close())
}

// ErrIncomplete means that a backup has no end or is damaged, most likely because its writing or its transfer was interrupted.
var ErrIncomplete = errors.New("the backup is not whole")

// maxLength is the longest text in a backup, in bytes. Redis stores no longer string.
const maxLength = 512 << 20

// Read calls begin with the head of a backup and then each for every key, in the order of the file. It returns the number of keys for which each
// succeeded, and the first error of begin or each. Failure policy: a file that is cut off or damaged fails with [ErrIncomplete], but only
// after each was called for the keys before; to restore nothing of such a file, read it once before.
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
	text, err := readText(in)
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
		key, err := readText(in)
		if err != nil {
			return keys, incomplete(err)
		}
		number, err := readText(in)
		if err != nil {
			return keys, incomplete(err)
		}
		if len(key) == 0 {
			if n, size := binary.Uvarint(number); size <= 0 || n != uint64(keys) {
				return keys, ErrIncomplete
			}
			if _, err := in.ReadByte(); err != io.EOF { // reading up to the end makes gzip check its checksum
				return keys, ErrIncomplete
			}
			return keys, nil
		}
		e.Key = string(key)
		e.Expires, _ = binary.Varint(number)
		if e.Dump, err = readText(in); err != nil {
			return keys, incomplete(err)
		}
		if err := each(e); err != nil {
			return keys, err
		}
		keys++
	}
}

func incomplete(err error) error { return fmt.Errorf("%w: %w", ErrIncomplete, err) }

// readText reads a text after its length. It allocates in steps, so that a damaged length does not take more memory than the file has text.
func readText(r *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	if n > maxLength {
		return nil, fmt.Errorf("a length of %d", n)
	}
	text := make([]byte, 0, min(n, 1<<20))
	for uint64(len(text)) < n {
		size := min(n-uint64(len(text)), 1<<20)
		text = append(text, make([]byte, size)...)
		if _, err := io.ReadFull(r, text[uint64(len(text))-size:]); err != nil {
			return nil, err
		}
	}
	return text, nil
}
