package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
)

// nowhere is an answer that nobody reads.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n *nowhere) WriteHeader(int)             {}

// SetReadDeadline is what a server's writer can do.
func (n *nowhere) SetReadDeadline(time.Time) error { return nil }

// BenchmarkServe is what the receiver adds to a request of 1 KiB.
func BenchmarkServe(b *testing.B) {
	filler := strings.Repeat("x", 1000)
	bare := false
	run := func(b *testing.B, change func(*Options)) {
		o := Options{Config: config.Receiver{Name: "bench", Secrets: []string{testSecret}}}
		change(&o)
		r, err := New(o)
		if err != nil {
			b.Fatal(err)
		}
		var n atomic.Int64
		start := strconv.FormatInt(time.Now().UnixNano(), 36)
		b.ReportAllocs()
		before := cpuTime()
		b.RunParallel(func(pb *testing.PB) {
			mac := hmac.New(sha256.New, []byte(testSecret))
			standard, err := signature.NewStandardSigner(testSecret)
			if err != nil {
				b.Error(err)
				return
			}
			now := time.Now().Unix()
			for pb.Next() {
				id := "evt_" + start + strconv.FormatInt(n.Add(1), 10)
				body := `{"event":"video.uploaded","id":"` + id + `","data":"` + filler + `"}`
				mac.Reset()
				mac.Write([]byte(body))
				req := &http.Request{Method: http.MethodPost, Host: "a", RemoteAddr: "127.0.0.1:1", RequestURI: "/", ContentLength: int64(len(body)),
					Body: io.NopCloser(strings.NewReader(body)),
					Header: http.Header{"X-Videocloud-Signature": {hex.EncodeToString(mac.Sum(nil))}, "X-Videocloud-Event-Id": {id},
						"Webhook-Id": {id}, "Webhook-Timestamp": {strconv.FormatInt(now, 10)}, "Webhook-Signature": {string(standard.Append(nil, id, now, []byte(body)))},
						"Content-Type": {"application/json"}, "Content-Length": {"1066"}}}
				if bare {
					continue
				}
				out, err := r.Serve(&nowhere{http.Header{}}, req, func(w http.ResponseWriter, _ *http.Request) error {
					w.WriteHeader(http.StatusOK)
					return nil
				})
				if err != nil || out.Result != ResultAccepted {
					b.Errorf("%s %v", out.Result, err)
					return
				}
			}
		})
		// What it costs on a machine that has other things to do as well.
		b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
	}
	b.Run("the benchmark itself", func(b *testing.B) {
		bare = true
		run(b, func(*Options) {})
		bare = false
	})
	b.Run("off", func(b *testing.B) { run(b, func(o *Options) { o.Config.Dedup.Off = true }) })
	b.Run("memory", func(b *testing.B) { run(b, func(*Options) {}) })
	b.Run("redis", func(b *testing.B) {
		client := redis.NewClient(&redis.Options{Addr: "localhost:6379", ContextTimeoutEnabled: true})
		defer client.Close()
		if client.Ping(b.Context()).Err() != nil {
			b.Skip("no Redis on localhost:6379")
		}
		s := newRedis(client, "bench", "bench", RedisOptions{})
		defer s.Close()
		b.SetParallelism(32)
		run(b, func(o *Options) { o.Store = s })
	})
}
