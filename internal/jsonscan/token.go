package jsonscan

import (
	"encoding/binary"
	"math/bits"
)

// words are the literals of JSON by their first letter.
var words = [256]string{'t': "true", 'f': "false", 'n': "null"}

// word reads a literal.
func (s *Scanner) word(w string) error {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return s.Fail("expected a value")
	}
	s.i += len(w)
	return nil
}

func (s *Scanner) number() error {
	if s.i < len(s.b) && s.b[s.i] == '-' {
		s.i++
	} else if s.i >= len(s.b) || s.b[s.i] < '0' || s.b[s.i] > '9' {
		return s.Fail("expected a value")
	}
	if s.i < len(s.b) && s.b[s.i] == '0' {
		s.i++
	} else if err := s.digits(); err != nil {
		return err
	}
	if s.i < len(s.b) && s.b[s.i] == '.' {
		s.i++
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		return s.digits()
	}
	return nil
}

func (s *Scanner) digits() error {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	if s.i == start {
		return s.Fail("expected a digit")
	}
	return nil
}

// string reads a string, whose quote is next, and returns what is between its quotes.
func (s *Scanner) string() (raw []byte, escaped bool, err error) {
	s.i++
	start := s.i
	for {
		s.i += plain(s.b[s.i:])
		if s.i >= len(s.b) {
			return nil, false, s.Fail("")
		}
		switch s.b[s.i] {
		case '"':
			s.i++
			return s.b[start : s.i-1], escaped, nil
		case '\\':
			escaped = true
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		default:
			return nil, false, s.Fail("a control character in a string must be escaped")
		}
	}
}

// escape reads one escape of a string.
func (s *Scanner) escape() error {
	s.i++
	if s.i >= len(s.b) {
		return s.Fail("")
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i++
		return nil
	case 'u':
		s.i++
		for range 4 {
			if s.i >= len(s.b) || hex(s.b[s.i]) < 0 {
				return s.Fail("expected four hexadecimal digits")
			}
			s.i++
		}
		return nil
	}
	return s.Fail("there is no such escape in a string")
}

// plain returns how many bytes at the start of b are neither a quote, a backslash nor a control
// character. It checks eight bytes at a time, because most of an event consists of strings.
func plain(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; len(b)-n >= 8; n += 8 {
		v := binary.LittleEndian.Uint64(b[n:])
		quote := v ^ ones*'"'
		slash := v ^ ones*'\\'
		// The lowest marked byte is right; only bytes above it can be marked wrongly, by borrows of the subtractions.
		marked := ((v - ones*0x20) &^ v) | ((quote - ones) &^ quote) | ((slash - ones) &^ slash)
		if marked &= highs; marked != 0 {
			return n + bits.TrailingZeros64(marked)/8
		}
	}
	for ; n < len(b); n++ {
		if c := b[n]; c < 0x20 || c == '"' || c == '\\' {
			break
		}
	}
	return n
}
