package api

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/jsonscan"
	"github.com/videocloud/webhooks/sender"
)

// reader reads a value into v. The value is known to be well-formed and not null.
type reader func(f *field, raw []byte, v reflect.Value) *sender.Error

var (
	typeRaw      = reflect.TypeFor[json.RawMessage]()
	typeTime     = reflect.TypeFor[time.Time]()
	typeTimeSpan = reflect.TypeFor[time.Duration]()
	typeDuration = reflect.TypeFor[config.Duration]()

	typeHeaderUpdate = reflect.TypeFor[headerUpdate]()
	typeIgnored      = reflect.TypeFor[ignored]()
	typeEmails       = reflect.TypeFor[emailList]()
)

// readers are the readers by type. The reader of auth is not here, as it needs a plan; the other types are read by their kind.
var readers = map[reflect.Type]reader{
	typeRaw: readObject, typeTime: readTime, typeTimeSpan: readDuration, typeDuration: readDuration, typeHeaderUpdate: readHeaderUpdate, typeEmails: readEmails,
	reflect.TypeFor[[]config.Duration](): readDurations, reflect.TypeFor[[]string](): readStrings, reflect.TypeFor[map[string]string](): readMap,
	typeIgnored: func(*field, []byte, reflect.Value) *sender.Error { return nil },
}

func readerOf(t reflect.Type) reader {
	switch {
	case readers[t] != nil:
		return readers[t]
	case t == reflect.TypeFor[newAuth](), t == reflect.TypeFor[authUpdate]():
		return readAuth()
	case t.Kind() == reflect.String:
		return readString
	case t.Kind() == reflect.Int:
		return readInt
	case t.Kind() == reflect.Bool:
		return readBool
	}
	panic("no reader for " + t.String())
}

func readObject(f *field, raw []byte, v reflect.Value) *sender.Error {
	if raw[0] != '{' {
		return invalid(f.name, "must be an object")
	}
	v.SetBytes(raw[:len(raw):len(raw)])
	return nil
}

// errEmpty refuses an empty value. Whoever wants none leaves the field out, while a value that is empty by mistake, such as the
// webhook of a portal link, would widen what is asked for.
func (f *field) errEmpty() *sender.Error {
	if f.required {
		return invalid(f.name, "must not be empty")
	}
	return invalid(f.name, "must not be empty; leave it out if there is none")
}

func readString(f *field, raw []byte, v reflect.Value) *sender.Error {
	text, problem := textOf(raw)
	if problem != "" {
		return invalid(f.name, "%s", problem)
	}
	if f.hasMin && text == "" {
		return f.errEmpty()
	}
	if len(text) < f.min {
		return invalid(f.name, "must have at least %d bytes", f.min)
	}
	v.SetString(text)
	return nil
}

// textOf decodes a string. Half a surrogate pair is refused: a replacement would silently make another secret or ID.
func textOf(raw []byte) (text, problem string) {
	if raw[0] != '"' {
		return "", "must be a string"
	}
	for _, c := range raw {
		if c == '\\' {
			text, valid := jsonscan.Unescape(raw[1 : len(raw)-1])
			if !valid {
				return "", "has half a surrogate pair, which is no character"
			}
			return string(text), ""
		}
	}
	return string(raw[1 : len(raw)-1]), ""
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
	if f.hasMin && n < int64(f.min) {
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
	text, problem := textOf(raw)
	if problem != "" {
		return invalid(f.name, "%s", problem)
	}
	t, err := timeOf(f.name, text)
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

// timeOf reads a time. The year 1 is refused because the zero time means that none was given.
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
	text, problem := textOf(raw)
	if problem != "" {
		return invalid(f.name, "%s", problem)
	}
	d, err := config.ParseDuration(text)
	if err != nil || d < f.shortest || d > f.longest {
		if f.shortest > 0 {
			return invalid(f.name, "must be a duration from %s to %s, such as 30s", config.FormatDuration(f.shortest), config.FormatDuration(f.longest))
		}
		return invalid(f.name, "must be a duration such as 24h, 90m or 2d, of %s at most", config.FormatDuration(f.longest))
	}
	v.SetInt(int64(d))
	return nil
}

func readDurations(f *field, raw []byte, v reflect.Value) *sender.Error {
	var texts []string
	if refused := readStrings(f, raw, reflect.ValueOf(&texts).Elem()); refused != nil {
		return refused
	}
	list := make([]config.Duration, len(texts))
	for i, text := range texts {
		d, err := config.ParseDuration(text)
		if err != nil || d < 0 {
			return invalid(f.name, "must be a list of durations such as 0s, 5m or 2d; number %d is none", i+1)
		}
		list[i] = config.Duration(d)
	}
	v.Set(reflect.ValueOf(list))
	return nil
}

func readStrings(f *field, raw []byte, v reflect.Value) *sender.Error {
	return readItems(f, raw, v, "strings", textOf)
}

// readItems reads a list. text reads one item as a string, or says what is wrong with it; items says what they are, for the errors.
func readItems(f *field, raw []byte, v reflect.Value, items string, text func(item []byte) (text, problem string)) *sender.Error {
	if raw[0] != '[' {
		return invalid(f.name, "must be a list of %s", items)
	}
	s, list := jsonscan.New(raw), []string{}
	var refused *sender.Error
	_ = s.Array(func(n int) error { // the scan before has checked its form
		item, _ := s.Value()
		text, problem := text(item)
		if problem != "" && refused == nil {
			refused = invalid(f.name, "must be a list of %s; number %d %s", items, n+1, problem)
		}
		list = append(list, text)
		return nil
	})
	if f.hasMin && len(list) == 0 {
		return f.errEmpty()
	}
	v.Set(reflect.ValueOf(list).Convert(v.Type()))
	return refused
}

func readMap(f *field, raw []byte, v reflect.Value) *sender.Error {
	if raw[0] != '{' {
		return invalid(f.name, "must be an object of names and values")
	}
	s, members := scanner{Scanner: jsonscan.New(raw)}, map[string]string{}
	_ = s.object(f.name, func(name []byte) error { // the scan before has checked its form
		member, _ := s.Value()
		text, problem := textOf(member)
		if problem != "" {
			s.refuse(invalid(f.name, "must have strings as values; that of %q %s", shorten(name), problem))
		}
		members[string(name)] = text
		return nil
	})
	v.Set(reflect.ValueOf(members))
	return s.refused
}

func readHeaderUpdate(f *field, raw []byte, v reflect.Value) *sender.Error {
	h := v.Addr().Interface().(*headerUpdate)
	if raw[0] == '[' {
		return readStrings(f, raw, reflect.ValueOf(&h.names).Elem())
	}
	return readMap(f, raw, reflect.ValueOf(&h.values).Elem())
}

func readEmails(f *field, raw []byte, v reflect.Value) *sender.Error {
	return readItems(f, raw, v, "addresses", emailOf)
}

// emailOf reads an address, or the object in which GET answers one.
func emailOf(raw []byte) (address, problem string) {
	if raw[0] != '{' {
		return textOf(raw)
	}
	var email sender.NotifyEmail
	if json.Unmarshal(raw, &email) != nil {
		return "", "must be an address, or an object as GET shows it"
	}
	return email.Address, ""
}
