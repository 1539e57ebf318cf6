package api

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

// A plan says how a JSON object is read into a Go struct. It is made once for each kind of request from
// the struct's tags, which the OpenAPI document is made from as well (schema.go):
//
//	json:"name"       the member's name, exactly
//	required:"true"   it must be there
//	min:"1"           the least length of a string, or the least number
//	null:"clear"      null stands for the empty value; otherwise it is as if the member were absent
//	null:"no"         null is refused
type plan struct {
	fields   []field
	required uint64 // one bit for each field
}

type field struct {
	name    string
	index   int
	pointer bool
	min     int64
	hasMin  bool
	null    string
	read    reader
}

// reader reads a value, which is known to be well-formed and not null, into v.
type reader func(f *field, raw []byte, v reflect.Value) *sender.Error

func planOf(t reflect.Type) *plan {
	p := &plan{}
	for i := range t.NumField() {
		sf := t.Field(i)
		f := field{name: jsonName(sf), index: i, null: sf.Tag.Get("null")}
		if m, ok := sf.Tag.Lookup("min"); ok {
			f.min, _ = strconv.ParseInt(m, 10, 64)
			f.hasMin = true
		}
		value := sf.Type
		if value.Kind() == reflect.Pointer {
			f.pointer = true
			value = value.Elem()
		}
		f.read = readerOf(value)
		if sf.Tag.Get("required") == "true" {
			p.required |= 1 << len(p.fields)
		}
		p.fields = append(p.fields, f)
	}
	return p
}

func jsonName(sf reflect.StructField) string {
	name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
	return name
}

var (
	typeRaw      = reflect.TypeFor[json.RawMessage]()
	typeTime     = reflect.TypeFor[time.Time]()
	typeDuration = reflect.TypeFor[time.Duration]()
	typeStrings  = reflect.TypeFor[[]string]()
	typeHeaders  = reflect.TypeFor[map[string]string]()
)

func readerOf(t reflect.Type) reader {
	switch {
	case t == typeRaw:
		return readObject
	case t == typeTime:
		return readTime
	case t == typeDuration:
		return readDuration
	case t == typeStrings:
		return readStrings
	case t == typeHeaders:
		return readHeaders
	case t.Kind() == reflect.String:
		return readString
	case t.Kind() == reflect.Int:
		return readInt
	case t.Kind() == reflect.Bool:
		return readBool
	}
	panic("no reader for " + t.String())
}

func (p *plan) find(name []byte) int {
	for i := range p.fields {
		if p.fields[i].name == string(name) {
			return i
		}
	}
	return -1
}

// decode reads the one object that body is into the struct that v points to.
func (p *plan) decode(body []byte, v reflect.Value) error {
	s, err := newScanner(body)
	if err != nil {
		return err
	}
	if err := p.read(s, v.Elem()); err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	if s.refused != nil {
		return s.refused
	}
	return nil
}

// read reads the object at the scanner into v; what it refuses is in s.refused.
func (p *plan) read(s *scanner, v reflect.Value) error {
	outer, seen := s.depth, uint64(0)
	s.deepest = outer
	if s.space() != '{' {
		if len(s.b) == s.i {
			return s.fail("")
		}
		s.refuse(&sender.Error{Code: sender.CodeInvalidJSON, Message: "must be a JSON object"})
		return s.skip()
	}
	err := s.object("", func(name []byte) error {
		n := p.find(name)
		if n < 0 {
			s.refuse(unknownField(name))
			return s.skip()
		}
		f := &p.fields[n]
		start := s.i
		if err := s.value(f); err != nil {
			return err
		}
		set, err := f.set(s.b[start:s.i], v)
		if err != nil {
			s.refuse(err)
		}
		if set || err != nil {
			seen |= 1 << n
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.deepest-outer > config.MaxJSONDepth {
		// It comes before what was noted about the fields: the document as a whole is at fault.
		s.refused = &sender.Error{Code: sender.CodeInvalidJSON, Message: fmt.Sprintf("is nested deeper than %d; flatten it", config.MaxJSONDepth)}
	}
	if missing := p.required &^ seen; missing != 0 {
		for n := range p.fields {
			if missing>>n&1 == 1 {
				s.refuse(invalid(p.fields[n].name, "is required"))
			}
		}
	}
	return nil
}

// value moves past a field's value, looking for repeated names in an event's data on the way.
func (s *scanner) value(f *field) error {
	if f.name == "data" && s.space() == '{' {
		return s.object("data", func([]byte) error { return s.skip() })
	}
	return s.skip()
}

// set puts a value into its field of v, and reports whether there was one: null is none.
func (f *field) set(raw []byte, v reflect.Value) (bool, *sender.Error) {
	v = v.Field(f.index)
	if raw[0] == 'n' {
		switch f.null {
		case "no":
			return false, invalid(f.name, "can't be null; leave it out to keep it as it is")
		case "clear":
			v.Set(reflect.New(v.Type().Elem()))
		}
		return false, nil
	}
	if f.pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	return true, f.read(f, raw, v)
}

func readObject(f *field, raw []byte, v reflect.Value) *sender.Error {
	if raw[0] != '{' {
		return invalid(f.name, "must be an object")
	}
	v.SetBytes(raw[:len(raw):len(raw)])
	return nil
}

func readString(f *field, raw []byte, v reflect.Value) *sender.Error {
	text, err := textOf(f.name, raw)
	if err != nil {
		return err
	}
	if f.hasMin && int64(len(text)) < f.min {
		return invalid(f.name, "must not be empty; leave it out if there is none")
	}
	v.SetString(text)
	return nil
}

// textOf decodes a string. Half a surrogate pair is refused: replacing it would silently make another secret or ID.
func textOf(field string, raw []byte) (string, *sender.Error) {
	if raw[0] != '"' {
		return "", invalid(field, "must be a string")
	}
	for _, c := range raw {
		if c == '\\' {
			text, valid := unescape(raw[1 : len(raw)-1])
			if !valid {
				return "", invalid(field, "has half a surrogate pair, which is no character")
			}
			return string(text), nil
		}
	}
	return string(raw[1 : len(raw)-1]), nil
}

func readInt(f *field, raw []byte, v reflect.Value) *sender.Error {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		// 10.0 and 1e1 are the whole number 10 as well.
		x, err := strconv.ParseFloat(string(raw), 64)
		if err != nil || x != math.Trunc(x) || math.Abs(x) >= 1<<31 {
			return invalid(f.name, "must be a whole number")
		}
		n = int64(x)
	}
	if n >= 1<<31 || n <= -1<<31 {
		return invalid(f.name, "is too large a number")
	}
	if f.hasMin && n < f.min {
		return invalid(f.name, "must be at least %d", f.min)
	}
	v.SetInt(n)
	return nil
}

func readBool(f *field, raw []byte, v reflect.Value) *sender.Error {
	if raw[0] != 't' && raw[0] != 'f' {
		return invalid(f.name, "must be true or false")
	}
	v.SetBool(raw[0] == 't')
	return nil
}

func readTime(f *field, raw []byte, v reflect.Value) *sender.Error {
	text, err := textOf(f.name, raw)
	if err != nil {
		return err
	}
	t, err := timeOf(f.name, text)
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

// timeOf reads a point in time. The year 1 is left out because the zero time means that none was given.
func timeOf(field, text string) (time.Time, *sender.Error) {
	var t time.Time
	if t.UnmarshalText([]byte(text)) != nil {
		return t, invalid(field, "must be a time by RFC 3339, such as 2024-03-31T12:00:00Z")
	}
	t = t.UTC()
	if t.Year() < 2 || t.Year() > 9999 {
		return t, invalid(field, "must be a time between the years 2 and 9999")
	}
	return t, nil
}

func readDuration(f *field, raw []byte, v reflect.Value) *sender.Error {
	text, err := textOf(f.name, raw)
	if err != nil {
		return err
	}
	d, parseErr := time.ParseDuration(text)
	if parseErr != nil || d < 0 || d > maxSecretOverlap {
		return invalid(f.name, "must be a duration such as 24h or 90m, of %d hours at most", int(maxSecretOverlap.Hours()))
	}
	v.SetInt(int64(d))
	return nil
}

func readStrings(f *field, raw []byte, v reflect.Value) *sender.Error {
	if raw[0] != '[' {
		return invalid(f.name, "must be a list of strings")
	}
	s := scanner{b: raw}
	list := []string{}
	var refused *sender.Error
	_ = s.array(func(n int) error { // its form was checked before
		start := s.i
		_ = s.skip()
		text, err := textOf(f.name, raw[start:s.i])
		if err != nil && refused == nil {
			refused = invalid(f.name, "must be a list of strings; number %d %s", n+1, err.Message)
		}
		list = append(list, text)
		return nil
	})
	v.Set(reflect.ValueOf(list))
	return refused
}

func readHeaders(f *field, raw []byte, v reflect.Value) *sender.Error {
	if raw[0] != '{' {
		return invalid(f.name, "must be an object of header names and values")
	}
	s := scanner{b: raw}
	headers := map[string]string{}
	_ = s.object(f.name, func(name []byte) error { // its form was checked before
		key := string(name)
		start := s.i
		_ = s.skip()
		text, err := textOf(f.name, raw[start:s.i])
		if err != nil {
			s.refuse(invalid(f.name, "the value of %q %s", shorten(name), err.Message))
		}
		headers[key] = text
		return nil
	})
	v.Set(reflect.ValueOf(headers))
	return s.refused
}

func invalid(field, format string, args ...any) *sender.Error {
	return &sender.Error{Code: sender.CodeInvalidField, Field: field, Message: fmt.Sprintf(format, args...)}
}

func unknownField(name []byte) *sender.Error {
	return &sender.Error{Code: sender.CodeUnknownField, Field: shorten(name), Message: "there is no such field here; remove it (names are case-sensitive)"}
}
