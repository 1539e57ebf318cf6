package signature

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// appendJSString appends a JSON string as JavaScript's JSON.stringify prints it. It is false for what is no UTF-8, which JavaScript would
// have replaced before it signed.
func appendJSString(dst []byte, s []byte) ([]byte, bool) {
	if !utf8.Valid(s) {
		return nil, false
	}
	escapes := 0
	for _, c := range s {
		if c < ' ' || c == '"' || c == '\\' {
			escapes++
		}
	}
	dst = append(slices.Grow(dst, len(s)+escapes+2), '"') // at once: a large text would be copied at each growth
	if escapes == 0 {
		return append(append(dst, s...), '"'), true
	}
	for _, c := range s {
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			if c < ' ' {
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
				continue
			}
			dst = append(dst, c)
		}
	}
	return append(dst, '"'), true
}

// sortedJSON prints a document as JavaScript prints it whose objects have their members sorted by name, at every depth.
func sortedJSON(doc []byte) ([]byte, bool) {
	d := json.NewDecoder(bytes.NewReader(doc))
	var value any
	if d.Decode(&value) != nil || d.More() {
		return nil, false
	}
	return appendSorted(make([]byte, 0, len(doc)), value)
}

func appendSorted(dst []byte, value any) ([]byte, bool) {
	ok := true
	switch v := value.(type) {
	case map[string]any:
		if len(v) == 0 {
			return append(dst, "{}"...), true
		}
		dst = append(dst, '{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, ok = appendJSString(dst, []byte(name)); !ok {
				return nil, false
			}
			if dst, ok = appendSorted(append(dst, ':'), v[name]); !ok {
				return nil, false
			}
		}
		return append(dst, '}'), true
	case []any:
		dst = append(dst, '[')
		for i, element := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, ok = appendSorted(dst, element); !ok {
				return nil, false
			}
		}
		return append(dst, ']'), true
	case string:
		return appendJSString(dst, []byte(v))
	case bool:
		return strconv.AppendBool(dst, v), true
	case nil:
		return append(dst, "null"...), true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.AppendInt(dst, int64(v), 10), true // JavaScript prints no minus before a zero
		}
	}
	text, err := json.Marshal(value) // numbers as ECMAScript prints them
	return append(dst, text...), err == nil
}
