package rdb

import "fmt"

// Types of values that consist of several parts, and of the plain string.
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

// singleStringTypes are the types whose whole value is packed into one string.
var singleStringTypes = map[byte]bool{9: true, 10: true, 11: true, 12: true, 13: true, 16: true, 17: true, 20: true}

// copyValue copies a value of type kind, and fails on a type that it does not know.
func (r *reader) copyValue(kind byte) error {
	switch kind {
	case typeString:
		return r.copyString()
	case typeList, typeSet, typeQuicklist:
		return r.repeat(func() error { return r.copyString() })
	case typeHash:
		return r.repeat(func() error { return r.copyStrings(2) })
	case typeSorted:
		return r.repeat(func() error {
			if err := r.copyString(); err != nil {
				return err
			}
			return r.copyScore()
		})
	case typeSorted2:
		return r.repeat(func() error {
			if err := r.copyString(); err != nil {
				return err
			}
			return r.copyBytes(8)
		})
	case typeQuicklist2:
		return r.repeat(func() error {
			if err := r.copyLengths(1); err != nil {
				return err
			}
			return r.copyString()
		})
	case typeStream, typeStream2, typeStream3:
		return r.copyStream(kind)
	case typeHashExpires:
		if err := r.copyBytes(8); err != nil {
			return err
		}
		return r.repeat(func() error {
			if err := r.copyLengths(1); err != nil {
				return err
			}
			return r.copyStrings(2)
		})
	case typeHashExpires2:
		if err := r.copyBytes(8); err != nil {
			return err
		}
		return r.copyString()
	case typeModule2:
		if err := r.copyLengths(1); err != nil {
			return err
		}
		return r.copyModule()
	}
	if singleStringTypes[kind] {
		return r.copyString()
	}
	return fmt.Errorf("a value of type %d, which this program does not know; it is newer than it", kind)
}

// repeat reads a length and then calls read that many times.
func (r *reader) repeat(read func() error) error {
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

// copyScore copies the score of an old sorted set: a byte with a length and the number as text. The lengths from 253 on have no text: they
// stand for NaN and the infinities.
func (r *reader) copyScore() error {
	n, err := r.octet()
	if err != nil || n >= 253 {
		return err
	}
	return r.copyBytes(uint64(n))
}

// copyStream copies a stream: its nodes, its counters, and its groups with their pending entries and consumers.
func (r *reader) copyStream(kind byte) error {
	if err := r.repeat(func() error { return r.copyStrings(2) }); err != nil {
		return err
	}
	counters := 3 // length, and two of the last ID
	if kind >= typeStream2 {
		counters = 8 // also two each of the first ID and of the greatest deleted ID, and how many entries were ever added
	}
	if err := r.copyLengths(counters); err != nil {
		return err
	}
	return r.repeat(func() error {
		if err := r.copyString(); err != nil {
			return err
		}
		counters := 2 // of the last ID that was delivered
		if kind >= typeStream2 {
			counters = 3 // also how many entries were read
		}
		if err := r.copyLengths(counters); err != nil {
			return err
		}
		pending := func() error {
			if err := r.copyBytes(16 + 8); err != nil { // ID and time of delivery
				return err
			}
			return r.copyLengths(1)
		}
		if err := r.repeat(pending); err != nil {
			return err
		}
		return r.repeat(func() error {
			if err := r.copyString(); err != nil {
				return err
			}
			times := uint64(8) // when the consumer was last seen
			if kind >= typeStream3 {
				times = 16 // also when it was last active
			}
			if err := r.copyBytes(times); err != nil {
				return err
			}
			return r.repeat(func() error { return r.copyBytes(16) })
		})
	})
}

// copyModule copies what a module wrote: values, each after its type, up to the type 0.
func (r *reader) copyModule() error {
	for {
		kind, _, err := r.length()
		switch {
		case err != nil:
			return err
		case kind == 0:
			return nil
		case kind == 1, kind == 2: // signed or unsigned integer
			err = r.copyLengths(1)
		case kind == 3: // float
			err = r.copyBytes(4)
		case kind == 4: // double
			err = r.copyBytes(8)
		case kind == 5:
			err = r.copyString()
		default:
			return fmt.Errorf("a module's value of type %d", kind)
		}
		if err != nil {
			return err
		}
	}
}
