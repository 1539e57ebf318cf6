package rdb

import (
	"fmt"
	"strings"
)

// valueLayouts describe the value of each type, see copyLayout.
var valueLayouts = map[byte]string{
	0:  "s",      // string
	1:  "(s)",    // list
	2:  "(s)",    // set
	3:  "(sf)",   // sorted set, its scores as text
	4:  "(ss)",   // hash
	5:  "(s8)",   // sorted set
	7:  "lm",     // of a module
	14: "(s)",    // list, in packed parts
	18: "(ls)",   // list, in parts that may be packed
	24: "8(lss)", // hash with fields that expire
	25: "8s",     // the same, packed

	// Small lists, sets, sorted sets and hashes, each packed into one string.
	9: "s", 10: "s", 11: "s", 12: "s", 13: "s", 16: "s", 17: "s", 20: "s",

	// Streams: nodes, counters, and groups, each with counters, with pending entries and with consumers, which have theirs.
	15: "(ss)lll(sll(888l)(s8(88)))",
	19: "(ss)llllllll(slll(888l)(s8(88)))",
	21: "(ss)llllllll(slll(888l)(s88(88)))",
}

// opcodeLayouts describe what follows the opcodes that are not needed.
var opcodeLayouts = map[byte]string{
	opAux:       "ss",
	opResize:    "ll",
	opSlot:      "lll",
	opIdle:      "l",
	opFreq:      "1",
	opFunction2: "s",
	opModuleAux: "lllm", // ID of the module, opcode and value of when it is to be loaded
}

// moduleLayouts describe what follows the types of a module's values: two kinds of integers, floats, doubles and strings.
var moduleLayouts = map[uint64]string{1: "l", 2: "l", 3: "4", 4: "8", 5: "s"}

// copyValue copies a value, and fails on a type that it does not know.
func (r *reader) copyValue(kind byte) error {
	layout, ok := valueLayouts[kind]
	if !ok {
		return fmt.Errorf("a value of type %d, which this program does not know; it is newer than it", kind)
	}
	return r.copyLayout(layout)
}

// copyLayout copies what a layout describes, part by part: s is a string, l a length, a digit so many bytes, f a score as text, and m
// what a module wrote. Parts in parentheses are there as many times as the length in front of them says.
func (r *reader) copyLayout(layout string) error {
	for layout != "" {
		part := layout[0]
		layout = layout[1:]
		var err error
		switch part {
		case 's':
			err = r.copyString()
		case 'l':
			_, _, err = r.length()
		case 'f':
			err = r.copyScore()
		case 'm':
			err = r.copyModule()
		case '(':
			var repeated string
			repeated, layout = cutGroup(layout)
			err = r.copyRepeated(repeated)
		default:
			err = r.copyBytes(uint64(part - '0'))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cutGroup cuts a layout behind an opening parenthesis at the one that closes it.
func cutGroup(layout string) (group, behind string) {
	depth := 0
	end := strings.IndexFunc(layout, func(c rune) bool {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		return depth < 0
	})
	return layout[:end], layout[end+1:]
}

// copyRepeated copies a length, and then what a layout describes that many times.
func (r *reader) copyRepeated(layout string) error {
	n, _, err := r.length()
	for ; err == nil && n > 0; n-- {
		err = r.copyLayout(layout)
	}
	return err
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

// copyModule copies what a module wrote: values, each after its type, up to the type 0.
func (r *reader) copyModule() error {
	for {
		kind, _, err := r.length()
		if err != nil || kind == 0 {
			return err
		}
		layout, ok := moduleLayouts[kind]
		if !ok {
			return fmt.Errorf("a module's value of type %d", kind)
		}
		if err := r.copyLayout(layout); err != nil {
			return err
		}
	}
}
