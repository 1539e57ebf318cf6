package signature

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"
)

// Bounds of what is parsed before its signature can be known.
const (
	maxDepth = 100
	maxNames = 10_000
)

var errNames = errors.New("a name is repeated, or there are too many")

// distinctNames refuses JSON in which an object has a name twice, in any letter case: where only some fields are signed, we and the
// app could otherwise read different ones.
func distinctNames(doc []byte) error {
	d := json.NewDecoder(bytes.NewReader(doc))
	var open []map[string]bool // names of each open object, nil for arrays
	name := false              // whether the next string is a name
	total := 0
	for {
		t, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case json.Delim:
			switch t {
			case '{':
				open = append(open, map[string]bool{})
			case '[':
				open = append(open, nil)
			default:
				open = open[:len(open)-1]
			}
			if len(open) > maxDepth {
				return errNames
			}
			name = len(open) > 0 && open[len(open)-1] != nil
			continue
		case string:
			if name {
				names, folded := open[len(open)-1], strings.Map(fold, t)
				if total++; names[folded] || total > maxNames {
					return errNames
				}
				names[folded] = true
				name = false
				continue
			}
		}
		name = len(open) > 0 && open[len(open)-1] != nil
	}
}

// fold maps all letters that some parser takes for the same one to one of them.
func fold(r rune) rune {
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	return least
}
