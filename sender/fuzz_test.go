package sender

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
)

// plainly is checkData by the standard library's decoder: slower, and plain to see.
func plainly(data []byte) bool {
	if !json.Valid(data) || !utf8.Valid(data) || bytes.TrimSpace(data)[0] != '{' {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	depth, names, isName := 0, map[string]bool{}, false
	for {
		token, err := d.Token()
		if err != nil {
			return true // its end
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > config.MaxJSONDepth {
				return false
			}
			isName = depth == 1
			continue
		case json.Delim('}'), json.Delim(']'):
			depth--
			isName = depth == 1
			continue
		}
		if depth != 1 {
			continue
		}
		if isName {
			if names[token.(string)] {
				return false
			}
			names[token.(string)] = true
		}
		isName = !isName
	}
}

// FuzzCheckData: what passes is what the standard library reads as one object with distinct names.
func FuzzCheckData(f *testing.F) {
	for _, s := range []string{
		guideData, `{}`, ` {"a":1}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":2},"b":[{"a":1}]}`, `{"a\"":1,"a":2}`, `{"":1,"":2}`,
		"{\"\xff\":1}", `[]`, `null`, `{"a"`, `{"a":"{\"a\":"}`, strings.Repeat(`{"a":`, 1001) + "1" + strings.Repeat("}", 1001), "", " ",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if json.Valid(data) && len(data) > 1<<20 {
			return
		}
		err := checkData(data)
		require.Equal(t, plainly(data), err == nil, "%v", err)
	})
}

// FuzzPayload: what is stored of an event comes back as it was.
func FuzzPayload(f *testing.F) {
	f.Add("evt_1", "video.uploaded", int64(1711886400), "", "", false, `{"videoId":"vid_1"}`)
	f.Add("x", "a.b", int64(-62135596800), "00-0123-45-01", "vendor=1", true, "{\n}\x1f")
	f.Add("", "a.b", int64(0), "", "", true, "{}")
	f.Fuzz(func(t *testing.T, id, kind string, timestamp int64, parent, state string, notice bool, data string) {
		for _, part := range []string{id, kind, parent, state} {
			if strings.ContainsAny(part, payloadSeparator+"\n") {
				return // can't be in any of them
			}
		}
		p := payload{eventID: id, eventType: kind, timestamp: timestamp, traceparent: parent, tracestate: state, notice: notice, data: data}
		const job = "06h0hjh4mntan8w7tt7mctd5ar"
		got, ok := decodePayload(p.encode(), job)
		require.True(t, ok)
		p.eventID = eventIDOf(id, job)
		require.Equal(t, p, got)
		if y := time.Unix(timestamp, 0).UTC().Year(); y >= 1 && y <= 9999 {
			require.Len(t, got.body(), got.size())
		}
	})
}

// FuzzStoredPayload: nothing that could stand in the store makes a sender panic.
func FuzzStoredPayload(f *testing.F) {
	f.Add("")
	f.Add("\x1f\x1f\x1f\x1f\n")
	f.Add("a\x1f1\nc")
	f.Fuzz(func(_ *testing.T, text string) { decodePayload(text, "") })
}

// FuzzRetryAfter: whatever an endpoint says, the delay is between nothing and an hour.
func FuzzRetryAfter(f *testing.F) {
	for _, v := range []string{"", "0", "120", "-1", "99999999999999999999", "Fri, 31 Dec 1999 23:59:59 GMT", "1e9", "0x10", "+5"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, value string) {
		d := parseRetryAfter(value, time.Date(2024, 3, 31, 12, 0, 0, 0, time.UTC))
		require.GreaterOrEqual(t, d, time.Duration(0))
		require.LessOrEqual(t, d, config.MaxRetryAfter)
	})
}

// FuzzIDs: an ID, a cursor or a name that callers make up is taken or refused, and never panics.
func FuzzIDs(f *testing.F) {
	for _, id := range []string{"", "whk_0123456789ab", "dlv_0123456789ab06h0hjh4mntan8w7tt7mctd5ar", "evt_018e9485c5a07000800000000000000f", "MTcwMDAwMDAwMDAwMA", "x\n"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if lane := laneOf(id); lane != "" {
			require.Equal(t, id, webhookPrefix+lane)
		}
		if lane, job, ok := parseDeliveryID(id); ok {
			require.Equal(t, id, deliveryID(lane, job))
		}
		if job := jobOfEventID(id); job != "" {
			require.Equal(t, id, eventIDOf("", job))
		}
		if place, err := readCursor(id); err == nil && place != "" {
			again, err := readCursor(writeCursor(place))
			require.NoError(t, err)
			require.Equal(t, place, again)
		}
		isStreamID(id)
		_ = checkSecret("secret", id)
		require.True(t, utf8.ValidString(quote(id)))
		require.NotContains(t, quote(id), "\n")
	})
}
