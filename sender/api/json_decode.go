package api

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/jsonscan"
	"github.com/videocloud/webhooks/sender"
)

// plan says how a JSON object is read into a Go struct. It is made once for each type of request, from the tags of the struct, of
// which the OpenAPI document is made too (schema.go):
//
//	json:"name"       the member's name, exactly
//	required:"true"   it must be there
//	min:"1"           the least length of a string, or the least number or duration; or the name of a constant in limits
//	null:"clear"      null stands for the empty value; otherwise it is as if the member were absent
//	null:"no"         null is refused
//
// Members of an embedded struct are members of the request; null clears them, unless a tag says otherwise.
type plan struct {
	fields   []field
	required uint64 // one bit for each field
}

type field struct {
	name     string
	index    []int
	pointer  bool
	min      int
	hasMin   bool
	required bool
	longest  time.Duration // with shortest, the bounds of a duration
	shortest time.Duration
	null     string
	read     reader
}

func planOf(t reflect.Type) *plan {
	p := &plan{}
	p.add(t, nil, t.Implements(reflect.TypeFor[partial]()), "")
	return p
}

// partial is a request of which every member may be left out.
type partial interface{ partial() }

func (p *plan) add(t reflect.Type, at []int, partial bool, null string) {
	for i := range t.NumField() {
		sf := t.Field(i)
		index := append(slices.Clone(at), i)
		if sf.Anonymous {
			p.add(sf.Type, index, partial, "clear")
			continue
		}
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		f := field{name: name, index: index, null: null}
		if n, ok := sf.Tag.Lookup("null"); ok {
			f.null = n
		}
		if m, ok := sf.Tag.Lookup("min"); ok {
			f.min, _ = limit(m)
			f.shortest, _ = config.ParseDuration(m)
			f.hasMin = true
		}
		if m := sf.Tag.Get("max"); m != "" {
			f.longest, _ = config.ParseDuration(m) // of a duration; a number has no unit and is none
		}
		value := sf.Type
		if value.Kind() == reflect.Pointer {
			f.pointer = true
			value = value.Elem()
		}
		f.read = readerOf(value)
		if sf.Tag.Get("required") == "true" && !partial {
			p.required |= 1 << len(p.fields)
			f.required = true
		}
		p.fields = append(p.fields, f)
	}
}

// limits are the constants that tags name as bounds, so that the OpenAPI document states the bounds that the rules have.
var limits = map[string]int{
	"MaxBatchEvents": config.MaxBatchEvents, "MaxAccountName": config.MaxAccountName, "MaxNotifyEmails": config.MaxNotifyEmails,
	"MaxTypeDescription": config.MaxTypeDescription, "MaxTypeGroup": config.MaxTypeGroup, "MaxURL": config.MaxURL, "MaxEventID": config.MaxEventID,
	"MinSecretSize": config.MinSecretSize, "MaxSecretSize": config.MaxSecretSize, "MaxKeyDescription": MaxKeyDescription,
	"MaxHeaders": config.MaxHeaders, "MaxHeaderName": config.MaxHeaderName, "MaxHeaderValue": config.MaxHeaderValue,
}

// limit returns the bound that a tag states or names. A duration is not such a bound.
func limit(tag string) (n int, ok bool) {
	if n, ok = limits[tag]; ok {
		return n, true
	}
	if strings.HasPrefix(tag, "M") {
		panic("no limit " + tag)
	}
	n, err := strconv.Atoi(tag)
	return n, err == nil
}

func (p *plan) find(name []byte) int {
	for i := range p.fields {
		if p.fields[i].name == string(name) {
			return i
		}
	}
	return -1
}

// decode reads body, one object, into the struct that v points to.
func (p *plan) decode(body []byte, v reflect.Value) error {
	s, err := newScanner(body)
	if err != nil {
		return err
	}
	return s.finish(p.read(s, v.Elem()))
}

// read reads the object at the scanner into v. What it refuses is in s.refused.
func (p *plan) read(s *scanner, v reflect.Value) error {
	outer, seen := s.Depth, uint64(0)
	s.Deepest = outer
	if s.Space() != '{' {
		s.refuse(errNoObject)
		return s.Skip()
	}
	err := s.object("", func(name []byte) error {
		n := p.find(name)
		if n < 0 {
			s.refuse(unknownField(name))
			return s.Skip()
		}
		f := &p.fields[n]
		raw, err := s.value(f)
		if err != nil {
			return err
		}
		set, refused := f.set(raw, v)
		if refused != nil {
			s.refuse(refused)
		}
		if set || refused != nil {
			seen |= 1 << n
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.Deepest-outer > config.MaxJSONDepth {
		// This replaces what was refused of the fields: the whole document is at fault.
		s.refused = &sender.Error{Code: sender.CodeInvalidJSON, Message: fmt.Sprintf("this is nested deeper than %d; flatten it", config.MaxJSONDepth)}
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

var errNoObject = &sender.Error{Code: sender.CodeInvalidJSON, Message: "this must be a JSON object"}

// value reads the value of a field. In an event's data it looks for repeated names on the way.
func (s *scanner) value(f *field) ([]byte, error) {
	if f.name == "data" && s.Space() == '{' {
		start := s.Offset()
		err := s.object("data", func([]byte) error { return s.Skip() })
		return s.Since(start), err
	}
	return s.Value()
}

// set stores a value in its field of v, and reports whether there was one; null is none.
func (f *field) set(raw []byte, v reflect.Value) (bool, *sender.Error) {
	v = v.FieldByIndex(f.index)
	if raw[0] == 'n' {
		switch f.null {
		case "no":
			return false, invalid(f.name, "can't be null; leave it out to keep it as it is")
		case "clear":
			if f.pointer {
				v.Set(reflect.New(v.Type().Elem()))
			} else {
				v.SetZero()
			}
		}
		return false, nil
	}
	if f.pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	return true, f.read(f, raw, v)
}

// invalid returns the refusal of a field. The message goes on after the name of the field.
func invalid(field, format string, args ...any) *sender.Error {
	return &sender.Error{Code: sender.CodeInvalidField, Field: field, Message: field + " " + fmt.Sprintf(format, args...)}
}

func unknownField(name []byte) *sender.Error {
	return &sender.Error{Code: sender.CodeUnknownField, Field: shorten(name), Message: fmt.Sprintf("there is no field %q here; remove it (names are case-sensitive)", shorten(name))}
}

// scanner reads the document of a request. What can't be read ends the scan at once. What can be read but is not acceptable - a
// repeated name, too deep a nesting, a wrong type - is recorded by refuse, of which the first call counts, and the scan goes on:
// so one bad event of a batch leaves the others.
type scanner struct {
	jsonscan.Scanner
	refused *sender.Error
}

func newScanner(body []byte) (*scanner, error) {
	if err := jsonscan.CheckEncoding(body); err != nil {
		return nil, notJSON(err)
	}
	return &scanner{Scanner: jsonscan.New(body)}, nil
}

func notJSON(err error) error {
	return &sender.Error{Code: sender.CodeInvalidJSON, Message: "the body is not valid JSON: " + err.Error()}
}

// finish ends the scan of a whole document. err is the result of the scan so far.
func (s *scanner) finish(err error) error {
	if err == nil {
		err = s.End()
	}
	if err != nil {
		if broken := (*jsonscan.Error)(nil); errors.As(err, &broken) {
			return notJSON(broken)
		}
		return err
	}
	if s.refused != nil {
		return s.refused
	}
	return nil
}

// refuse records what is wrong with a document that can be read; only the first error is kept.
func (s *scanner) refuse(err *sender.Error) {
	if s.refused == nil {
		s.refused = err
	}
}

// object reads an object and refuses repeated names. The field of that error is the member whose value the object is, or where of
// is "" the name.
func (s *scanner) object(of string, each func(name []byte) error) error {
	return s.Object(func(name []byte, repeated bool) error {
		if repeated {
			e := &sender.Error{Code: sender.CodeInvalidJSON, Field: of, Message: fmt.Sprintf("the name %q is given more than once in one object; give it once", shorten(name))}
			if of == "" {
				e.Field = shorten(name)
			}
			s.refuse(e)
		}
		return each(name)
	})
}

// shorten makes a name that a caller chose fit for an error: at most 64 bytes of valid UTF-8.
func shorten(name []byte) string {
	const most = 64
	if len(name) <= most {
		return string(bytes.ToValidUTF8(name, []byte("\ufffd")))
	}
	return string(bytes.ToValidUTF8(name[:most], nil)) + "…"
}
