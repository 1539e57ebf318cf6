package sender

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// publishes publishes an event of an account.
func (b *bundle) publishes(account string, e Event) Published {
	b.t.Helper()
	if e.Type == "" {
		e.Type = "video.uploaded"
	}
	if e.Data == nil {
		e.Data = json.RawMessage(guideData)
	}
	p, err := b.Publish(b.t.Context(), account, e)
	require.NoError(b.t, err)
	return p
}

// TestSameEvent: an ID stands for one event: type, data and, where given, timestamp.
func TestSameEvent(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil).start()
		to := newSink(t, nil)
		b.webhook(to.URL)
		at := time.Date(2024, 3, 31, 14, 0, 0, 999, time.FixedZone("", 2*3600))
		for name, id := range map[string]string{
			"plain": "order-1", "longest": strings.Repeat("x", 128), "one letter": "_", "our own form": "evt_018e9485c5a07000800000000000000f",
			"our form in capitals": "evt_018E9485C5A07000800000000000000F", "almost our form": "evt_018e9485c5a0700080000000000000",
		} {
			t.Run(name, func(t *testing.T) {
				before := len(to.got())
				e := Event{ID: id, Timestamp: at, Type: "video.uploaded", Data: json.RawMessage(guideData)}
				first := b.publishes("default", e)
				require.False(t, first.Duplicate)
				require.Equal(t, id, first.ID)
				require.Equal(t, "2024-03-31T12:00:00Z", first.Timestamp.Format(time.RFC3339Nano))
				b.reaches(first, StateSucceeded)

				again := first
				again.Duplicate = true
				require.Equal(t, again, b.publishes("default", e))
				e.Timestamp = time.Time{} // a retry that lets the timestamp default
				require.Equal(t, again, b.publishes("default", e))
				e.Timestamp = at.Add(time.Millisecond).UTC()
				require.Equal(t, again, b.publishes("default", e))

				for what, other := range map[string]Event{
					"data":        {ID: id, Timestamp: at, Type: "video.uploaded", Data: json.RawMessage(`{}`)},
					"white space": {ID: id, Timestamp: at, Type: "video.uploaded", Data: json.RawMessage(guideData + " ")},
					"type":        {ID: id, Timestamp: at, Type: "video.updated", Data: json.RawMessage(guideData)},
					"timestamp":   {ID: id, Timestamp: at.Add(time.Second), Type: "video.uploaded", Data: json.RawMessage(guideData)},
				} {
					_, err := b.Publish(t.Context(), "default", other)
					requireError(t, err, CodeConflict, "id")
					require.Error(t, err, what)
				}
				record, err := b.Event(t.Context(), "default", id)
				require.NoError(t, err)
				require.Equal(t, id, record.ID)
				require.Len(t, record.Deliveries, 1)
				require.Equal(t, id, record.Deliveries[0].EventID)
				require.Len(t, to.got(), before+1, "delivered once")
				require.Equal(t, id, to.got()[before].header.Get("webhook-id"))
				require.Equal(t, id, to.got()[before].header.Get("X-VideoCloud-Event-Id"))
			})
		}
	})
}

// TestLesson24_RetryWithoutTimestamp: the publisher's retry is the same event though the default timestamp differs; and
// a retry that gives the timestamp of the first answer is the same too.
func TestLesson24_RetryWithoutTimestamp(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		b.webhook("http://127.0.0.1:1/")
		first := b.publishes("default", Event{ID: "order-1"})
		// An hour later, by the clock of the publisher: the timestamp of the first answer is stored.
		key := b.queue.Tag(mustShard(t, b)) + "event:" + first.Deliveries[0].ID[len("dlv_")+laneLength:]
		earlier := first.Timestamp.Add(-time.Hour)
		require.NoError(t, store.Client().HSet(t.Context(), key, "t", earlier.Unix()).Err())
		again := b.publishes("default", Event{ID: "order-1"})
		require.True(t, again.Duplicate)
		require.Equal(t, earlier, again.Timestamp)
		require.Equal(t, first.Deliveries, again.Deliveries)
		require.True(t, b.publishes("default", Event{ID: "order-1", Timestamp: earlier}).Duplicate)
	})
}

// TestOwnIDAgain: the ID that an answer gave stands for that event, in its account.
func TestOwnIDAgain(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil)
		b.webhook("http://127.0.0.1:1/")
		first := b.publish(guideData)
		require.Regexp(t, `^evt_[0-9a-f]{12}7[0-9a-f]{19}$`, first.ID)
		require.True(t, b.publishes("default", Event{ID: first.ID}).Duplicate)
		_, err := b.Publish(t.Context(), "default", Event{ID: first.ID, Type: "video.updated", Data: json.RawMessage(guideData)})
		requireError(t, err, CodeConflict, "id")
		other := b.publishes(sameShard(t, b, "default"), Event{ID: first.ID, Type: "video.updated"})
		require.False(t, other.Duplicate, "another account's ID means nothing here")
		require.Equal(t, first.ID, other.ID)
	})
}

// sameShard names another account in the shard of an account.
func sameShard(t *testing.T, b *bundle, account string) string {
	t.Helper()
	want, err := b.shard(t.Context(), account)
	require.NoError(t, err)
	for i := 0; ; i++ {
		name := fmt.Sprint("other-", i)
		if got, err := b.shard(t.Context(), name); err == nil && got == want {
			return name
		}
	}
}

// TestLesson23_TwoAccounts: two accounts use the same event ID and share a shard: neither sees, blocks or learns of the
// other's, by any method.
func TestLesson23_TwoAccounts(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, func(o *Options) { o.Config.Retry = []time.Duration{0, time.Hour} }).start()
		mine, theirs := newSink(t, nil), newSink(t, nil)
		other := sameShard(t, b, "default")
		w, v := b.in("default", mine.URL), b.in(other, theirs.URL)
		p := b.publishes("default", Event{ID: "order-1"})
		q := b.publishes(other, Event{ID: "order-1", Type: "video.deleted", Data: json.RawMessage(`{"theirs":true}`)})
		require.False(t, q.Duplicate)
		require.Len(t, p.Deliveries, 1)
		require.Len(t, q.Deliveries, 1)
		require.Equal(t, w.ID, p.Deliveries[0].WebhookID)
		require.Equal(t, v.ID, q.Deliveries[0].WebhookID)
		b.reaches(p, StateSucceeded)
		eventually(t, "delivered", func() bool { return len(theirs.got()) == 1 })
		require.Len(t, mine.got(), 1)
		require.Contains(t, string(theirs.got()[0].body), `{"theirs":true}`)
		r, err := b.StartReplay(t.Context(), "default", w.ID, ReplayRequest{Since: time.Now().Add(-time.Hour)})
		require.NoError(t, err)

		record, err := b.Event(t.Context(), other, "order-1")
		require.NoError(t, err)
		require.Equal(t, "video.deleted", record.Type)
		require.Equal(t, `{"theirs":true}`, string(record.Data))
		require.Len(t, record.Deliveries, 1)
		for _, in := range []string{"default", other} {
			items, next, err := b.ListWebhooks(t.Context(), in, "", 100)
			require.NoError(t, err)
			require.Empty(t, next)
			require.Len(t, items, 1)
		}

		// Every method, with the other's ID: the answer is that of an ID that nobody has.
		d, unknownHook, unknownDelivery := p.Deliveries[0].ID, webhookPrefix+newLane(), "dlv_"+newLane()+p.Deliveries[0].ID[len("dlv_")+laneLength:]
		own := b.publish(guideData) // ours without a given ID
		mixed := "dlv_" + laneOf(v.ID) + p.Deliveries[0].ID[len("dlv_")+laneLength:]
		for name, call := range map[string]func(account string, hook, delivery, event, replay string) error{
			"webhook": func(a, hook, _, _, _ string) error { _, err := b.Webhook(t.Context(), a, hook); return err },
			"update": func(a, hook, _, _, _ string) error {
				_, err := b.UpdateWebhook(t.Context(), a, hook, WebhookUpdate{Status: ptr(StatusPaused)})
				return err
			},
			"delete": func(a, hook, _, _, _ string) error { return b.DeleteWebhook(t.Context(), a, hook) },
			"test":   func(a, hook, _, _, _ string) error { _, err := b.TestWebhook(t.Context(), a, hook); return err },
			"event":  func(a, _, _, event, _ string) error { _, err := b.Event(t.Context(), a, event); return err },
			"deliveries": func(a, hook, _, _, _ string) error {
				_, _, err := b.Deliveries(t.Context(), a, hook, DeliveryFilter{})
				return err
			},
			"delivery": func(a, _, delivery, _, _ string) error { _, err := b.Delivery(t.Context(), a, delivery); return err },
			"retry": func(a, _, delivery, _, _ string) error {
				_, err := b.RetryDelivery(t.Context(), a, delivery)
				return err
			},
			"start replay": func(a, hook, _, _, _ string) error {
				_, err := b.StartReplay(t.Context(), a, hook, ReplayRequest{Since: time.Now()})
				return err
			},
			"replay": func(a, _, _, _, replay string) error { _, err := b.Replay(t.Context(), a, replay); return err },
		} {
			nobodys := call(other, unknownHook, unknownDelivery, "order-2", "rpl_"+strings.Repeat("0", 26))
			require.Equal(t, errNotFound, nobodys, name)
			require.Equal(t, nobodys, call(other, w.ID, d, own.ID, r.ID), name)
			require.Equal(t, nobodys, call(other, w.ID, mixed, own.ID, r.ID), name)
			require.Equal(t, nobodys, call("default", v.ID, mixed, "order-3", "rpl_"), name)
			for _, odd := range []string{"", "whk_", "dlv_", "evt_", "rpl_", strings.Repeat("x", 5000), "a b", "a\r\nb", "../..", "*", "whk_************", d[:len(d)-1], w.ID + "\x00"} {
				require.Equal(t, nobodys, call("default", odd, odd, odd, odd), "%s %q", name, odd)
			}
		}
		require.Equal(t, StatusActive, b.hook(w).Status)
		require.Len(t, theirs.got(), 1)
	})
}

// TestAccountNames: a name that could run into another's keys or topics is refused.
func TestAccountNames(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil)
	for _, name := range []string{"", " ", "a b", "a\tb", "a\n", "a:b", "~notify", strings.Repeat("x", 65), "é", "a\x00"} {
		_, err := b.Publish(t.Context(), name, Event{Type: "video.uploaded", Data: json.RawMessage(`{}`)})
		requireError(t, err, CodeInvalidField, "account")
		_, _, err = b.CreateWebhook(t.Context(), name, NewWebhook{Settings: Settings{URL: "http://127.0.0.1:1/", Events: []string{"*"}}})
		requireError(t, err, CodeInvalidField, "account")
		_, _, err = b.ListWebhooks(t.Context(), name, "", 0)
		requireError(t, err, CodeInvalidField, "account")
		_, err = b.Event(t.Context(), name, "x")
		requireError(t, err, CodeInvalidField, "account")
		for _, r := range b.PublishBatch(t.Context(), name, []Event{{Type: "video.uploaded", Data: json.RawMessage(`{}`)}}) {
			requireError(t, r.Err, CodeInvalidField, "account")
		}
	}
	for _, name := range []string{"a", "Acme-1_x.y", strings.Repeat("x", 64)} {
		b.publishes(name, Event{})
	}
}

// TestBatch: a thousand events at once, good and bad ones, each with its own answer in its own place.
func TestBatch(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, store *Store) {
		b := newBundle(t, store, nil).start()
		var mu sync.Mutex
		got := map[string]int{}
		to := newSink(t, nil)
		to.answer = nil
		b.webhook(to.URL)
		used := b.publishes("default", Event{ID: "used"})
		events := make([]Event, 1000)
		wants := make([]Code, len(events))
		for i := range events {
			e := Event{Type: "video.updated", Data: json.RawMessage(fmt.Sprintf(`{"i":%d,"pad":"%s"}`, i, strings.Repeat("x", i%50*200)))}
			switch i % 10 {
			case 1:
				e.ID = fmt.Sprint("given-", i)
			case 2:
				e.ID = "used" // stands for another event
				wants[i] = CodeConflict
			case 3:
				e.Type, wants[i] = "no.such", CodeUnknownEventType
			case 4:
				e.Data, wants[i] = json.RawMessage(`[1]`), CodeInvalidField
			case 5:
				e.Data, wants[i] = json.RawMessage(`{"pad":"`+strings.Repeat("x", config.MaxEnvelopeSize)+`"}`), CodePayloadTooLarge
			case 6:
				e.ID, wants[i] = "not an ID", CodeInvalidField
			case 7:
				e = events[i-6] // the same again
			case 8:
				e = Event{ID: "used", Type: "video.uploaded", Data: json.RawMessage(guideData)}
			}
			events[i] = e
		}
		results := b.PublishBatch(t.Context(), "default", events)
		require.Len(t, results, len(events))
		distinct := 1
		for i, r := range results {
			if wants[i] != "" {
				var e *Error
				require.ErrorAs(t, r.Err, &e, i)
				require.Equal(t, wants[i], e.Code, i)
				require.Zero(t, r.Published)
				continue
			}
			require.NoError(t, r.Err, i)
			require.Len(t, r.Published.Deliveries, 1)
			require.Equal(t, i%10 == 7 || i%10 == 8, r.Published.Duplicate, i)
			switch i % 10 {
			case 7:
				require.Equal(t, results[i-6].Published.Deliveries, r.Published.Deliveries)
			case 8:
				require.Equal(t, used.Deliveries, r.Published.Deliveries)
			default:
				distinct++
			}
		}
		eventually(t, "delivered", func() bool { return len(to.got()) >= distinct })
		for _, r := range to.got() {
			mu.Lock()
			got[r.header.Get("webhook-id")]++
			mu.Unlock()
		}
		require.Len(t, got, distinct)
		require.Empty(t, b.PublishBatch(t.Context(), "default", nil))
	})
}

// TestLimitsOfAnEvent: the documented limits, to the byte.
func TestLimitsOfAnEvent(t *testing.T) {
	t.Parallel()
	b := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil).start()
	to := newSink(t, nil)
	b.webhook(to.URL)
	around := len(`{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":}`)
	sized := func(n int) string { return `{"p":"` + strings.Repeat("x", n-around-len(`{"p":""}`)) + `"}` }
	deep := func(n int) string { return strings.Repeat(`{"a":`, n-1) + `{}` + strings.Repeat(`}`, n-1) }
	for name, c := range map[string]struct {
		data string
		code Code
	}{
		"exactly 256 KiB":         {sized(256 << 10), ""},
		"a byte more":             {sized(256<<10 + 1), CodePayloadTooLarge},
		"a MiB":                   {sized(1 << 20), CodePayloadTooLarge},
		"as deep as it gets":      {deep(config.MaxJSONDepth), ""},
		"too deep":                {deep(config.MaxJSONDepth + 1), CodeInvalidJSON},
		"much too deep":           {deep(20_000), CodeInvalidJSON},
		"too deep in lists":       {`{"a":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, CodeInvalidJSON},
		"brackets in strings":     {`{"a":"` + strings.Repeat(`[{\"`, 2000) + `"}`, ""},
		"nothing":                 {"", CodeInvalidField},
		"null":                    {"null", CodeInvalidField},
		"a list":                  {"[]", CodeInvalidField},
		"text":                    {`"{}"`, CodeInvalidField},
		"number":                  {"1", CodeInvalidField},
		"cut off":                 {`{"a":`, CodeInvalidField},
		"two values":              {`{} {}`, CodeInvalidField},
		"something behind":        {`{}x`, CodeInvalidField},
		"a comma too many":        {`{"a":1,}`, CodeInvalidField},
		"single quotes":           {`{'a':1}`, CodeInvalidField},
		"NaN":                     {`{"a":NaN}`, CodeInvalidField},
		"a comment":               {`{/**/}`, CodeInvalidField},
		"a byte order mark":       {"\ufeff{}", CodeInvalidField},
		"not UTF-8":               {"{\"a\":\"\xff\"}", CodeInvalidJSON},
		"not UTF-8 as a name":     {"{\"\xc0\x80\":1}", CodeInvalidJSON},
		"surrogates as UTF-8":     {"{\"a\":\"\xed\xa0\x80\"}", CodeInvalidJSON},
		"a control character":     {"{\"a\":\"\n\"}", CodeInvalidField},
		"a name twice":            {`{"a":1,"b":2,"a":3}`, CodeInvalidJSON},
		"a name twice, escaped":   {`{"a":1,"\u0061":3}`, CodeInvalidJSON},
		"a name twice, surrogate": {`{"😀":1,"\ud83d\ude00":3}`, CodeInvalidJSON},
		"an empty name twice":     {`{"":1,"":3}`, CodeInvalidJSON},
		"twice after a list":      {`{"a":[{"b":1,"b":2},"x"],"a":1}`, CodeInvalidJSON},
		"twice but deeper":        {`{"a":{"b":1,"b":1},"b":[{"a":1}],"c":"a"}`, ""},
		"values like names":       {`{"a":"b","b":"a","c":["a","a"],"d":{"a":1}}`, ""},
		"quotes in names":         {`{"a\"":1,"a\\":2,"a":3}`, ""},
		"white space around it":   {" \r\n\t{ \"a\" : 1 } \n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := b.Publish(t.Context(), "default", Event{Type: "video.uploaded", Data: json.RawMessage(c.data)})
			if c.code != "" {
				requireError(t, err, c.code, "data")
				return
			}
			require.NoError(t, err)
			b.reaches(p, StateSucceeded)
			all := to.got()
			body := all[len(all)-1].body
			require.Contains(t, string(body), c.data)
			require.True(t, json.Valid(body))
			require.LessOrEqual(t, len(body), 256<<10)
		})
	}
	for _, id := range []string{strings.Repeat("x", 129), "a b", "a.b", "a:b", "é", "a\n", "a/b"} {
		_, err := b.Publish(t.Context(), "default", Event{Type: "video.uploaded", Data: json.RawMessage(`{}`), ID: id})
		requireError(t, err, CodeInvalidField, "id")
	}
	for _, kind := range []string{"", "video", "video.*", "*", "VIDEO.UPLOADED", "video.uploaded ", "nothing", config.EventTest} {
		_, err := b.Publish(t.Context(), "default", Event{Type: kind, Data: json.RawMessage(`{}`)})
		requireError(t, err, CodeUnknownEventType, "event")
	}
	for _, at := range []time.Time{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), time.Unix(1<<60, 0)} {
		_, err := b.Publish(t.Context(), "default", Event{Type: "video.uploaded", Data: json.RawMessage(`{}`), Timestamp: at})
		requireError(t, err, CodeInvalidField, "timestamp")
	}
	for _, at := range []string{"1969-12-31T23:59:59Z", "0001-01-01T00:00:01Z", "9999-12-31T23:59:59Z"} {
		given, err := time.Parse(time.RFC3339, at)
		require.NoError(t, err)
		p := b.publishes("default", Event{Timestamp: given})
		b.reaches(p, StateSucceeded)
		e, err := b.Event(t.Context(), "default", p.ID)
		require.NoError(t, err)
		require.Equal(t, at, e.Timestamp.Format(time.RFC3339))
	}
}
