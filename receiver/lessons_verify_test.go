package receiver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
)

// untouchable is a store that must not be asked.
type untouchable struct{ t *testing.T }

func (u untouchable) fail() error {
	u.t.Error("the store was asked")
	return ErrStore
}
func (u untouchable) Claim(context.Context, *Claim) (State, error)        { return 0, u.fail() }
func (u untouchable) Renew(context.Context, *Claim) error                 { return u.fail() }
func (u untouchable) Done(context.Context, *Claim) error                  { return u.fail() }
func (u untouchable) Release(context.Context, *Claim) error               { return u.fail() }
func (u untouchable) Forget(context.Context, Key) (int, error)            { return 0, u.fail() }
func (u untouchable) ForgetSince(context.Context, time.Time) (int, error) { return 0, u.fail() }

// refusedReason runs the request and returns why it was refused. The app must not have seen it.
func (g *gateway) refusedReason(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	before := g.app.count()
	w := httptest.NewRecorder()
	out, err := g.Serve(w, r, func(w http.ResponseWriter, r *http.Request) error {
		g.app.ServeHTTP(w, r)
		return nil
	})
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, refusal.Reason, out.Error)
	require.Equal(t, refusal.Reason, out.Result)
	require.Equal(t, refusal.Status, out.Status)
	require.Empty(t, w.Body.String(), "a refusal writes nothing")
	require.Equal(t, before, g.app.count())
	return refusal.Status, refusal.Reason
}

func TestLesson29_NoSecretIsAConfigurationError(t *testing.T) {
	t.Parallel()
	tests := map[string]config.Receiver{
		"none":                       {},
		"empty":                      {Secrets: []string{""}},
		"empty beside another":       {Secrets: []string{testSecret, ""}},
		"decodes to nothing":         {Scheme: "standard", Secrets: []string{"whsec_"}},
		"standard, not decodable":    {Scheme: "standard", Secrets: []string{"whsec_!!"}},
		"decodes to nothing, second": {Scheme: "standard", Secrets: []string{"whsec_" + strings.Repeat("QUFB", 8), "whsec_"}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := New(Options{Config: c})
			require.ErrorContains(t, err, "secret")
			require.NotContains(t, err.Error(), testSecret)
		})
	}
}

func TestLesson30_BadSignaturesAreRefused(t *testing.T) {
	t.Parallel()
	const body = `{"event":"video.uploaded"}`
	right := sign(body)
	tests := map[string]struct {
		values []string
		reason string
	}{
		"missing":    {nil, ReasonMissing},
		"empty":      {[]string{""}, ""},
		"short":      {[]string{right[:62]}, ""},
		"odd length": {[]string{right[:63]}, ""},
		"over-long":  {[]string{right + "00"}, ""},
		"non-hex":    {[]string{"zz" + right[2:]}, ""},
		"prefix":     {[]string{right[:2]}, ""},
		"repeated":   {[]string{right, right}, ReasonMalformed},
		"huge":       {[]string{strings.Repeat("a", 1<<20)}, ""},
		"wrong":      {[]string{sign(body + " ")}, ReasonMismatch},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(o *Options) { o.Store = untouchable{t} })
			r := delivery(body, "evt_1")
			r.Header.Del("X-VideoCloud-Signature")
			for _, v := range test.values {
				r.Header.Add("X-VideoCloud-Signature", v)
			}
			status, reason := g.refusedReason(t, r)
			require.Equal(t, http.StatusUnauthorized, status)
			if test.reason != "" {
				require.Equal(t, test.reason, reason)
			}
		})
	}
}

func TestLesson31_TimestampsAreBoundedBothWays(t *testing.T) {
	t.Parallel()
	now := time.Now()
	tests := map[string]struct {
		timestamp string
		reason    string // empty: accepted
	}{
		"300 s old":    {strconv.FormatInt(now.Unix()-300, 10), ""},
		"301 s old":    {strconv.FormatInt(now.Unix()-301, 10), ReasonTimestamp},
		"300 s ahead":  {strconv.FormatInt(now.Unix()+300, 10), ""},
		"301 s ahead":  {strconv.FormatInt(now.Unix()+301, 10), ReasonTimestamp},
		"unparsable":   {"yesterday", ReasonMalformed},
		"out of range": {strings.Repeat("9", 40), ReasonMalformed},
		"empty":        {"", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(o *Options) {
				o.Now = func() time.Time { return now }
				o.Config.Scheme = "stripe"
			})
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body"))
			r.Header.Set("Stripe-Signature", "t="+test.timestamp+",v1="+sign(test.timestamp+".body"))
			if name == "empty" {
				_, reason := g.refusedReason(t, r)
				require.Contains(t, []string{ReasonMissing, ReasonMalformed}, reason)
				return
			}
			if test.reason == "" {
				requireAccepted(t, g.serve(r))
				return
			}
			status, reason := g.refusedReason(t, r)
			require.Equal(t, http.StatusUnauthorized, status)
			require.Equal(t, test.reason, reason)
		})
	}
}

// countingBody notes how much was read of it.
type countingBody struct {
	io.Reader
	read int64
}

func (c *countingBody) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += int64(n)
	return n, err
}
func (c *countingBody) Close() error { return nil }

// endless is a client that never stops sending.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestLesson32_NothingIsStoredOrReadBeforeTheSignature(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(o *Options) {
		o.Store = untouchable{t}
		o.Config.MaxSize = 1000
	})
	t.Run("the body is not read without a signature", func(t *testing.T) {
		body := &countingBody{Reader: endless{}}
		r := delivery("", "evt_1")
		r.Header.Del("X-VideoCloud-Signature")
		r.Body, r.ContentLength = body, -1
		_, reason := g.refusedReason(t, r)
		require.Equal(t, ReasonMissing, reason)
		require.Zero(t, body.read)
	})
	t.Run("the body is read to the limit", func(t *testing.T) {
		body := &countingBody{Reader: endless{}}
		r := delivery("", "evt_1")
		r.Body, r.ContentLength = body, -1
		status, reason := g.refusedReason(t, r)
		require.Equal(t, http.StatusRequestEntityTooLarge, status)
		require.Equal(t, ReasonTooLarge, reason)
		require.LessOrEqual(t, body.read, int64(1001), "one more byte shows that there are more")
	})
	t.Run("an announced length takes no memory", func(t *testing.T) {
		r := delivery("", "evt_1")
		r.Body, r.ContentLength = io.NopCloser(io.MultiReader(strings.NewReader("ten bytes."), iotestErr{})), 5<<20
		buf, err := readBody(r, 5<<20)
		require.Error(t, err)
		require.Len(t, buf, 10)
		require.LessOrEqual(t, cap(buf), firstRead)
	})
}

type iotestErr struct{}

func (iotestErr) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestLesson33_TooLargeIsSaidSo(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		length int
		known  bool
		status int
	}{
		"at the limit, known":    {100, true, http.StatusOK},
		"at the limit, chunked":  {100, false, http.StatusOK},
		"over the limit, known":  {101, true, http.StatusRequestEntityTooLarge},
		"over the limit,chunked": {101, false, http.StatusRequestEntityTooLarge},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(o *Options) { o.Config.MaxSize = 100 })
			body := strings.Repeat("a", test.length)
			read := &countingBody{Reader: strings.NewReader(body)}
			r := delivery(body, "")
			r.Body = read
			if !test.known {
				r.ContentLength = -1
			}
			if test.status == http.StatusOK {
				requireAccepted(t, g.serve(r))
				require.Equal(t, body, g.app.bodies[0])
				return
			}
			status, reason := g.refusedReason(t, r)
			require.Equal(t, test.status, status)
			require.Equal(t, ReasonTooLarge, reason)
			if test.known {
				require.Zero(t, read.read)
			}
		})
	}
}

func TestLesson34_Allowlist(t *testing.T) {
	t.Parallel()
	prefixes := []netip.Prefix{
		netip.MustParsePrefix("203.0.113.7/32"), netip.MustParsePrefix("2001:db8::1/128"),
		netip.MustParsePrefix("198.51.100.9/24"), netip.MustParsePrefix("::ffff:192.0.2.0/120"),
	}
	tests := map[string]struct {
		remote string
		ok     bool
	}{
		"an address":                    {"203.0.113.7:1", true},
		"its neighbour":                 {"203.0.113.8:1", false},
		"IPv4-mapped":                   {"[::ffff:203.0.113.7]:1", true},
		"IPv6":                          {"[2001:db8::1]:1", true},
		"IPv6 neighbour in the /32":     {"[2001:db8::2]:1", false},
		"IPv6 with a zone":              {"[2001:db8::1%eth0]:1", true},
		"a network written with a host": {"198.51.100.200:1", true},
		"a mapped network":              {"192.0.2.77:1", true},
		"beside the mapped network":     {"192.0.3.77:1", false},
		"a socket without address":      {"@", false},
		"nothing":                       {"", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, func(o *Options) { o.Config.Allow = prefixes })
			r := delivery(`{}`, "evt_1")
			r.RemoteAddr = test.remote
			// A stranger's word about where it comes from changes nothing.
			r.Header.Set("X-Forwarded-For", "203.0.113.7")
			r.Header.Set("Forwarded", "for=203.0.113.7")
			r.Header.Set("X-Real-Ip", "203.0.113.7")
			if test.ok {
				requireAccepted(t, g.serve(r))
				return
			}
			status, reason := g.refusedReason(t, r)
			require.Equal(t, http.StatusForbidden, status)
			require.Equal(t, ReasonIP, reason)
		})
	}
}

func TestFurtherSourcesAreAskedAfterTheList(t *testing.T) {
	t.Parallel()
	var asked []netip.Addr
	g := newGateway(t, func(o *Options) {
		o.Config.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		o.ClientIP = func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get("Test-Client")) }
		o.Allowed = func(_ *http.Request, a netip.Addr) bool {
			asked = append(asked, a)
			return a == netip.MustParseAddr("198.51.100.1")
		}
	})
	for client, ok := range map[string]bool{"192.0.2.1": true, "::ffff:198.51.100.1": true, "198.51.100.2": false} {
		r := delivery(client, "")
		r.Header.Set("Test-Client", client)
		require.Equal(t, ok, g.serve(r).Code == http.StatusOK, client)
	}
	require.ElementsMatch(t, []netip.Addr{netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")}, asked)
}

func TestLesson35_StrangersClaimNothing(t *testing.T) {
	t.Parallel()
	g := newGateway(t)
	forged := delivery(`{"n":1}`, "evt_1")
	forged.Header.Set("X-VideoCloud-Signature", sign("another body"))
	_, reason := g.refusedReason(t, forged)
	require.Equal(t, ReasonMismatch, reason)
	requireAccepted(t, g.deliver(`{"n":1}`, "evt_1"))
	require.Equal(t, 1, g.app.count())
}

func TestRefusalsComeInTheirOrder(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(o *Options) {
		o.Store = untouchable{t}
		o.Config.MaxSize = 10
		o.Config.Methods = []string{"POST", "PUT"}
		o.Config.Allow = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
	})
	r := delivery("far more than ten bytes", "evt_1")
	r.Method = http.MethodGet
	r.RemoteAddr = "198.51.100.1:1"
	r.Header.Del("X-VideoCloud-Signature")
	steps := []struct {
		status int
		reason string
		mend   func()
	}{
		{http.StatusMethodNotAllowed, ReasonMethod, func() { r.Method = http.MethodPut }},
		{http.StatusForbidden, ReasonIP, func() { r.RemoteAddr = "192.0.2.1:1" }},
		{http.StatusUnauthorized, ReasonMissing, func() { r.Header.Set("X-VideoCloud-Signature", sign("x")) }},
		{http.StatusRequestEntityTooLarge, ReasonTooLarge, func() { r.Body, r.ContentLength = io.NopCloser(iotestErr{}), -1 }},
		{http.StatusBadRequest, ReasonBody, func() { r.Body = io.NopCloser(strings.NewReader("x y")) }},
		{http.StatusUnauthorized, ReasonMismatch, func() {}},
	}
	for _, step := range steps {
		status, reason := g.refusedReason(t, r)
		require.Equal(t, step.status, status, step.reason)
		require.Equal(t, step.reason, reason)
		if reason == ReasonMethod {
			_, err := g.Serve(httptest.NewRecorder(), r, nil)
			var refusal *Refusal
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, "POST, PUT", refusal.Header.Get("Allow"))
		}
		step.mend()
	}
}

func TestUnreadableBodies(t *testing.T) {
	t.Parallel()
	g := newGateway(t, func(o *Options) { o.Store = untouchable{t} })
	tests := map[string]struct {
		err    error
		status int
	}{
		"broken":  {errors.New("malformed chunk"), http.StatusBadRequest},
		"slow":    {timeoutError{}, http.StatusRequestTimeout},
		"cut off": {io.ErrUnexpectedEOF, http.StatusBadRequest},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := delivery("body", "evt_1")
			r.Body = io.NopCloser(failing{test.err})
			status, reason := g.refusedReason(t, r)
			require.Equal(t, test.status, status)
			require.Equal(t, ReasonBody, reason)
		})
	}
	t.Run("the client has left", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r := delivery("body", "evt_1").WithContext(ctx)
		r.Body = io.NopCloser(failing{context.Canceled})
		status, _ := g.refusedReason(t, r)
		require.Equal(t, StatusClientClosed, status)
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type timeoutError struct{}

func (timeoutError) Error() string   { return "i/o timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

// ownSpellings are headers that some app would take for one of ours.
var ownSpellings = []string{
	"X-Webhook-Verified", "X_Webhook_Verified", "x-webhook_verified", "X-WEBHOOK-ID", "X_WEBHOOK_ID", "x-Webhook-Event",
	"X-Webhook-Timestamp", "X-Webhook-Attempt", "X-Webhook-Anything", "X.Webhook.Id", "X-Webhook_Verified",
}

func TestLesson40_OwnHeadersFromOutsideAreDropped(t *testing.T) {
	t.Parallel()
	forge := func(r *http.Request) {
		for _, name := range ownSpellings {
			r.Header[name] = []string{"forged"} // not canonical, as other servers may leave them
		}
		r.Header["X-Webhookish"] = []string{"kept"}
		r.Header["Connection"] = []string{"keep-alive, X-Webhook-Verified", "x_webhook_id"}
	}
	requireClean := func(t *testing.T, h http.Header) {
		t.Helper()
		for name, values := range h {
			require.NotContains(t, values, "forged", name)
		}
		require.Equal(t, "kept", h.Get("X-Webhookish"))
		require.Equal(t, []string{"keep-alive"}, h["Connection"])
	}
	t.Run("accepted", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t)
		r := delivery(`{"event":"video.uploaded"}`, "evt_1")
		forge(r)
		requireAccepted(t, g.serve(r))
		requireClean(t, g.app.last().Header)
		require.Equal(t, []string{"videocloud"}, g.app.last().Header["X-Webhook-Verified"])
		require.Equal(t, []string{"evt_1"}, g.app.last().Header["X-Webhook-Id"])
		require.NotContains(t, g.app.last().Header, "X-Webhook-Attempt")
	})
	t.Run("refused, for an error page", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t)
		r := delivery(`{}`, "evt_1")
		r.Header.Del("X-VideoCloud-Signature")
		forge(r)
		g.refusedReason(t, r)
		requireClean(t, r.Header)
		require.NotContains(t, r.Header, "X-Webhook-Verified")
	})
	t.Run("let through by a dry run", func(t *testing.T) {
		t.Parallel()
		g := newGateway(t, func(o *Options) { o.Config.DryRun = true })
		r := delivery(`{}`, "evt_1")
		r.Header.Set("X-VideoCloud-Signature", sign("other"))
		forge(r)
		requireAccepted(t, g.serve(r))
		requireClean(t, g.app.last().Header)
		require.NotContains(t, g.app.last().Header, "X-Webhook-Verified")
	})
}

// TestLesson48_UnderscoresPassForDashes is the library's half of the lesson; the paths are the example configuration's.
func TestLesson48_UnderscoresPassForDashes(t *testing.T) {
	t.Parallel()
	for _, name := range ownSpellings {
		require.True(t, isOwn(name), name)
	}
	for _, name := range []string{"X-Webhook", "XWebhook-Id", "X-Webhooks-Id", "Webhook-Id", "X-Webhook1Id", "", "X-", "Webhook-Signature"} {
		require.False(t, isOwn(name), name)
	}
}

func TestIDsThatCantStandInAHeaderAreLeftOut(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"", "line\r\nX-Injected: 1", "tab\there", "\x00", strings.Repeat("a", 2000)} {
		require.False(t, canStand(v), v)
	}
	require.True(t, canStand("évt_1"))
	g := newGateway(t, func(o *Options) { o.Config.Dedup.IDPointer = "/id" })
	requireAccepted(t, g.deliver(`{"id":"a\r\nX-Injected: 1"}`, ""))
	require.NotContains(t, g.app.last().Header, "X-Webhook-Id")
}
