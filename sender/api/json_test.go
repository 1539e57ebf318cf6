package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

// documents are the seeds of the scanner.
func documents(t testing.TB) (all []string) {
	lines, err := os.ReadFile("../../internal/jsonscan/testdata/documents.txt") // each as Go quotes it
	require.NoError(t, err)
	for line := range strings.Lines(string(lines)) {
		d, err := strconv.Unquote(strings.TrimSuffix(line, "\n"))
		require.NoError(t, err)
		all = append(all, d)
	}
	return all
}

// FuzzEvent checks what is promised of the event that was read, whatever came in.
func FuzzEvent(f *testing.F) {
	for _, d := range documents(f) {
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var e newEvent
		err := newEventPlan.decode(b, reflect.ValueOf(&e))
		checkBatchOf(t, b, e, err)
		if err != nil {
			refused := (*sender.Error)(nil)
			if !errors.As(err, &refused) || statuses[refused.Code] == 0 || refused.Message == "" || !utf8.ValidString(refused.Field) {
				t.Fatalf("%q: not an error of the API: %#v", b, err)
			}
			return
		}
		if !json.Valid(b) || !utf8.Valid(b) {
			t.Fatalf("%q: accepted", b)
		}
		var std struct {
			Event string          `json:"event"`
			ID    string          `json:"id"`
			Data  json.RawMessage `json:"data"`
		}
		if err := json.Unmarshal(b, &std); err != nil {
			t.Fatalf("%q: encoding/json: %v", b, err)
		}
		if std.Event != e.Event || std.ID != valueOf(e.ID) || !bytes.Equal(std.Data, e.Data) {
			t.Fatalf("%q: read as %+v, by encoding/json as %+v", b, e, std)
		}
		if e.Data[0] != '{' || !json.Valid(e.Data) {
			t.Fatalf("%q: data is %q", b, e.Data)
		}
	})
}

// checkBatchOf makes sure that an event fares in a batch as it does alone, unless it is not even JSON.
func checkBatchOf(t *testing.T, b []byte, alone newEvent, aloneErr error) {
	if !json.Valid(b) || !utf8.Valid(b) {
		return
	}
	batch := append(append([]byte(`{"events":[{"event":"a","data":{}},`), b...), `]}`...)
	items, err := readBatch(batch)
	if err != nil || len(items) != 2 || items[0].refused != nil {
		t.Fatalf("%q: in a batch: %v", b, err)
	}
	if (items[1].refused == nil) != (aloneErr == nil) {
		t.Fatalf("%q: alone %v, in a batch %v", b, aloneErr, items[1].refused)
	}
	if aloneErr == nil && !reflect.DeepEqual(alone, items[1].event) {
		t.Fatalf("%q: alone %+v, in a batch %+v", b, alone, items[1].event)
	}
	if refused := (*sender.Error)(nil); errors.As(aloneErr, &refused) && !reflect.DeepEqual(refused, items[1].refused) {
		t.Fatalf("%q: alone %v, in a batch %v", b, refused, items[1].refused)
	}
}

func TestDataIsASliceOfTheRequest(t *testing.T) {
	t.Parallel()
	body := []byte(`{"event":"a","data":{"n":12345678901234567890, "s":"\u003c"},"id":"x"}`)
	var e newEvent
	require.NoError(t, newEventPlan.decode(body, reflect.ValueOf(&e)))
	require.Equal(t, `{"n":12345678901234567890, "s":"\u003c"}`, string(e.Data))
	require.Same(t, &body[20], &e.Data[0])
	require.Equal(t, len(e.Data), cap(e.Data), "appending to it must not write into the request")
}

func TestSyntaxErrorsSayWhere(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ body, want string }{
		"a comma too many":  {"{\n  \"event\": \"a\",\n}", "expected a member's name (line 3, byte 1)"},
		"no colon":          {`{"event" "a"}`, "expected a colon after the member's name (line 1, byte 10)"},
		"no comma":          {"{\"event\":\"a\"\n\"data\":{}}", "expected a comma or the object's closing brace (line 2, byte 1)"},
		"in a list":         {`{"data":{"a":[1 2]}}`, "expected a comma or the array's closing bracket (line 1, byte 17)"},
		"no value":          {`{"data":}`, "expected a value (line 1, byte 9)"},
		"the end":           {`{"data":{`, "it ends too early (line 1, byte 10)"},
		"invalid UTF-8":     {"{\n\"secret\":\"your\xffsecret\"}", "this byte is not valid UTF-8 (line 2, byte 15)"},
		"something behind":  {`{} {}`, "something follows the document; send one value (line 1, byte 4)"},
		"control character": {"{\"a\":\"b\tc\"}", "a control character in a string must be escaped (line 1, byte 8)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e newEvent
			err := newEventPlan.decode([]byte(row.body), reflect.ValueOf(&e))
			require.ErrorContains(t, err, row.want)
			require.NotContains(t, err.Error(), "your", "a syntax error shows the body")
		})
	}
}

func TestDepthIsCountedForEachEvent(t *testing.T) {
	t.Parallel()
	deep := func(n int) string {
		return `{"event":"a","data":{"a":` + strings.Repeat("[", n-2) + strings.Repeat("]", n-2) + `}}`
	}
	for depth, fine := range map[int]bool{config.MaxJSONDepth: true, config.MaxJSONDepth + 1: false, 50_000: false} {
		var e newEvent
		err := newEventPlan.decode([]byte(deep(depth)), reflect.ValueOf(&e))
		require.Equal(t, fine, err == nil, depth)
		items, err := readBatch([]byte(`{"events":[` + deep(depth) + `,` + deep(3) + `]}`))
		require.NoError(t, err)
		require.Equal(t, fine, items[0].refused == nil, depth)
		require.Nil(t, items[1].refused)
	}
}

func BenchmarkDecodeEvent(b *testing.B) {
	body := []byte(`{"event":"video.uploaded","data":{"videoId":"vid_123456","title":"My Video","size":10485760,"duration":120,"format":"mp4",` +
		`"userId":"usr_123456","status":"processing","description":"` + strings.Repeat("x", 800) + `"},"id":"evt_123456"}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var e newEvent
		if err := newEventPlan.decode(body, reflect.ValueOf(&e)); err != nil {
			b.Fatal(err)
		}
	}
}
