package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// document is an OpenAPI document. Its numbers are of type json.Number.
type document struct {
	root map[string]any
}

func parseDocument(b []byte) (*document, error) {
	v, err := parseJSON(b)
	if err != nil {
		return nil, err
	}
	root, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("parsing the OpenAPI document: not an object")
	}
	return &document{root: root}, nil
}

// parseJSON reads the first JSON value of a text, with numbers of type json.Number.
func parseJSON(b []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("parsing JSON: %w", err)
	}
	return v, nil
}

// at returns the value that a path of member names leads to from the root, nil where there is none.
func (d *document) at(names ...string) any {
	var v any = d.root
	for _, name := range names {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	return v
}

// resolve returns an object of the document, or the one that it refers to.
func (d *document) resolve(v any) map[string]any {
	object, _ := v.(map[string]any)
	if ref, ok := object["$ref"].(string); ok {
		return d.resolve(d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...))
	}
	return object
}

// validate checks a value against a schema. It fails on a keyword that it does not support, so that none goes
// unchecked. An object whose schema names its properties may have no others: the document must name everything
// that the API answers. Errors call the value by its path, at.
func (d *document) validate(schema, value any, at string) error {
	s := d.resolve(schema)
	if s == nil {
		return fmt.Errorf("%s: no schema: %v", at, schema)
	}
	for keyword, v := range s {
		if err := d.validateKeyword(s, keyword, v, value, at); err != nil {
			return err
		}
	}
	return nil
}

// validateKeyword checks a value against one keyword of the schema s, whose own value is v.
func (d *document) validateKeyword(s map[string]any, keyword string, v, value any, at string) error {
	ok := true
	switch keyword {
	case "description", "examples", "default", "readOnly":
		return nil
	case "additionalProperties":
		members, isObject := value.(map[string]any)
		if _, named := s["properties"]; named || !isObject {
			return nil
		}
		for name, member := range members {
			if err := d.validate(v, member, at+"."+name); err != nil {
				return err
			}
		}
	case "propertyNames":
		members, _ := value.(map[string]any)
		for name := range members {
			if err := d.validate(v, name, at+"."+name); err != nil {
				return err
			}
		}
	case "properties":
		return d.validateProperties(v.(map[string]any), value, at)
	case "type":
		ok = hasType(v, value)
	case "const":
		ok = v == value
	case "enum":
		ok = slices.Contains(v.([]any), value)
	case "required":
		object, isObject := value.(map[string]any)
		for _, name := range v.([]any) {
			if _, there := object[name.(string)]; isObject && !there {
				return fmt.Errorf("%s: %v is missing", at, name)
			}
		}
	case "items":
		list, _ := value.([]any)
		for i, item := range list {
			if err := d.validate(v, item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case "oneOf":
		matches := 0
		for _, schema := range v.([]any) {
			if d.validate(schema, value, at) == nil {
				matches++
			}
		}
		ok = matches == 1
	case "pattern":
		text, isString := value.(string)
		ok = !isString || regexp.MustCompile(v.(string)).MatchString(text)
	case "format":
		text, isString := value.(string)
		ok = !isString || hasFormat(v.(string), text)
	case "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "minProperties", "maxProperties":
		ok = inBound(keyword, v.(json.Number), value)
	default:
		return fmt.Errorf("%s: the schema has a keyword that this test does not support: %s", at, keyword)
	}
	if !ok {
		return fmt.Errorf("%s: %v does not satisfy %s %v", at, value, keyword, v)
	}
	return nil
}

// validateProperties checks the members of an object against the schemas of the properties with their names.
func (d *document) validateProperties(properties map[string]any, value any, at string) error {
	object, _ := value.(map[string]any)
	for name, member := range object {
		schema, documented := properties[name]
		if !documented {
			return fmt.Errorf("%s: %s is not documented", at, name)
		}
		if err := d.validate(schema, member, at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

// hasType reports whether a value has a type of JSON Schema, or one of a list of types.
func hasType(types, value any) bool {
	if list, ok := types.([]any); ok {
		return slices.ContainsFunc(list, func(t any) bool { return hasType(t, value) })
	}
	switch v := value.(type) {
	case nil:
		return types == "null"
	case string:
		return types == "string"
	case bool:
		return types == "boolean"
	case json.Number:
		n, err := v.Float64()
		return types == "number" || types == "integer" && err == nil && n == math.Trunc(n)
	case []any:
		return types == "array"
	case map[string]any:
		return types == "object"
	}
	return false
}

// hasFormat reports whether a text has a format of JSON Schema. No text has a format that the document does not use.
func hasFormat(format, text string) bool {
	switch format {
	case "date-time":
		_, err := time.Parse(time.RFC3339, text)
		return err == nil
	case "email":
		_, domain, ok := strings.Cut(text, "@")
		return ok && domain != ""
	case "uri":
		u, err := url.Parse(text)
		return err == nil && u.IsAbs()
	}
	return false
}

// inBound reports whether a value keeps a bound. A bound on another type of values than this one's does not concern it.
func inBound(keyword string, bound json.Number, value any) bool {
	limit, _ := bound.Float64()
	var n float64
	counted := "imum"
	switch v := value.(type) {
	case string:
		n, counted = float64(utf8.RuneCountInString(v)), "Length"
	case []any:
		n, counted = float64(len(v)), "Items"
	case map[string]any:
		n, counted = float64(len(v)), "Properties"
	case json.Number:
		n, _ = v.Float64()
	default:
		return true
	}
	minOrMax, concerns := strings.CutSuffix(keyword, counted)
	return !concerns || minOrMax == "min" && n >= limit || minOrMax == "max" && n <= limit
}
