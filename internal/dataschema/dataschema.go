// Package dataschema checks events' data against JSON Schema (2020-12), within bounds: a schema can't refer to other documents, so nothing
// is ever fetched, and the cost of a check is bounded by the size of the data, whatever the schema says.
//
//	s, err := dataschema.Compile(schema)
//	...
//	err = s.Check(data) // a *Problem says where and what
package dataschema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// MaxSize bounds a schema, in bytes.
const MaxSize = 32 << 10

// dialect is the only accepted value of $schema.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// location is the base URI of every schema, at which its own parts are found. Nothing is fetched from there.
const location = "https://event-type.invalid/schema"

// Schema is a compiled schema. It is safe for concurrent use.
type Schema struct {
	root    *jsonschema.Schema
	parts   map[*jsonschema.Schema]part
	anchors map[string][]*jsonschema.Schema // by $dynamicAnchor
}

// part describes a part of a schema, for counting the steps of a check.
type part struct {
	weight  int                  // steps of the part itself, by the size of the values that it compares with
	inPlace []*jsonschema.Schema // the parts that apply to the same value
}

// Problem says what is wrong with data or with a schema.
type Problem struct {
	Place   string // in the data, such as .size or .formats[0].url; empty for the whole
	Message string
}

// Error implements error.
func (p *Problem) Error() string { return strings.TrimSpace(p.Place + " " + p.Message) }

// noLoader refuses to load other documents.
type noLoader struct{}

var errOtherDocument = errors.New("it refers to another document; put what it needs into its own $defs")

// Load implements jsonschema.URLLoader.
func (noLoader) Load(string) (any, error) { return nil, errOtherDocument }

// boundedRegexp is a compiled pattern with its size, in instructions.
type boundedRegexp struct {
	*regexp.Regexp
	size int
}

func compileRegexp(pattern string) (jsonschema.Regexp, error) {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	compiled, err := regexp.Compile(pattern)
	return boundedRegexp{compiled, len(program.Inst)}, err
}

// Compile compiles a schema of at most [MaxSize] bytes. Its error is a *[Problem].
func Compile(text []byte) (s *Schema, err error) {
	if len(text) > MaxSize {
		return nil, &Problem{Message: fmt.Sprintf("it is larger than %d bytes; describe less of the data", MaxSize)}
	}
	doc, problem := decode(text)
	if problem != nil {
		return nil, problem
	}
	object, ok := doc.(map[string]any)
	if !ok {
		return nil, &Problem{Message: "it must be an object"}
	}
	if named, given := object["$schema"]; given && named != dialect && named != dialect+"#" {
		return nil, &Problem{Message: "$schema must be " + dialect + ", or be left out"}
	}
	defer func() { // a document on which the library panics is refused
		if p := recover(); p != nil {
			s, err = nil, &Problem{Message: "it can't be compiled"}
		}
	}()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(noLoader{})
	c.UseRegexpEngine(compileRegexp)
	if err := c.AddResource(location, doc); err != nil {
		return nil, &Problem{Message: clip(err.Error())}
	}
	root, err := c.Compile(location)
	if err != nil {
		if errors.Is(err, errOtherDocument) || strings.Contains(err.Error(), errOtherDocument.Error()) {
			return nil, &Problem{Message: errOtherDocument.Error()}
		}
		return nil, schemaProblem(err)
	}
	s = &Schema{root: root, parts: map[*jsonschema.Schema]part{}, anchors: map[string][]*jsonschema.Schema{}}
	if !s.collect(root) {
		return nil, &Problem{Message: errOtherDocument.Error()}
	}
	if m := (meter{schema: s, left: budget(0)}); !m.visit(root, map[string]any{}, 0) {
		return nil, &Problem{Message: "checking an empty object takes too many steps; does it refer to itself without end?"}
	}
	return s, nil
}

func schemaProblem(err error) error {
	var invalid *jsonschema.SchemaValidationError
	if errors.As(err, &invalid) {
		var v *jsonschema.ValidationError
		if errors.As(invalid.Err, &v) {
			path, message := deepest(v)
			return &Problem{Message: clip("at /" + strings.Join(path, "/") + ": " + message)}
		}
	}
	return &Problem{Message: clip(strings.ReplaceAll(err.Error(), location, ""))}
}

// collect adds a schema and all its parts. It returns false if one of them is in another document.
func (s *Schema) collect(of *jsonschema.Schema) bool {
	if _, ok := s.parts[of]; ok {
		return true
	}
	if !strings.HasPrefix(of.Location, location) {
		return false
	}
	p := part{weight: 1, inPlace: inPlace(of)}
	if of.Enum != nil {
		p.weight += nodes(of.Enum.Values) / 8
	}
	if of.Const != nil {
		p.weight += nodes(*of.Const) / 8
	}
	s.parts[of] = p
	if of.DynamicAnchor != "" {
		s.anchors[of.DynamicAnchor] = append(s.anchors[of.DynamicAnchor], of)
	}
	for _, child := range append(below(of), p.inPlace...) {
		if !s.collect(child) {
			return false
		}
	}
	return true
}

// nodes counts the values in a value.
func nodes(v any) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			n += nodes(item)
		}
	case map[string]any:
		for name, item := range v {
			n += nodes(item) + len(name)/16
		}
	case string:
		n += len(v) / 16
	}
	return n
}

// inPlace returns the parts that apply to the same value as s.
func inPlace(s *jsonschema.Schema) []*jsonschema.Schema {
	list := []*jsonschema.Schema{s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else}
	list = append(append(append(list, s.AllOf...), s.AnyOf...), s.OneOf...)
	for _, child := range s.DependentSchemas {
		list = append(list, child)
	}
	if s.DynamicRef != nil {
		list = append(list, s.DynamicRef.Ref)
	}
	return withoutNil(list)
}

// withoutNil removes the nil of keywords that a schema does not have.
func withoutNil(list []*jsonschema.Schema) []*jsonschema.Schema {
	return slices.DeleteFunc(list, func(s *jsonschema.Schema) bool { return s == nil })
}

// below returns the parts that apply to values inside of the value.
func below(s *jsonschema.Schema) []*jsonschema.Schema {
	list := []*jsonschema.Schema{s.PropertyNames, s.UnevaluatedProperties, s.Contains, s.Items2020, s.UnevaluatedItems}
	list = append(list, s.PrefixItems...)
	for _, child := range s.Properties {
		list = append(list, child)
	}
	for _, child := range s.PatternProperties {
		list = append(list, child)
	}
	if child, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		list = append(list, child)
	}
	return withoutNil(list)
}

// decode decodes a document, with its numbers as they are written.
func decode(text []byte) (any, *Problem) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, &Problem{Message: "is not JSON"}
	}
	return v, numbers(v, "")
}

// maxDigits bounds both the digits of a number and its power of ten: calculating with 1e1000000000, which is short, would take too long.
const maxDigits = 400

var power = regexp.MustCompile(`[eE][+-]?0*([0-9]+)$`)

// numbers returns the problem of the first number in v that is too long. place is that of v.
func numbers(v any, place string) *Problem {
	switch v := v.(type) {
	case json.Number:
		exponent := power.FindStringSubmatch(string(v))
		if len(v) > maxDigits || exponent != nil && (len(exponent[1]) > 3 || len(exponent[1]) == 3 && exponent[1] > "400") {
			return &Problem{Place: place, Message: fmt.Sprintf("must be a number of at most %d digits", maxDigits)}
		}
	case []any:
		for i, item := range v {
			if p := numbers(item, place); p != nil {
				p.Place = place + fmt.Sprintf("[%d]", i) + strings.TrimPrefix(p.Place, place)
				return p
			}
		}
	case map[string]any:
		for name, item := range v {
			if p := numbers(item, place); p != nil {
				p.Place = place + "." + name + strings.TrimPrefix(p.Place, place)
				return p
			}
		}
	}
	return nil
}
