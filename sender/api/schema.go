package api

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/videocloud/webhooks/sender"
)

// doc is a JSON object that keeps the order of its members, so that the document reads as it was written.
type doc []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (d doc) MarshalJSON() ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteByte('{')
	for i, m := range d {
		if i > 0 {
			buf.WriteByte(',')
		}
		if err := encode(&buf, m.name); err != nil {
			return nil, err
		}
		buf.WriteByte(':')
		if err := encode(&buf, m.value); err != nil {
			return nil, err
		}
	}
	buf.WriteByte('}')
	return buf.Bytes(), nil
}

// schemas collects the schemas of the structs in requests and answers, by name.
type schemas struct {
	list     doc
	made     map[reflect.Type]bool
	examples *examples
}

// choice is a type that stands for one of several.
type choice interface{ choices() []reflect.Type }

func (batchAnswer) choices() []reflect.Type {
	return []reflect.Type{reflect.TypeFor[published](), reflect.TypeFor[refusedEvent]()}
}

// of returns the schema of a type; for a struct, a reference to it. In a request what is optional may be null, and there are no
// other members; an answer has neither.
func (s *schemas) of(t reflect.Type, request bool) doc {
	if t.Kind() == reflect.Pointer {
		return s.of(t.Elem(), request)
	}
	if t.Implements(reflect.TypeFor[choice]()) {
		var list []doc
		for _, c := range reflect.Zero(t).Interface().(choice).choices() {
			list = append(list, s.of(c, request))
		}
		return doc{{"oneOf", list}}
	}
	switch t {
	case reflect.TypeFor[seconds]():
		return doc{{"type", "string"}, {"format", "date-time"}, {"pattern", `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`}}
	case reflect.TypeFor[millis](), typeTime:
		return doc{{"type", "string"}, {"format", "date-time"}}
	case typeTimeSpan, typeDuration:
		return doc{{"type", "string"}, {"pattern", `^([0-9]*\.?[0-9]+(d|h|m|s|ms|us|ns))+$`}, {"examples", []string{"24h"}}}
	case typeIgnored:
		return doc{}
	case typeHeaderUpdate:
		return doc{{"type", []any{"object", "array"}}, {"additionalProperties", doc{{"type", "string"}}}, {"items", doc{{"type", "string"}}}}
	case typeEmails:
		return doc{{"type", "array"}, {"items", doc{{"oneOf", []doc{{{"type", "string"}, {"format", "email"}}, s.of(reflect.TypeFor[sender.NotifyEmail](), false)}}}}}
	case typeRaw:
		return doc{{"type", "object"}}
	case reflect.TypeFor[sender.Code]():
		return doc{{"type", "string"}, {"enum", codes}}
	}
	switch t.Kind() {
	case reflect.Slice:
		return doc{{"type", "array"}, {"items", s.of(t.Elem(), request)}}
	case reflect.Map:
		return doc{{"type", "object"}, {"additionalProperties", s.of(t.Elem(), request)}}
	case reflect.Struct:
		return s.ref(t, request)
	}
	name, ok := map[reflect.Kind]string{
		reflect.Int: "integer", reflect.Int64: "integer", reflect.Float64: "number", reflect.Bool: "boolean", reflect.String: "string",
	}[t.Kind()]
	if !ok {
		panic("no schema for " + t.String())
	}
	return doc{{"type", name}}
}

// ref returns a reference to the schema of a struct, which it makes if there is none yet.
func (s *schemas) ref(t reflect.Type, request bool) doc {
	name := strings.TrimPrefix(t.Name(), "api")
	name = strings.ToUpper(name[:1]) + name[1:]
	if !s.made[t] {
		s.made[t] = true
		if s.list.get(name) != nil {
			panic("two types would be the schema " + name + ": rename one")
		}
		at := len(s.list)
		s.list = append(s.list, member{name: name})
		s.list[at].value = s.object(t, request)
	}
	return doc{{"$ref", "#/components/schemas/" + name}}
}

func (s *schemas) object(t reflect.Type, request bool) doc {
	properties, required := s.properties(t, request)
	d := doc{{"type", "object"}, {"properties", properties}}
	if len(required) > 0 {
		d = append(d, member{"required", required})
	}
	if request {
		d = append(d, member{"additionalProperties", false})
	}
	return d
}

func (s *schemas) properties(t reflect.Type, request bool) (properties doc, required []string) {
	partly := t.Implements(reflect.TypeFor[partial]())
	for i := range t.NumField() {
		sf := t.Field(i)
		if sf.Anonymous {
			p, r := s.properties(sf.Type, request)
			for _, m := range p {
				if properties.get(m.name) == nil { // otherwise the outer struct has a field of that name, which hides this one
					properties = append(properties, m)
				}
			}
			for _, name := range r {
				if !partly && !slices.Contains(required, name) {
					required = append(required, name)
				}
			}
			continue
		}
		name, options, _ := strings.Cut(sf.Tag.Get("json"), ",")
		must := sf.Tag.Get("required") == "true"
		if !request {
			must = options != "omitempty"
		}
		if must {
			required = append(required, name)
		}
		property := s.constrained(sf, request)
		if null := sf.Tag.Get("null"); request && !must && null != "no" || null == "yes" {
			property = nullable(property)
		}
		properties = append(properties, member{name, property})
	}
	return properties, required
}

// constrained returns the schema of a field with what its tags state: the bounds of a request, and what an answer keeps to.
func (s *schemas) constrained(sf reflect.StructField, request bool) doc {
	d := s.of(sf.Type, request)
	tag := sf.Tag
	kind, _ := d.get("type").(string)
	if sf.Type == reflect.PointerTo(typeHeaderUpdate) {
		kind = "object"
	}
	bounds := map[string][2]string{
		"string": {"minLength", "maxLength"}, "integer": {"minimum", "maximum"}, "array": {"minItems", "maxItems"}, "object": {"minProperties", "maxProperties"},
	}[kind]
	for i, key := range []string{"min", "max"} {
		if n, ok := limit(tag.Get(key)); ok {
			d = append(d, member{bounds[i], n})
		}
	}
	if n, ok := limit(tag.Get("max_key")); ok {
		d = append(d, member{"propertyNames", doc{{"type", "string"}, {"minLength", 1}, {"maxLength", n}}})
	}
	if n, ok := limit(tag.Get("max_value")); ok {
		d = d.with("additionalProperties", doc{{"type", "string"}, {"maxLength", n}})
	}
	for _, key := range []string{"format", "pattern"} {
		if value := tag.Get(key); value != "" {
			d = append(d, member{key, value})
		}
	}
	if e := tag.Get("enum"); e != "" {
		d = append(d, member{"enum", strings.Split(e, ",")})
	}
	if tag.Get("read_only") == "true" {
		d = append(d, member{"readOnly", true})
	}
	if text := tag.Get("doc"); text != "" {
		d = append(d, member{"description", text})
	}
	if e := tag.Get("example"); e != "" {
		example := any(e)
		if kind == "array" {
			example = strings.Split(e, ",")
		}
		d = d.with("examples", []any{example})
	}
	return d
}

// with returns d with another value of a member.
func (d doc) with(name string, value any) doc {
	for i := range d {
		if d[i].name == name {
			d[i].value = value
			return d
		}
	}
	return append(d, member{name, value})
}

func (d doc) get(name string) any {
	for _, m := range d {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// nullable makes a schema allow null as well, which an enum must name too.
func nullable(d doc) doc {
	for i, m := range d {
		switch m.name {
		case "oneOf":
			d[i].value = append(m.value.([]doc), doc{{"type", "null"}})
		case "type":
			types, several := m.value.([]any)
			if !several {
				types = []any{m.value}
			}
			d[i].value = append(types, "null")
		case "enum":
			values := []any{}
			for _, v := range m.value.([]string) {
				values = append(values, v)
			}
			d[i].value = append(values, nil)
		}
	}
	return d
}

// Interface guard.
var _ json.Marshaler = doc{}
