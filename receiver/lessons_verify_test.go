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
		buf, err := (&bodyReader{limit: 5 << 20, timeout: time.Minute, client: peer, unfinished: newUnfinished(1 << 30)}).read(httptest.NewRecorder(), r, nil)
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
