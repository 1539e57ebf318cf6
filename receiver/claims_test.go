package receiver

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// event makes a claim as the receiver does. An empty ID or body is none.
func event(id, body string, change ...func(*Claim)) *Claim {
	c := Claim{ID: EventKey("n", "videocloud", id), Lease: time.Minute, TTL: time.Hour, At: time.Now()}
	if body != "" {
		c.Digest = hashKey(kindDigest, "n", "videocloud", "", []byte(body))
	}
	for _, f := range change {
		f(&c)
	}
	return NewClaim(c)
}

func signedEvent(c *Claim) { c.Signed = true }

func short(c *Claim) { c.Lease = 50 * time.Millisecond }

func requireClaim(t *testing.T, want State, s Store, c *Claim) *Claim {
	t.Helper()
	got, err := s.Claim(context.Background(), c)
	require.NoError(t, err)
	require.Equal(t, want, got)
	return c
}

// TestStores is what every store does alike.
func TestStores(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tests := map[string]func(*testing.T, backend){
		"a claim is exclusive until it is done": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			c := requireClaim(t, Claimed, one, event("1", "body"))
			requireClaim(t, InFlight, one, event("1", "body"))
			requireClaim(t, InFlight, two, event("1", "body"))
			require.NoError(t, one.Done(ctx, c))
			requireClaim(t, Duplicate, one, event("1", "body"))
			requireClaim(t, Duplicate, two, event("1", "body"))
		},
		"a released claim is free": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			c := requireClaim(t, Claimed, one, event("1", "body"))
			require.NoError(t, one.Release(ctx, c))
			requireClaim(t, Claimed, two, event("1", "body"))
		},
		"other names are other events": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "m")
			requireClaim(t, Claimed, one, event("1", "body"))
			requireClaim(t, Claimed, two, event("1", "body"))
		},
		"an unsigned ID and the digest go both or neither": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			c := requireClaim(t, Claimed, one, event("1", "body"))
			requireClaim(t, InFlight, two, event("2", "body"))
			requireClaim(t, Claimed, two, event("2", "other"))
			requireClaim(t, InFlight, two, event("1", "third"))
			requireClaim(t, Claimed, two, event("3", "third"))
			require.NoError(t, one.Done(ctx, c))
			requireClaim(t, Duplicate, two, event("4", "body"))
			requireClaim(t, Claimed, two, event("4", "fourth"))
		},
		"a finished body is a duplicate though its ID is in work": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			require.NoError(t, one.Done(ctx, requireClaim(t, Claimed, one, event("1", "body"))))
			requireClaim(t, Claimed, one, event("2", "other"))
			requireClaim(t, Duplicate, two, event("2", "body"))
		},
		"no ID: the digest alone": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			c := requireClaim(t, Claimed, one, event("", "body"))
			requireClaim(t, Claimed, two, event("", "other"))
			requireClaim(t, InFlight, two, event("", "body"))
			require.NoError(t, one.Done(ctx, c))
			requireClaim(t, Duplicate, two, event("", "body"))
			requireClaim(t, Duplicate, two, event("1", "body"))
		},
		"no digest: the ID alone": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			c := requireClaim(t, Claimed, one, event("1", ""))
			requireClaim(t, Claimed, two, event("2", ""))
			require.NoError(t, one.Done(ctx, c))
			requireClaim(t, Duplicate, two, event("1", ""))
		},
		"signed IDs with equal bodies both pass": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			first := requireClaim(t, Claimed, one, event("1", "body", signedEvent))
			second := requireClaim(t, Claimed, two, event("2", "body", signedEvent))
			requireClaim(t, InFlight, one, event("2", "body", signedEvent))
			// Without its signed headers a copy is known by the body.
			requireClaim(t, InFlight, two, event("3", "body"))
			// The first one's end doesn't make the body unknown.
			require.NoError(t, one.Release(ctx, first))
			require.NoError(t, two.Done(ctx, second))
			requireClaim(t, Duplicate, one, event("3", "body"))
			requireClaim(t, Claimed, one, event("1", "body", signedEvent))
		},
		"an unsigned ID can't silence a signed one": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			forged := requireClaim(t, Claimed, one, event("1", "captured"))
			c := requireClaim(t, Claimed, b.open(t, "n"), event("1", "body", signedEvent))
			require.NoError(t, one.Done(ctx, forged))
			require.NoError(t, two.Done(ctx, c))
			requireClaim(t, Duplicate, two, event("1", "body", signedEvent))
			requireClaim(t, Duplicate, two, event("9", "captured"))
		},
		"an unsigned ID with the same body is the same event": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			require.NoError(t, one.Done(ctx, requireClaim(t, Claimed, one, event("1", "body"))))
			requireClaim(t, Duplicate, two, event("1", "body", signedEvent))
		},
		"lesson 63: a copy without the signed headers that came first is the event": func(t *testing.T, b backend) {
			for i, id := range []string{"", "real 1", "other"} {
				one, two := b.open(t, "n"), b.open(t, "n")
				body, real, second := fmt.Sprint("stripped ", i), fmt.Sprint("real ", i), fmt.Sprint("second ", i)
				c := requireClaim(t, Claimed, one, event(id, body))
				requireClaim(t, InFlight, two, event(real, body, signedEvent))
				require.NoError(t, one.Release(ctx, c))
				require.NoError(t, two.Release(ctx, requireClaim(t, Claimed, two, event(real, body, signedEvent))))
				require.NoError(t, one.Done(ctx, requireClaim(t, Claimed, one, event(id, body))))
				for range 2 {
					requireClaim(t, Duplicate, two, event(real, body, signedEvent))
					requireClaim(t, Duplicate, one, event(real, body, signedEvent))
				}
				// It stands for that event alone.
				require.NoError(t, one.Done(ctx, requireClaim(t, Claimed, two, event(second, body, signedEvent))))
				requireClaim(t, Duplicate, one, event("third", body))
				requireClaim(t, Duplicate, one, event("", body))
				n, err := one.Forget(ctx, EventKey("n", "videocloud", real))
				require.NoError(t, err)
				require.Equal(t, 1, n)
				requireClaim(t, Claimed, two, event(real, body, signedEvent))
			}
		},
		"every call may be repeated": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			c := requireClaim(t, Claimed, one, event("1", "body"))
			requireClaim(t, Claimed, one, c)
			require.NoError(t, one.Release(ctx, c))
			require.NoError(t, one.Release(ctx, c))
			c = requireClaim(t, Claimed, one, event("1", "body"))
			require.NoError(t, one.Done(ctx, c))
			require.NoError(t, one.Done(ctx, c))
			require.NoError(t, one.Release(ctx, c))
			require.NoError(t, one.Renew(ctx, c))
			requireClaim(t, Duplicate, two, event("1", "body"))
		},
		"a lease ends": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			c := requireClaim(t, Claimed, one, event("1", "body", short))
			b.pass(time.Second)
			var next *Claim
			require.Eventually(t, func() bool {
				next = event("1", "body")
				s, err := two.Claim(ctx, next)
				return err == nil && s == Claimed
			}, time.Minute, time.Millisecond)
			// Whose lease ended settles nothing of the next one's, and does not shorten its lease either: theirs differ where a
			// configuration was changed, and the rest of the shorter one is over before the longer one is renewed.
			require.NoError(t, one.Release(ctx, c))
			requireClaim(t, InFlight, b.open(t, "n"), event("1", "body"))
			require.NoError(t, one.Done(ctx, c))
			b.pass(20 * time.Second)
			requireClaim(t, InFlight, b.open(t, "n"), event("1", "body"))
			require.NoError(t, one.Renew(ctx, c))
			b.pass(20 * time.Second)
			requireClaim(t, InFlight, b.open(t, "n"), event("1", "body"))
			require.NoError(t, two.Release(ctx, next))
			requireClaim(t, Claimed, b.open(t, "n"), event("1", "body"))
		},
		"a renewed lease lasts, also when it had ended": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			c := requireClaim(t, Claimed, one, event("1", "body", short))
			c.Lease = time.Minute
			require.NoError(t, one.Renew(ctx, c))
			b.pass(2 * time.Second)
			requireClaim(t, InFlight, two, event("1", "body"))
			b.pass(2 * time.Minute)
			require.NoError(t, one.Renew(ctx, c))
			requireClaim(t, InFlight, two, event("1", "body"))
		},
		"a finished event is remembered though its lease ended": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			c := requireClaim(t, Claimed, one, event("1", "body", short))
			b.pass(time.Second)
			require.NoError(t, one.Done(ctx, c))
			requireClaim(t, Duplicate, two, event("1", "body"))
		},
		"an event is forgotten after its time": func(t *testing.T, b backend) {
			one := b.open(t, "n")
			require.NoError(t, one.Done(ctx, requireClaim(t, Claimed, one, event("1", "body", func(c *Claim) { c.TTL = 50 * time.Millisecond }))))
			b.pass(time.Second)
			require.Eventually(t, func() bool {
				s, err := one.Claim(ctx, event("1", "body"))
				return err == nil && s == Claimed
			}, time.Minute, time.Millisecond)
		},
		"forget": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			finish := func(c *Claim) {
				require.NoError(t, one.Done(ctx, requireClaim(t, Claimed, one, c)))
			}
			finish(event("1", "body"))
			finish(event("2", "other", signedEvent))
			finish(event("3", "other", signedEvent))
			bare := event("", "bare")
			finish(bare)
			working := requireClaim(t, Claimed, one, event("4", "fourth"))
			for k, want := range map[Key]int{EventKey("n", "videocloud", "1"): 1, EventKey("n", "videocloud", "3"): 1, EventKey("n", "videocloud", "9"): 0, working.ID: 0, bare.Digest: 1} {
				n, err := two.Forget(ctx, k)
				require.NoError(t, err)
				require.Equal(t, want, n)
			}
			requireClaim(t, Claimed, two, event("1", "body"))
			requireClaim(t, Claimed, two, event("", "bare"))
			requireClaim(t, Claimed, two, event("3", "other", signedEvent))
			// The body that both had was noted by the other one, which is still known.
			requireClaim(t, Duplicate, two, event("2", "other", signedEvent))
			requireClaim(t, Duplicate, b.open(t, "n"), event("9", "other"))
			requireClaim(t, InFlight, two, event("4", "fourth"))
		},
		"forget since": func(t *testing.T, b backend) {
			one, two := b.open(t, "n"), b.open(t, "n")
			now := time.Now()
			at := func(d time.Duration) func(*Claim) { return func(c *Claim) { c.At = now.Add(d) } }
			for i := range 600 { // more than one page
				body := fmt.Sprint("body ", i)
				when := at(-time.Hour)
				if i%2 == 0 {
					when = at(-time.Minute)
				}
				require.NoError(t, one.Done(ctx, requireClaim(t, Claimed, one, event(fmt.Sprint(i), body, when))))
			}
			requireClaim(t, Claimed, one, event("working", "working"))
			n, err := two.ForgetSince(ctx, now.Add(-10*time.Minute))
			require.NoError(t, err)
			require.Equal(t, 300, n)
			requireClaim(t, Claimed, two, event("0", "body 0"))
			requireClaim(t, Claimed, two, event("598", "body 598"))
			requireClaim(t, Duplicate, two, event("1", "body 1"))
			requireClaim(t, InFlight, two, event("working", "working"))
		},
		"one of many wins": func(t *testing.T, b backend) {
			stores := []Store{b.open(t, "n"), b.open(t, "n")}
			for i := range 20 {
				var wg sync.WaitGroup
				var mu sync.Mutex
				won := 0
				for j := range 50 {
					wg.Go(func() {
						s, err := stores[j%2].Claim(ctx, event(fmt.Sprint("many ", i), fmt.Sprint("body ", i)))
						mu.Lock()
						defer mu.Unlock()
						if err == nil && s == Claimed {
							won++
						}
					})
				}
				wg.Wait()
				require.Equal(t, 1, won)
			}
		},
	}
	run := func(t *testing.T, b backend) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				scope := strings.ReplaceAll(name, " ", "_")
				test(t, backend{
					open: func(t *testing.T, n string) Store { return b.open(t, scope+n) },
					pass: b.pass,
				})
			})
		}
	}
	eachBackend(t, run)
	onCluster(t, run)
}
