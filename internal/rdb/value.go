package rdb

import "fmt"

// Types of values. Those that are packed into one string are not told apart.
const (
	typeString       = 0
	typeList         = 1
	typeSet          = 2
	typeSorted       = 3
	typeHash         = 4
	typeSorted2      = 5
	typeModule2      = 7
	typeQuicklist    = 14
	typeStream       = 15
	typeQuicklist2   = 18
	typeStream2      = 19
	typeStream3      = 21
	typeHashExpires  = 24
	typeHashExpires2 = 25
)

// packed are the types whose value is one string.
var packed = map[byte]bool{9: true, 10: true, 11: true, 12: true, 13: true, 16: true, 17: true, 20: true}

// value passes a value on.
func (r *reader) value(kind byte) error {
	switch kind {
	case typeString:
		return r.string()
	case typeList, typeSet, typeQuicklist:
		return r.times(func() error { return r.string() })
	case typeHash:
		return r.times(func() error { return r.strings(2) })
	case typeSorted:
		return r.times(func() error {
			if err := r.string(); err != nil {
				return err
			}
			return r.score()
		})
	case typeSorted2:
		return r.times(func() error {
			if err := r.string(); err != nil {
				return err
			}
			return r.bytes(8)
		})
	case typeQuicklist2:
		return r.times(func() error {
			if err := r.lengths(1); err != nil {
				return err
			}
			return r.string()
		})
	case typeStream, typeStream2, typeStream3:
		return r.stream(kind)
	case typeHashExpires:
		if err := r.bytes(8); err != nil {
			return err
		}
		return r.times(func() error {
			if err := r.lengths(1); err != nil {
				return err
			}
			return r.strings(2)
		})
	case typeHashExpires2:
		if err := r.bytes(8); err != nil {
			return err
		}
		return r.string()
	case typeModule2:
		if err := r.lengths(1); err != nil {
			return err
		}
		return r.module()
	}
	if packed[kind] {
		return r.string()
	}
	return fmt.Errorf("a value of type %d, which this program does not know; it is newer than it", kind)
}

// times reads a length, and so many of something.
func (r *reader) times(read func() error) error {
	n, _, err := r.length()
	if err != nil {
		return err
	}
	for range n {
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// score is a number as text, behind its length, with three lengths that stand for what is no number.
func (r *reader) score() error {
	n, err := r.octet()
	if err != nil || n >= 253 {
		return err
	}
	return r.bytes(uint64(n))
}

// stream is its nodes, its counters, and its groups with their consumers.
func (r *reader) stream(kind byte) error {
	if err := r.times(func() error { return r.strings(2) }); err != nil {
		return err
	}
	counters := 3 // length, last ID
	if kind >= typeStream2 {
		counters = 8 // first ID, greatest deleted ID, how many there were
	}
	if err := r.lengths(counters); err != nil {
		return err
	}
	return r.times(func() error {
		if err := r.string(); err != nil {
			return err
		}
		counters := 2 // last ID
		if kind >= typeStream2 {
			counters = 3 // how many were read
		}
		if err := r.lengths(counters); err != nil {
			return err
		}
		pending := func() error {
			if err := r.bytes(16 + 8); err != nil { // ID, time of delivery
				return err
			}
			return r.lengths(1)
		}
		if err := r.times(pending); err != nil {
			return err
		}
		return r.times(func() error {
			if err := r.string(); err != nil {
				return err
			}
			times := uint64(8) // seen
			if kind >= typeStream3 {
				times = 16 // active
			}
			if err := r.bytes(times); err != nil {
				return err
			}
			return r.times(func() error { return r.bytes(16) })
		})
	})
}

// module is what a module wrote: values, each behind its type, up to a zero.
func (r *reader) module() error {
	for {
		kind, _, err := r.length()
		switch {
		case err != nil:
			return err
		case kind == 0:
			return nil
		case kind == 1, kind == 2: // a number, with or without sign
			err = r.lengths(1)
		case kind == 3: // float
			err = r.bytes(4)
		case kind == 4: // double
			err = r.bytes(8)
		case kind == 5:
			err = r.string()
		default:
			return fmt.Errorf("a module's value of type %d", kind)
		}
		if err != nil {
			return err
		}
	}
}
