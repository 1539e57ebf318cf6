package dataschema

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// budget returns how many steps the check of so many bytes of data may take: those of some milliseconds, and more for each kilobyte.
func budget(size int) int { return 20_000 + 4*size }

// maxNested is how many nested parts of a schema may apply to the same value.
const maxNested = 200

var tooCostly = &Problem{Message: "takes too many steps to be checked against the schema of this type; simplify one of them"}

// Check returns a *[Problem] if data is not JSON or does not fit the schema.
func (s *Schema) Check(data []byte) (err error) {
	v, problem := decode(data)
	if problem != nil {
		return problem
	}
	// The library has no bounds, so the steps are counted before it is called.
	if m := (meter{schema: s, left: budget(len(data))}); !m.visit(s.root, v, 0) {
		return tooCostly
	}
	defer func() { // see Compile
		if p := recover(); p != nil {
			err = &Problem{Message: "can't be checked against the schema of this type"}
		}
	}()
	failed, ok := s.root.Validate(v).(*jsonschema.ValidationError)
	if !ok {
		return nil
	}
	path, text := deepest(failed)
	return &Problem{Place: placeOf(path, v), Message: clip(text)}
}

// meter counts the most steps that a check can take.
type meter struct {
	schema *Schema
	left   int
}

// visit counts the steps of checking a value against a part of a schema. It returns false if there are too many. nested is how many outer
// parts apply to the same value.
func (m *meter) visit(s *jsonschema.Schema, v any, nested int) bool {
	if s == nil {
		return true
	}
	p := m.schema.parts[s]
	if m.left -= p.weight; m.left < 0 || nested > maxNested {
		return false
	}
	if s.Bool != nil {
		return true
	}
	for _, part := range p.inPlace {
		if !m.visit(part, v, nested+1) {
			return false
		}
	}
	if s.DynamicRef != nil {
		for _, part := range m.schema.anchors[s.DynamicRef.Anchor] {
			if part != s.DynamicRef.Ref && !m.visit(part, v, nested+1) {
				return false
			}
		}
	}
	switch v := v.(type) {
	case string:
		return s.Pattern == nil || m.match(s.Pattern, v)
	case []any:
		return m.items(s, v)
	case map[string]any:
		for name, value := range v {
			if !m.member(s, name, value) {
				return false
			}
		}
	}
	return true
}

// match counts the steps of matching a text with a pattern.
func (m *meter) match(pattern jsonschema.Regexp, text string) bool {
	if p, ok := pattern.(boundedRegexp); ok {
		m.left -= 1 + p.size*(len(text)+1)/16
	}
	return m.left >= 0
}

// items counts the steps of checking the items of a list.
func (m *meter) items(s *jsonschema.Schema, list []any) bool {
	if s.UniqueItems {
		m.left -= 20 * nodes(list)
	}
	for i, item := range list {
		first := s.Items2020
		if i < len(s.PrefixItems) {
			first = s.PrefixItems[i]
		}
		for _, part := range []*jsonschema.Schema{first, s.Contains, s.UnevaluatedItems} {
			if !m.visit(part, item, 0) {
				return false
			}
		}
	}
	return m.left >= 0
}

// member counts the steps of checking a member of an object.
func (m *meter) member(s *jsonschema.Schema, name string, value any) bool {
	parts := []*jsonschema.Schema{s.Properties[name], s.UnevaluatedProperties}
	for pattern, part := range s.PatternProperties {
		if !m.match(pattern, name) {
			return false
		}
		if pattern.MatchString(name) {
			parts = append(parts, part)
		}
	}
	if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && s.Properties[name] == nil {
		parts = append(parts, additional)
	}
	for _, part := range parts {
		if !m.visit(part, value, 0) {
			return false
		}
	}
	return m.visit(s.PropertyNames, name, 0)
}

var printer = message.NewPrinter(language.English)

// deepest returns the place and the text of the first problem, in the order of their places.
func deepest(e *jsonschema.ValidationError) (path []string, text string) {
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
		for _, cause := range e.Causes {
			p, t := deepest(cause)
			if text == "" || slices.Compare(p, path) < 0 {
				path, text = p, t
			}
		}
		if text != "" {
			return path, text
		}
	case *kind.Required:
		return append(slices.Clone(e.InstanceLocation), slices.Min(k.Missing)), "is required"
	case *kind.DependentRequired:
		return append(slices.Clone(e.InstanceLocation), slices.Min(k.Missing)), "is required beside " + k.Prop
	case *kind.AdditionalProperties:
		return append(slices.Clone(e.InstanceLocation), slices.Min(k.Properties)), "is not one of the members that this type has"
	case *kind.FalseSchema:
		return e.InstanceLocation, "is not allowed here"
	}
	return e.InstanceLocation, e.ErrorKind.LocalizedString(printer)
}

// placeOf formats a path into v as programs write it: .formats[0].url.
func placeOf(path []string, v any) string {
	var b strings.Builder
	for _, step := range path {
		switch in := v.(type) {
		case []any:
			b.WriteString("[" + step + "]")
			v = nil
			if i, err := strconv.Atoi(step); err == nil && i < len(in) {
				v = in[i]
			}
		case map[string]any:
			b.WriteString("." + step)
			v = in[step]
		default:
			b.WriteString("." + step)
		}
	}
	return clip(b.String())
}

// clip shortens a text to 200 bytes, because it may contain data of unknown senders.
func clip(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	text = text[:most]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + "…"
}
