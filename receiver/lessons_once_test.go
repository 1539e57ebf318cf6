package receiver

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/signature"
)

func TestLesson36_DoneOnlyAfterTheApps2xx(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b backend) {
		use := func(o *Options) { o.Store = b.open(t, "videos") }
		for _, status := range []int{500, 503, 404, 302, 304, 409} {
			g := newGateway(t, use)
			g.app.answer(status)
			body := fmt.Sprint("status ", status)
			for range 2 {
				w := g.deliver(body, "")
				require.Equal(t, status, w.Code)
				require.Empty(t, w.Header().Get("X-Webhook-Duplicate"))
			}
			require.Equal(t, 2, g.app.count())
			g.app.answer(http.StatusNoContent)
			require.Equal(t, http.StatusNoContent, g.deliver(body, "").Code)
			requireDuplicate(t, g.deliver(body, ""))
		}
		t.Run("an error of the handler behind", func(t *testing.T) {
			g := newGateway(t, use)
			out, err := g.Serve(httptest.NewRecorder(), delivery("handler error", ""), func(http.ResponseWriter, *http.Request) error {
				return io.ErrUnexpectedEOF
			})
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Equal(t, ResultFailed, out.Result)
			requireAccepted(t, g.deliver("handler error", ""))
		})
		t.Run("the gateway dies", func(t *testing.T) {
			c := event("", "crash", short)
			c.Digest = hashKey(kindDigest, "videos", "videocloud", "", []byte("crash"))
			requireClaim(t, Claimed, b.open(t, "videos"), c) // and nobody ever settles it
			b.pass(time.Second)
			g := newGateway(t, use)
			require.Eventually(t, func() bool { return g.deliver("crash", "").Code == http.StatusOK }, time.Minute, time.Millisecond)
			require.Equal(t, 1, g.app.count())
		})
	})
}

func TestLesson37_TwoCopiesAtTheSameMoment(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b backend) {
		one := newGateway(t, func(o *Options) { o.Store = b.open(t, "videos") })
		two := newGateway(t, func(o *Options) { o.Store = b.open(t, "videos") })
		started, finish := make(chan struct{}), make(chan struct{})
		one.app.work = func(http.ResponseWriter, *http.Request) {
			close(started)
			<-finish
		}
		first := make(chan *httptest.ResponseRecorder)
		go func() { first <- one.deliver("body", "evt_1") }()
		<-started
		for _, g := range []*gateway{one, two} {
			w := g.deliver("body", "evt_1")
			require.Equal(t, http.StatusConflict, w.Code)
			require.Equal(t, "5", w.Header().Get("Retry-After"))
			require.Empty(t, w.Body.String(), "who is refused is not told why")
		}
		close(finish)
		requireAccepted(t, <-first)
		// Once the sender has its answer, every gateway knows the event.
		requireDuplicate(t, two.deliver("body", "evt_1"))
		requireDuplicate(t, one.deliver("body", "evt_1"))
		require.Equal(t, 1, one.app.count())
		require.Zero(t, two.app.count())
	})
}

func TestLesson37_ManyCopiesThroughTwoGateways(t *testing.T) {
	// Not beside other tests: with a race detector it would starve those with a time limit.
	const events, copies = 500, 200
	eachBackend(t, func(t *testing.T, b backend) {
		var mu sync.Mutex
		seen := map[string]int{}
		gateways := make([]*gateway, 2)
		for i := range gateways {
			gateways[i] = newGateway(t, func(o *Options) { o.Store = b.open(t, "videos") })
			gateways[i].app.work = func(_ http.ResponseWriter, r *http.Request) {
				mu.Lock()
				seen[r.Header.Get("X-Webhook-Id")]++
				mu.Unlock()
			}
		}
		for e := range events {
			var wg sync.WaitGroup
			for i := range copies {
				wg.Go(func() {
					w := gateways[i%2].deliver(fmt.Sprintf(`{"n":%d}`, e), fmt.Sprint("evt_", e))
					if w.Code != http.StatusOK && w.Code != http.StatusConflict {
						t.Errorf("answer %d", w.Code)
					}
				})
			}
			wg.Wait()
		}
		require.Len(t, seen, events)
		for id, n := range seen {
			require.Equal(t, 1, n, id)
		}
	})
}

func TestLesson38_IdentityWithoutAnID(t *testing.T) {
	t.Parallel()
	t.Run("the digest stands in for it", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t)
		requireAccepted(t, g.deliver("one", ""))
		requireAccepted(t, g.deliver("two", ""))
		requireDuplicate(t, g.deliver("one", ""))
	})
	t.Run("without either, nothing is a duplicate", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t, func(o *Options) {
			o.Config.Dedup.DigestOff = true
			o.Store = untouchable{t}
		})
		requireAccepted(t, g.deliver("one", ""))
		requireAccepted(t, g.deliver("one", ""))
		require.Equal(t, 2, g.app.count())
	})
	t.Run("the parts of a key can't run into each other", func(t *testing.T) {
		t.Parallel()
		keys := map[Key]string{}
		for _, parts := range [][5]string{
			{"id", "a", "", "bc", ""}, {"id", "ab", "", "c", ""}, {"id", "", "", "abc", ""}, {"id", "abc", "", "", ""}, {"id", "a", "b", "c", ""},
			{"digest", "a", "", "b", "c"}, {"digest", "a", "", "bc", ""}, {"digest", "a", "", "", "bc"}, {"digest", "ab", "", "", "c"},
			{"i", "da", "", "bc", ""}, {"digest", "a", "b", "", "c"}, {"digest", "", "a", "b", "c"},
		} {
			k := hashKey(parts[0], parts[1], parts[2], parts[3], []byte(parts[4]))
			require.NotContains(t, keys, k)
			keys[k] = fmt.Sprint(parts)
		}
		require.True(t, EventKey("videos", "videocloud", "").IsZero())
	})
}

func TestLesson39_ReplaysAreDuplicates(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b backend) {
		open := func(o *Options) { o.Store = b.open(t, "videos") }
		t.Run("under a new ID", func(t *testing.T) {
			g := newGateway(t, open)
			requireAccepted(t, g.deliver("captured", "evt_1"))
			requireDuplicate(t, g.deliver("captured", "evt_2"))
			requireDuplicate(t, g.deliver("captured", ""))
			// The ID that the replay used is not taken by it.
			requireAccepted(t, g.deliver("another", "evt_2"))
		})
		t.Run("with the signed headers stripped", func(t *testing.T) {
			g := newGateway(t, open)
			requireAccepted(t, g.serve(signedID("signed", "evt_s1")))
			requireDuplicate(t, g.deliver("signed", "evt_s1"))
			requireDuplicate(t, g.deliver("signed", "evt_s2"))
			requireDuplicate(t, g.deliver("signed", ""))
			// Two events with different signed IDs and equal bodies both pass.
			requireAccepted(t, g.serve(signedID("signed", "evt_s3")))
			requireDuplicate(t, g.serve(signedID("signed", "evt_s3")))
		})
		t.Run("with some of the signed headers stripped", func(t *testing.T) {
			g := newGateway(t, open)
			for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
				r := signedID("partly", "evt_p1")
				r.Header.Del(name)
				status, _ := g.refusedReason(t, r)
				require.Equal(t, http.StatusUnauthorized, status)
			}
		})
		t.Run("an unsigned ID silences no signed one", func(t *testing.T) {
			g := newGateway(t, open)
			requireAccepted(t, g.deliver("held back", "evt_victim"))
			requireAccepted(t, g.serve(signedID("victim", "evt_victim")))
			requireDuplicate(t, g.serve(signedID("victim", "evt_victim")))
		})
	})
}

// TestLesson63_AStrippedCopyCountsOnce: whichever comes first, the copy without the signed headers or the real one.
func TestLesson63_AStrippedCopyCountsOnce(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b backend) {
		for i, id := range []string{"", "evt_r1", "evt_r_other"} {
			g := newGateway(t, func(o *Options) { o.Store = b.open(t, "videos") })
			body, real := fmt.Sprint("stripped first ", i), fmt.Sprint("evt_r", i)
			requireAccepted(t, g.deliver(body, id))
			requireDuplicate(t, g.serve(signedID(body, real)))
			requireDuplicate(t, g.serve(signedID(body, real)))
			requireDuplicate(t, g.deliver(body, id))
			requireAccepted(t, g.serve(signedID(body, real+"_twin")))
			require.Equal(t, 2, g.app.count())
		}
	})
}

func TestSignedIDOutsideTheDefaultPlaces(t *testing.T) {
	t.Parallel()
	t.Run("a pointer into the signed body", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t, func(o *Options) { o.Config.Dedup.IDPointer = "/data/videoId" })
		requireAccepted(t, g.deliver(`{"data":{"videoId":"v1"},"n":1}`, "evt_1"))
		require.Equal(t, "v1", g.app.last().Header.Get("X-Webhook-Id"))
		requireDuplicate(t, g.deliver(`{"data":{"videoId":"v1"},"n":2}`, "evt_2"))
		requireAccepted(t, g.deliver(`{"data":{"videoId":"v2"},"n":1}`, "evt_1"))
		requireAccepted(t, g.deliver(`{"data":{}}`, ""))
		requireDuplicate(t, g.deliver(`{"data":{}}`, ""))
	})
	t.Run("a header", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t, func(o *Options) { o.Config.Dedup.IDHeader = "X-Webhook-Id" })
		r := delivery("one", "evt_1")
		r.Header.Set("X-Webhook-Id", "own")
		requireAccepted(t, g.serve(r))
		require.Equal(t, "own", g.app.last().Header.Get("X-Webhook-Id"))
		r = delivery("two", "evt_2")
		r.Header.Set("X-Webhook-Id", "own")
		requireDuplicate(t, g.serve(r))
		requireDuplicate(t, g.deliver("one", "evt_1"))
	})
	t.Run("a long ID identifies, but stays out of headers", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t, func(o *Options) {
			o.Config.Dedup.IDHeader = "X-Id"
			o.Config.Dedup.DigestOff = true
		})
		for i, id := range []string{strings.Repeat("a", 5000), strings.Repeat("a", 5001)} {
			r := delivery("one", "")
			r.Header.Set("X-Id", id)
			requireAccepted(t, g.serve(r))
			require.NotContains(t, g.app.last().Header, "X-Webhook-Id")
			require.Equal(t, i+1, g.app.count())
			r = delivery("two", "")
			r.Header.Set("X-Id", id)
			requireDuplicate(t, g.serve(r))
		}
	})
}

func TestLesson42_OldAndNewConfigurationShareTheClaims(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b backend) {
		store := b.open(t, "videos")
		before := newGateway(t, func(o *Options) { o.Store = store })
		started, finish := make(chan struct{}), make(chan struct{})
		before.app.work = func(http.ResponseWriter, *http.Request) {
			close(started)
			<-finish
		}
		done := make(chan *httptest.ResponseRecorder)
		go func() { done <- before.deliver("body", "evt_1") }()
		<-started
		after := newGateway(t, func(o *Options) { o.Store = store })
		require.NoError(t, before.Close())
		require.Equal(t, http.StatusConflict, after.deliver("body", "evt_1").Code)
		close(finish)
		requireAccepted(t, <-done)
		requireDuplicate(t, after.deliver("body", "evt_1"))
	})
}

func TestLesson45_ReceiversOfDifferentAppsEachGetTheEvent(t *testing.T) {
	t.Parallel()
	eachBackend(t, func(t *testing.T, b backend) {
		for _, name := range []string{"shop", "shop2", "blog"} {
			g := newGateway(t, func(o *Options) {
				o.Config.Name = name
				o.Store = b.open(t, name)
			})
			requireAccepted(t, g.deliver("body", "evt_1"))
			requireDuplicate(t, g.deliver("body", "evt_1"))
		}
	})
	t.Run("in one memory", func(t *testing.T) {
		t.Parallel()
		m := NewMemory(MemoryOptions{})
		for _, name := range []string{"shop", "blog"} {
			g := newGateway(t, func(o *Options) { o.Config.Name, o.Store = name, m })
			requireAccepted(t, g.deliver("body", "evt_1"))
			requireDuplicate(t, g.deliver("body", "evt_1"))
		}
	})
}

func TestLesson46_TokensHaveNoDigest(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(o *Options) { o.Config.Scheme = "gitlab" })
	request := func(body, id string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-Gitlab-Token", testSecret)
		if id != "" {
			r.Header.Set("Idempotency-Key", id)
		}
		return r
	}
	requireAccepted(t, g.serve(request("same", "")))
	requireAccepted(t, g.serve(request("same", "")))
	requireAccepted(t, g.serve(request("same", "1")))
	requireAccepted(t, g.serve(request("same", "2")))
	requireDuplicate(t, g.serve(request("other", "1")))
	require.Equal(t, 4, g.app.count())
}

// TestLesson53_OneNameAndTwoSchemes: what two providers have in common by chance is no duplicate.
func TestLesson53_OneNameAndTwoSchemes(t *testing.T) {
	t.Parallel()
	for _, s := range signature.Schemes() {
		for _, alias := range s.Aliases {
			require.Equal(t, EventKey("shop", s.Name, "evt_1"), EventKey("shop", alias, "evt_1"), alias)
		}
	}
	eachBackend(t, func(t *testing.T, b backend) {
		of := func(scheme string) *gateway {
			return newGateway(t, func(o *Options) {
				o.Store = b.open(t, "shop")
				o.Config.Name, o.Config.Scheme = "shop", scheme
				o.Config.Secrets = []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
			})
		}
		send := func(g *gateway, scheme string) *httptest.ResponseRecorder {
			v, err := signature.New(signature.Config{Scheme: scheme, Secrets: g.config.Secrets})
			require.NoError(t, err)
			r := httptest.NewRequest(http.MethodPost, "https://hooks.example.com/webhooks", strings.NewReader(`{"n":1}`))
			h, err := v.Sign(&signature.Request{Method: r.Method, Header: r.Header, Body: []byte(`{"n":1}`)}, "evt_1", time.Now())
			require.NoError(t, err)
			for name, values := range h {
				r.Header[name] = values
			}
			return g.serve(r)
		}
		for _, scheme := range []string{"github", "shopify", "standard"} {
			requireAccepted(t, send(of(scheme), scheme))
			requireDuplicate(t, send(of(scheme), scheme))
		}
	})
}
