package sender_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/sender"
	"github.com/videocloud/webhooks/sender/api"
)

// What a store of a data version looks like stands in testdata/store-<version>.json, with what is read from it. The file of a new version is made by
//
//	go test ./sender -run TestStoresOfEarlierBuildsAreRead -update
//
// and those of earlier ones stay as they are: whoever reads them no longer has broken a promise.
var updateLayout = flag.Bool("update", false, "make testdata/store-<version>.json anew")

// layoutDump is a store and what is read from it.
type layoutDump struct {
	Note    string          `json:"note"`
	Version string          `json:"version"`
	At      time.Time       `json:"at"` // when it was made
	Key     string          `json:"key"`
	Reads   json.RawMessage `json:"reads"`
	Keys    []dumpedKey     `json:"keys"`
}

// dumpedKey is a key as text, so that a difference between two dumps can be read: texts are quoted as in Go.
type dumpedKey struct {
	Key    string   `json:"key"`
	Type   string   `json:"type"`
	Expiry int64    `json:"expiry,omitempty"` // ms from when the dump was made
	Values []string `json:"values"`           // of a hash, a sorted set, a stream: field or ID and value by turns
}

const (
	layoutKey     = "key_of_the_configuration"
	layoutGateway = "gateway"
	// layoutMadeKey stands in the file where the key was that the API made, so that nobody takes that for one that works somewhere.
	layoutMadeKey = "vck_not-a-real-key---only-in-the-dump-of-a-test"
	layoutNote    = "The dump of a store that a test made for itself. Its key and its secrets are of no installation."
)

// withoutMadeKey has another key and its hash where those of one that was made are.
func withoutMadeKey(text []byte, made string) []byte {
	sum := func(key string) string {
		hashed := sha256.Sum256([]byte(key))
		return hex.EncodeToString(hashed[:])
	}
	return []byte(strings.NewReplacer(made, layoutMadeKey, sum(made), sum(layoutMadeKey)).Replace(string(text)))
}

// layoutSender is a sender with its API over a store.
type layoutSender struct {
	*sender.Sender
	t   *testing.T
	api http.Handler
}

func newLayoutSender(t *testing.T, store *redisstore.Store) *layoutSender {
	s, err := sender.New(sender.Options{Store: redistest.Public(store), Config: config.Sender{
		AllowHTTP: true, AllowNetworks: []string{"127.0.0.0/8"}, Retry: []time.Duration{0, time.Hour}, HistoryAge: 200 * 365 * 24 * time.Hour,
	}})
	require.NoError(t, err)
	h, err := api.New(api.Options{Service: s, Keys: []api.Key{{Value: layoutKey, Account: api.AnyAccount}}})
	require.NoError(t, err)
	return &layoutSender{s, t, h}
}

func (s *layoutSender) do(key, method, path, body string) (int, json.RawMessage) {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	r.Header = http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}}
	if key == layoutKey {
		r.Header.Set("X-VideoCloud-Account", "shop")
	}
	w := httptest.NewRecorder()
	s.api.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

// want is do that answers as wanted, and returns the data.
func (s *layoutSender) want(code int, method, path, body string) map[string]any {
	s.t.Helper()
	got, text := s.do(layoutKey, method, path, body)
	require.Equal(s.t, code, got, "%s %s: %s", method, path, text)
	var answer struct{ Data map[string]any }
	require.NoError(s.t, json.Unmarshal(text, &answer))
	return answer.Data
}

// newLayoutGateway is a gateway whose app refuses everything, and its queue.
func newLayoutGateway(t *testing.T, store *redisstore.Store) (*receiver.Queue, http.Handler) {
	q, err := receiver.NewQueue(receiver.QueueOptions{
		Store: redistest.Public(store), Name: layoutGateway, Scheme: "videocloud", Config: config.Queue{Retry: []time.Duration{0}},
		Deliver: func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusInternalServerError)
			return nil
		},
	})
	require.NoError(t, err)
	claims := receiver.NewRedis(redistest.Public(store), layoutGateway, receiver.RedisOptions{})
	t.Cleanup(func() { _ = claims.Close() })
	g, err := receiver.New(receiver.Options{
		Config: config.Receiver{Name: layoutGateway, Secrets: []string{"your_webhook_secret"}, Queue: &config.Queue{}}, Store: claims, Enqueuer: q,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = g.Close() })
	return q, g.Handler(http.NotFoundHandler())
}

func postToGateway(t *testing.T, h http.Handler, id string) *http.Response {
	t.Helper()
	body := fmt.Sprintf(`{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":{"videoId":%q}}`, id)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks", strings.NewReader(body))
	mac := hmac.New(sha256.New, []byte("your_webhook_secret"))
	_, _ = io.WriteString(mac, body)
	r.Header.Set("X-VideoCloud-Signature", hex.EncodeToString(mac.Sum(nil)))
	r.Header.Set("X-VideoCloud-Event-Id", id)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	return w.Result()
}

// fillLayout has everything in a store that there can be, and returns an API key that was made.
func fillLayout(t *testing.T, store *redisstore.Store) (key string) {
	s := newLayoutSender(t, store)
	require.NoError(t, s.Start(t.Context()))
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/fails") {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, "an answer")
	}))
	t.Cleanup(endpoint.Close)
	hook := func(path, more string) string {
		return s.want(201, "POST", "/webhooks", fmt.Sprintf(`{"url":%q,"events":["video.*"],"secret":"your_webhook_secret"%s}`, endpoint.URL+path, more))["id"].(string)
	}
	works := hook("/works", `,"description":"works","metadata":{"a":"b"},"headers":{"X-Extra":"1"},"filter":"data.size > 1"`)
	hook("/fails", `,"retry":["0s"]`)
	hook("/fails/first", `,"ordered":true`)
	hook("/paused", `,"status":"paused","rateLimit":5`)
	deleted := hook("/deleted", `,"status":"paused"`)
	s.want(202, "POST", "/events", `{"event":"video.uploaded","id":"evt_dumped","timestamp":"2024-03-31T12:00:00Z","data":{"size": 12345678901234567890}}`)
	s.want(200, "PUT", "/account", `{"name":"The shop","notifyUrl":"https://hooks.example.com/notices","notifySecret":"your_webhook_secret"}`)
	s.want(200, "PUT", "/event-types/order.paid", `{"description":"An order was paid","schema":{"type":"object","required":["total"]},"example":{"total":1}}`)
	key = s.want(201, "POST", "/api-keys", `{"role":"all","description":"of the dump"}`)["key"].(string)
	s.want(200, "DELETE", "/webhooks/"+deleted, "")
	counts := func() map[string]any {
		return s.want(200, "GET", "/events?event=video.uploaded", "")["items"].([]any)[0].(map[string]any)["deliveries"].(map[string]any)
	}
	one := float64(1)
	require.Eventually(t, func() bool {
		c := counts()
		return c["succeeded"] == one && c["failed"] == one && c["retrying"] == one && c["pending"] == one && c["cancelled"] == one
	}, 2*time.Minute, 5*time.Millisecond)
	replay := s.want(202, "POST", "/webhooks/"+works+"/replay", `{"since":"2024-01-01T00:00:00Z","state":"all"}`)["id"].(string)
	require.Eventually(t, func() bool {
		return s.want(200, "GET", "/replays/"+replay, "")["state"] == "done" && counts()["succeeded"] == one
	}, 2*time.Minute, 5*time.Millisecond)

	q, gateway := newLayoutGateway(t, store)
	q.Start(t.Context())
	postToGateway(t, gateway, "evt_dead")
	require.Eventually(t, func() bool {
		dead, _, err := q.List(t.Context(), receiver.Selection{State: receiver.PlaceDead}, "", 10)
		return err == nil && len(dead) == 1
	}, 2*time.Minute, 5*time.Millisecond)
	require.NoError(t, q.Stop(t.Context()))
	postToGateway(t, gateway, "evt_waiting")
	require.NoError(t, s.Stop(t.Context()))
	return key
}

// readLayout is all that is told of a store.
func readLayout(t *testing.T, store *redisstore.Store) map[string]any {
	s := newLayoutSender(t, store)
	all := map[string]any{}
	paths := []string{
		"/webhooks", "/events", "/events/evt_dumped", "/deliveries", "/stats?window=1h", "/account", "/accounts", "/api-keys", "/replays", "/event-types",
	}
	for _, state := range []string{"pending", "retrying", "succeeded", "failed", "cancelled"} {
		paths = append(paths, "/deliveries?state="+state)
	}
	for _, w := range s.want(200, "GET", "/webhooks", "")["items"].([]any) {
		id := w.(map[string]any)["id"].(string)
		paths = append(paths, "/webhooks/"+id, "/webhooks/"+id+"/deliveries", "/webhooks/"+id+"/stats?window=1h")
	}
	for _, path := range paths {
		all[path] = s.want(200, "GET", path, "")
	}
	q, _ := newLayoutGateway(t, store)
	for _, place := range []receiver.Place{receiver.PlaceDead, receiver.PlaceWaiting} {
		items, _, err := q.List(t.Context(), receiver.Selection{State: place}, "", 10)
		require.NoError(t, err)
		all["queue "+string(place)] = items
	}
	return all
}

// dumpKeys are all keys of a store.
func dumpKeys(t *testing.T, c redis.UniversalClient) (keys []dumpedKey) {
	ctx := t.Context()
	names := c.Keys(ctx, "*").Val()
	slices.Sort(names)
	for _, name := range names {
		k := dumpedKey{Key: strconv.QuoteToASCII(name), Type: c.Type(ctx, name).Val(), Expiry: max(c.PTTL(ctx, name).Val().Milliseconds(), 0)}
		add := func(texts ...string) {
			for _, text := range texts {
				k.Values = append(k.Values, strconv.QuoteToASCII(text))
			}
		}
		switch k.Type {
		case "string":
			add(c.Get(ctx, name).Val())
		case "list":
			add(c.LRange(ctx, name, 0, -1).Val()...)
		case "set":
			members := c.SMembers(ctx, name).Val()
			slices.Sort(members)
			add(members...)
		case "hash":
			all := c.HGetAll(ctx, name).Val()
			fields := make([]string, 0, len(all))
			for field := range all {
				fields = append(fields, field)
			}
			slices.Sort(fields)
			for _, field := range fields {
				add(field, all[field])
			}
		case "zset":
			for _, z := range c.ZRangeWithScores(ctx, name, 0, -1).Val() {
				add(z.Member.(string), strconv.FormatFloat(z.Score, 'f', -1, 64))
			}
		case "stream":
			for _, e := range c.XRange(ctx, name, "-", "+").Val() {
				values, err := json.Marshal(e.Values)
				require.NoError(t, err)
				add(e.ID, string(values))
			}
		default:
			require.Fail(t, "a type that is not dumped", k.Type)
		}
		keys = append(keys, k)
	}
	return keys
}

// restoreKeys writes the keys of a dump into a store whose time stands still at when it was made.
func restoreKeys(t *testing.T, store *redisstore.Store, d *layoutDump) {
	store.SetTime(d.At)
	ctx, c := t.Context(), store.Client()
	text := func(quoted string) string {
		s, err := strconv.Unquote(quoted)
		require.NoError(t, err)
		return s
	}
	for _, k := range d.Keys {
		name := text(k.Key)
		for i := 0; i < len(k.Values); i++ {
			value, second := text(k.Values[i]), ""
			if k.Type == "hash" || k.Type == "zset" || k.Type == "stream" {
				i++
				second = text(k.Values[i])
			}
			var err error
			switch k.Type {
			case "string":
				err = c.Set(ctx, name, value, 0).Err()
			case "list":
				err = c.RPush(ctx, name, value).Err()
			case "set":
				err = c.SAdd(ctx, name, value).Err()
			case "hash":
				err = c.HSet(ctx, name, value, second).Err()
			case "zset":
				score, _ := strconv.ParseFloat(second, 64)
				err = c.ZAdd(ctx, name, redis.Z{Score: score, Member: value}).Err()
			case "stream":
				err = c.XAdd(ctx, &redis.XAddArgs{Stream: name, ID: value, Values: streamValues(t, second)}).Err()
			}
			require.NoError(t, err, name)
		}
		if k.Expiry > 0 {
			require.NoError(t, c.PExpire(ctx, name, time.Duration(k.Expiry)*time.Millisecond).Err())
		}
	}
}

// streamValues are the fields of an entry in the order of their names, but for j, which scripts read as the first.
func streamValues(t *testing.T, text string) (values []string) {
	var all map[string]string
	require.NoError(t, json.Unmarshal([]byte(text), &all))
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		values = append(values, name, all[name])
	}
	return values
}

func layoutVersion(t *testing.T, store *redisstore.Store) string {
	_, err := store.Shards(t.Context())
	require.NoError(t, err)
	return store.Client().HGet(t.Context(), "{webhooks}:meta", "version").Val()
}

func updateLayoutFile(t *testing.T) {
	live := redistest.Open(t, config.Redis{URL: config.Memory})
	d := layoutDump{Note: layoutNote, Version: layoutVersion(t, live)}
	d.Key = fillLayout(t, live)
	d.At, d.Keys = time.Now().UTC().Truncate(time.Millisecond), dumpKeys(t, live.Client())
	copied := redistest.Open(t, config.Redis{URL: config.Memory})
	restoreKeys(t, copied, &d)
	reads, err := json.Marshal(readLayout(t, copied))
	require.NoError(t, err)
	d.Reads = reads
	text, err := json.MarshalIndent(d, "", "\t")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join("testdata", "store-"+d.Version+".json"), append(withoutMadeKey(text, d.Key), '\n'), 0o644))
}

// TestStoresOfEarlierBuildsAreRead: whatever a store of a data version from 2 on has, this program reads as the one that wrote it did, and goes on with.
func TestStoresOfEarlierBuildsAreRead(t *testing.T) {
	t.Parallel()
	if *updateLayout {
		updateLayoutFile(t)
	}
	files, err := filepath.Glob("testdata/store-*.json")
	require.NoError(t, err)
	current := layoutVersion(t, redistest.Open(t, config.Redis{URL: config.Memory}))
	require.Contains(t, files, filepath.Join("testdata", "store-"+current+".json"), "a new data version needs a dump: run this test with -update")
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var d layoutDump
			require.NoError(t, json.Unmarshal(text, &d))
			store := redistest.Open(t, config.Redis{URL: config.Memory})
			restoreKeys(t, store, &d)
			reads, err := json.Marshal(readLayout(t, store))
			require.NoError(t, err)
			require.JSONEq(t, string(d.Reads), string(reads))

			s := newLayoutSender(t, store)
			code, _ := s.do(d.Key, "GET", "/webhooks", "")
			require.Equal(t, 200, code, "a key that was made")
			again := s.want(202, "POST", "/events", `{"event":"video.uploaded","id":"evt_dumped","timestamp":"2024-03-31T12:00:00Z","data":{"size": 12345678901234567890}}`)
			require.Equal(t, true, again["duplicate"])
			code, _ = s.do(layoutKey, "POST", "/events", `{"event":"video.uploaded","id":"evt_dumped","data":{"size":2}}`)
			require.Equal(t, 409, code)
			code, _ = s.do(layoutKey, "POST", "/events", `{"event":"order.paid","data":{}}`)
			require.Equal(t, 422, code, "its schema")
			failed := s.want(200, "GET", "/deliveries?state=failed", "")["items"].([]any)[0].(map[string]any)["id"].(string)
			s.want(202, "POST", "/deliveries/"+failed+"/retry", "")
			require.Empty(t, s.want(200, "GET", "/deliveries?state=failed", "")["items"])
			_, gateway := newLayoutGateway(t, store)
			require.NotEmpty(t, postToGateway(t, gateway, "evt_waiting").Header.Get("X-Webhook-Duplicate"))
		})
	}
}
