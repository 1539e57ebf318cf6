package signature

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestField(t *testing.T) {
	t.Parallel()
	doc := `{"id":"evt_1", "n" : 12345678901234567890, "neg":-1.5e3,"o":{"a":["x",{"b":"c"}],"id":"inner"},"esc\"aped":"a\u0062\"","a/b":"slash","m~n":"tilde","":"empty","t":true,"nil":null,"long":"` +
		strings.Repeat("x", 257) + `","line":"a\nb","uni":"é","dup":1,"dup":2}`
	for name, c := range map[string]struct {
		pointer, want string
		ok            bool
	}{
		"string":               {"/id", "evt_1", true},
		"number, all digits":   {"/n", "12345678901234567890", true},
		"negative":             {"/neg", "-1.5e3", true},
		"nested":               {"/o/id", "inner", true},
		"element":              {"/o/a/0", "x", true},
		"member of an element": {"/o/a/1/b", "c", true},
		"escaped name":         {`/esc"aped`, `ab"`, true},
		"slash in a name":      {"/a~1b", "slash", true},
		"tilde in a name":      {"/m~0n", "tilde", true},
		"empty name":           {"/", "empty", true},
		"first of two":         {"/dup", "1", true},
		"boolean":              {"/t", "", false},
		"null":                 {"/nil", "", false},
		"object":               {"/o", "", false},
		"too long":             {"/long", "", false},
		"line break":           {"/line", "", false},
		"not ASCII":            {"/uni", "", false},
		"absent":               {"/x", "", false},
		"beyond the array":     {"/o/a/2", "", false},
		"leading zero":         {"/o/a/00", "", false},
		"not an index":         {"/o/a/x", "", false},
		"into a string":        {"/id/x", "", false},
		"no slash":             {"id", "", false},
		"whole document":       {"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok := Field([]byte(doc), c.pointer)
			require.Equal(t, c.ok, ok)
			require.Equal(t, c.want, got)
		})
	}
}

func TestFieldOfBrokenDocuments(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{"", " ", "{", `{"id"`, `{"id":`, `{"id":"`, `{"id":"x\`, `{"id" "x"}`, `{"a":}`, `{"a":[}`, `{,"id":"x"}`, "[", "]", "}", `"id"`, "\x00", `{"a":1 "id":"x"}`, strings.Repeat("[", 100_000)} {
		got, ok := Field([]byte(doc), "/id")
		require.False(t, ok, "%.20q", doc)
		require.Empty(t, got)
	}
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	_, ok := Field([]byte(`{"x":`+deep+`,"id":"y"}`), "/id")
	require.True(t, ok)
}

// FuzzField checks the scanner against encoding/json: whatever it finds in a valid document is what is there.
func FuzzField(f *testing.F) {
	f.Add([]byte(`{"id":"evt_1","o":{"a":[1,"x"]}}`), "id")
	f.Add([]byte(`{"i\u0064":"a\"b"}`), "id")
	f.Add([]byte(` [ {"id" : 1e5 } ] `), "id")
	f.Fuzz(func(t *testing.T, doc []byte, name string) {
		pointer := "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
		got, ok := Field(doc, pointer)
		var members []struct {
			name string
			raw  json.RawMessage
		}
		if !json.Valid(doc) {
			return
		}
		d := json.NewDecoder(strings.NewReader(string(doc)))
		if t, _ := d.Token(); t != json.Delim('{') {
			return
		}
		for d.More() {
			key, err := d.Token()
			require.NoError(t, err)
			var raw json.RawMessage
			require.NoError(t, d.Decode(&raw))
			members = append(members, struct {
				name string
				raw  json.RawMessage
			}{key.(string), raw})
		}
		for _, m := range members {
			if m.name != name {
				continue
			}
			var text string
			switch {
			case m.raw[0] == '"':
				require.NoError(t, json.Unmarshal(m.raw, &text))
			case m.raw[0] == '-' || (m.raw[0] >= '0' && m.raw[0] <= '9'):
				text = string(m.raw)
			}
			if !printable(text) {
				text = ""
			}
			require.Equal(t, text, got)
			require.Equal(t, text != "", ok)
			return
		}
		require.False(t, ok)
	})
}

// TestNamesAreReadAsJSONHasThem compares names with escapes to what encoding/json makes of them.
func TestNamesAreReadAsJSONHasThem(t *testing.T) {
	t.Parallel()
	for _, inner := range []string{`a`, `\u0061`, `\u0061b`, `a\u0062`, `\"`, `\\`, `\/`, `\b\f\n\r\t`, `\u00e4`, `\u00E4x`, `\ud83d\ude00`, `x\uD83D\uDE00y`, `\ud83d`, `\ud83d\u0061`, `\ude00\ud83d`, `\ud83dx`, `äöü\u0000`} {
		var want string
		require.NoError(t, json.Unmarshal([]byte(`"`+inner+`"`), &want))
		require.True(t, nameIs([]byte(`"`+inner+`"`), want), inner)
		for _, other := range []string{"", want + "x", want[:len(want)-1], "x" + want} {
			require.False(t, nameIs([]byte(`"`+inner+`"`), other), "%s is not %q", inner, other)
		}
		raw, ok := rawField([]byte(`{"`+inner+`":1}`), "/"+strings.ReplaceAll(strings.ReplaceAll(want, "~", "~0"), "/", "~1"))
		require.True(t, ok, inner)
		require.Equal(t, "1", string(raw))
		require.Error(t, distinctNames([]byte(`{"`+inner+`":1,"b":2,"`+inner+`":3}`), maxNames), inner)
	}
	for _, broken := range []string{`\`, `\x`, `\u`, `\u00`, `\u00g0`, `\u 061`} {
		require.False(t, nameIs([]byte(`"`+broken+`"`), "a"), broken)
		require.Error(t, distinctNames([]byte(`{"`+broken+`":1}`), maxNames), broken)
	}
}

func TestFieldsOfAnObject(t *testing.T) {
	t.Parallel()
	fields, ok := fieldsOf([]byte(` {"a":"x\ny", "b":{"a":"inner"}, "c":12, "a":"second", "d":true } `), "a", "b", "c", "d", "e")
	require.True(t, ok)
	require.Equal(t, map[string]string{"a": "x\ny", "b": "", "c": "12", "d": ""}, fields)
	fields, ok = fieldsOf([]byte(`{}`), "a")
	require.True(t, ok)
	require.Empty(t, fields)
	for _, broken := range []string{"", "[]", "{", `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":"x}`, `{"a":1 "b":2}`} {
		_, ok := fieldsOf([]byte(broken), "a")
		require.False(t, ok, broken)
	}
}
