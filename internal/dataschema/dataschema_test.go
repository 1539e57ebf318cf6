package dataschema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func compiled(t *testing.T, text string) *Schema {
	t.Helper()
	s, err := Compile([]byte(text))
	require.NoError(t, err)
	return s
}

func TestCheckSaysWhere(t *testing.T) {
	t.Parallel()
	s := compiled(t, `{"type":"object","required":["size"],"properties":{
		"size":{"type":"integer","minimum":1},"name":{"$ref":"#/$defs/name"},
		"formats":{"type":"array","uniqueItems":true,"items":{"type":"object","additionalProperties":false,"properties":{"url":{"type":"string"}}}},
		"kind":{"enum":["a","b"]}},"$defs":{"name":{"type":"string","pattern":"^[a-z]+$"}}}`)
	for data, place := range map[string]string{
		`{"size":1,"name":"abc","formats":[{"url":"x"}],"kind":"a","more":[]}`: "fits",
		`{"size":123456789012345678901234567890}`:                              "fits",
		`{"size":1.0}`:                              "fits",
		`{}`:                                        ".size",
		`{"size":"1"}`:                              ".size",
		`{"size":0}`:                                ".size",
		`{"size":1,"name":"A"}`:                     ".name",
		`{"size":1,"formats":[{},{"url":5}]}`:       ".formats[1].url",
		`{"size":1,"formats":[{"urls":"x"}]}`:       ".formats[0].urls",
		`{"size":1,"formats":[{},{}]}`:              ".formats",
		`{"size":1,"kind":"c"}`:                     ".kind",
		`{"size":1e1000000000}`:                     ".size",
		`{"size":` + strings.Repeat("9", 401) + `}`: ".size",
		`{"size":1,"x":[[1e999999]]}`:               ".x[0][0]",
	} {
		err := s.Check([]byte(data))
		if place == "fits" {
			require.NoError(t, err, data)
			continue
		}
		var p *Problem
		require.ErrorAs(t, err, &p, data)
		require.Equal(t, place, p.Place, data)
		require.NotEmpty(t, p.Message)
	}
}

// TestNothingIsFetched: a schema that refers to another document is refused without looking for that.
func TestNothingIsFetched(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"$ref":"http://127.0.0.1:1/schema"}`,
		`{"$ref":"file:///etc/passwd"}`,
		`{"$ref":"other.json"}`,
		`{"properties":{"a":{"$dynamicRef":"https://example.com/x#y"}}}`,
		`{"$id":"https://example.com/a","$ref":"b"}`,
		`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`,
		`{"properties":{"a":{"$ref":"http://json-schema.org/draft-07/schema#"}}}`,
	} {
		_, err := Compile([]byte(text))
		var p *Problem
		require.ErrorAs(t, err, &p, text)
		require.Contains(t, p.Message, "another document", text)
	}
	s := compiled(t, `{"$id":"https://example.com/a","$ref":"b","$defs":{"b":{"$id":"b","required":["x"]}}}`)
	require.Error(t, s.Check([]byte(`{}`)), "what the document itself holds can be referred to by its ID")
}

func TestBadSchemas(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no object":             `true`,
		"another dialect":       `{"$schema":"http://json-schema.org/draft-07/schema#"}`,
		"a type that isn't":     `{"type":"strnig"}`,
		"a pattern that isn't":  `{"pattern":"("}`,
		"a pattern too large":   `{"pattern":"((a{1,1000}){1,1000}){1,1000}"}`,
		"nowhere":               `{"$ref":"#/$defs/none"}`,
		"itself":                `{"$ref":"#"}`,
		"itself, in a ring":     `{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"anyOf":[{"$ref":"#"}]}}}`,
		"doubled without end":   doubling(40),
		"a number out of reach": `{"minimum":1e1000000000}`,
		"too large":             `{"title":"` + strings.Repeat("x", MaxSize) + `"}`,
	} {
		_, err := Compile([]byte(text))
		var p *Problem
		require.ErrorAs(t, err, &p, name)
		require.NotContains(t, p.Message, "event-type.invalid", name)
	}
}

// doubling refers to its next part twice, so many times.
func doubling(n int) string {
	var defs []string
	for i := range n {
		defs = append(defs, fmt.Sprintf(`"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}`, i, i+1, i+1))
	}
	return fmt.Sprintf(`{"$ref":"#/$defs/d0","$defs":{%s,"d%d":{}}}`, strings.Join(defs, ","), n)
}

// TestCostIsBounded: each of these would take seconds, or for ever.
func TestCostIsBounded(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 900) + `{}` + strings.Repeat(`}`, 900)
	for name, row := range map[string][2]string{
		"a tree of branches": {`{"anyOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}]}`, deep},
		"a slow pattern":     {`{"properties":{"s":{"pattern":"(x{1,100}){1,9}y"}}}`, `{"s":"` + strings.Repeat("x", 200_000) + `"}`},
		"a large enum":       {`{"properties":{"l":{"items":{"enum":[` + strings.TrimSuffix(strings.Repeat(`"a",`, 7000), ",") + `]}}}}`, `{"l":[` + strings.TrimSuffix(strings.Repeat(`"b",`, 50_000), ",") + `]}`},
		"many patterns":      {`{"patternProperties":{` + manyPatterns(500) + `}}`, manyMembers(20_000)},
	} {
		var p *Problem
		require.ErrorAs(t, compiled(t, row[0]).Check([]byte(row[1])), &p, name)
		require.Contains(t, p.Message, "too many steps", name)
	}
	// What is merely large or deep goes through.
	s := compiled(t, `{"type":"object","properties":{"a":{"$ref":"#"},"l":{"type":"array","items":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"},"s":{"type":"string","pattern":"^[a-z]{1,20}$"}}}}}}`)
	require.NoError(t, s.Check([]byte(deep)))
	require.NoError(t, s.Check([]byte(`{"l":[`+strings.TrimSuffix(strings.Repeat(`{"n":12345,"s":"some"},`, 10_000), ",")+`]}`)))
}

func manyPatterns(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`"^k%d[a-z]+x{1,20}$":true`, i))
	}
	return strings.Join(list, ",")
}

func manyMembers(n int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`"k%d":1`, i))
	}
	return "{" + strings.Join(list, ",") + "}"
}

func FuzzCheck(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#"}}}`, `{"a":{"a":1e5}}`)
	f.Add(doubling(3), `{}`)
	f.Add(`{"multipleOf":0.1,"items":{"uniqueItems":true},"contains":{"const":null}}`, `[1,2]`)
	f.Fuzz(func(t *testing.T, schema, data string) {
		s, err := Compile([]byte(schema))
		if err == nil {
			_ = s.Check([]byte(data))
		}
	})
}
