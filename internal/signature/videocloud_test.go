package signature

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const videoBody = `{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":{"event":"other"}}`

// videoRequest is a delivery as our sender makes it.
func videoRequest(t *testing.T, secret string) *Request {
	v, err := New(Config{Scheme: "videocloud", Secrets: []string{secret}})
	require.NoError(t, err)
	r := &Request{Method: http.MethodPost, Body: []byte(videoBody)}
	r.Header, err = v.Sign(r, "evt_1", noon)
	require.NoError(t, err)
	return r
}

func TestVideoCloudSigns(t *testing.T) {
	t.Parallel()
	r := videoRequest(t, "your_webhook_secret")
	require.Equal(t, http.Header{
		"X-Videocloud-Signature": {hexSum("your_webhook_secret", videoBody)},
		"X-Videocloud-Event":     {"video.uploaded"},
		"X-Videocloud-Event-Id":  {"evt_1"},
		"Webhook-Id":             {"evt_1"},
		"Webhook-Timestamp":      {"1700000000"},
		"Webhook-Signature":      {"v1," + b64Sum("your_webhook_secret", "evt_1.1700000000."+videoBody)},
	}, r.Header)
}

func TestVideoCloudWithStandardHeaders(t *testing.T) {
	t.Parallel()
	other := "v1," + b64Sum("old", "evt_1.1700000000."+videoBody)
	for name, c := range map[string]struct {
		change func(h http.Header)
		now    time.Time
		reason string
	}{
		"as sent":                   {func(http.Header) {}, noon, ""},
		"oldest":                    {func(http.Header) {}, noon.Add(5 * time.Minute), ""},
		"too old":                   {func(http.Header) {}, noon.Add(5*time.Minute + time.Second), ReasonTimestamp},
		"too new":                   {func(http.Header) {}, noon.Add(-5*time.Minute - time.Second), ReasonTimestamp},
		"all stripped":              {func(h http.Header) { del(h, standardHeaders[:]...) }, noon.Add(time.Hour), ""},
		"ID stripped":               {func(h http.Header) { del(h, "Webhook-Id") }, noon, ReasonMissing},
		"timestamp stripped":        {func(h http.Header) { del(h, "Webhook-Timestamp") }, noon, ReasonMissing},
		"signature stripped":        {func(h http.Header) { del(h, "Webhook-Signature") }, noon, ReasonMissing},
		"only the ID left":          {func(h http.Header) { del(h, "Webhook-Signature", "Webhook-Timestamp") }, noon, ReasonMissing},
		"only the timestamp left":   {func(h http.Header) { del(h, "Webhook-Signature", "Webhook-Id") }, noon, ReasonMissing},
		"emptied signature":         {func(h http.Header) { h["Webhook-Signature"] = []string{""} }, noon, ReasonMissing},
		"no values":                 {func(h http.Header) { h["Webhook-Signature"] = nil }, noon, ReasonMissing},
		"another ID":                {func(h http.Header) { h.Set("Webhook-Id", "evt_2") }, noon, ReasonMismatch},
		"another timestamp":         {func(h http.Header) { h.Set("Webhook-Timestamp", "1700000001") }, noon, ReasonMismatch},
		"another v1":                {func(h http.Header) { h.Set("Webhook-Signature", other) }, noon, ReasonMismatch},
		"rotation, ours first":      {func(h http.Header) { h.Set("Webhook-Signature", h.Get("Webhook-Signature")+" "+other) }, noon, ""},
		"rotation, ours last":       {func(h http.Header) { h.Set("Webhook-Signature", other+" "+h.Get("Webhook-Signature")) }, noon, ""},
		"only v1a":                  {func(h http.Header) { h.Set("Webhook-Signature", "v1a,AAAA") }, noon, ReasonMalformed},
		"ID twice":                  {func(h http.Header) { h.Add("Webhook-Id", "evt_1") }, noon, ReasonMalformed},
		"our signature wrong":       {func(h http.Header) { h.Set("X-VideoCloud-Signature", strings.Repeat("0", 64)) }, noon, ReasonMismatch},
		"our signature missing":     {func(h http.Header) { del(h, "X-Videocloud-Signature") }, noon, ReasonMissing},
		"unsigned ID header forged": {func(h http.Header) { h.Set("X-VideoCloud-Event-Id", "evt_9") }, noon, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := videoRequest(t, "key")
			c.change(r.Header)
			v, err := New(Config{Scheme: "videocloud", Secrets: []string{"other", "key"}})
			require.NoError(t, err)
			res, err := v.Verify(r, c.now)
			if c.reason != "" {
				requireReason(t, c.reason, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, 1, res.Secret)
			require.Equal(t, "evt_1", res.ID)
			require.Equal(t, "video.uploaded", res.Event)
			require.Equal(t, name != "all stripped", res.IDSigned)
			require.True(t, res.BodySigned)
		})
	}
}

func del(h http.Header, names ...string) {
	for _, name := range names {
		delete(h, name)
	}
}

func TestVideoCloudEventComesFromTheSignedBody(t *testing.T) {
	t.Parallel()
	v, err := New(Config{Scheme: "videocloud", Secrets: []string{"key"}})
	require.NoError(t, err)
	for name, c := range map[string]struct{ body, header, event string }{
		"both agree":     {videoBody, "video.uploaded", "video.uploaded"},
		"header forged":  {videoBody, "video.deleted", "video.uploaded"},
		"header missing": {videoBody, "", "video.uploaded"},
		"not in body":    {`{}`, "video.deleted", ""},
		"not JSON":       {`event`, "video.deleted", ""},
		"not a string":   {`{"event":{"a":1}}`, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{"X-Videocloud-Signature": {hexSum("key", c.body)}}
			if c.header != "" {
				h.Set("X-VideoCloud-Event", c.header)
			}
			res, err := v.Verify(&Request{Header: h, Body: []byte(c.body)}, noon)
			require.NoError(t, err)
			require.Equal(t, c.event, res.Event)
		})
	}
}

func TestVideoCloudCanRequireTheTimestamp(t *testing.T) {
	t.Parallel()
	v, err := New(Config{Scheme: "videocloud", Secrets: []string{"key"}, RequireTimestamp: true})
	require.NoError(t, err)
	r := videoRequest(t, "key")
	_, err = v.Verify(r, noon)
	require.NoError(t, err)
	del(r.Header, standardHeaders[:]...)
	requireReason(t, ReasonMissing, v.Check(r.Header, noon))
	_, err = v.Verify(r, noon)
	requireReason(t, ReasonMissing, err)
}

func TestVideoCloudSecretThatStartsWithWhsec(t *testing.T) {
	t.Parallel()
	r := videoRequest(t, "whsec_AP8A/wD/AP8A/wD/")
	require.Equal(t, hexSum("whsec_AP8A/wD/AP8A/wD/", videoBody), r.Header.Get("X-VideoCloud-Signature"))
	require.Equal(t, "v1,"+b64Sum(strings.Repeat("\x00\xff", 6), "evt_1.1700000000."+videoBody), r.Header.Get("webhook-signature"))
	v, err := New(Config{Scheme: "videocloud", Secrets: []string{"whsec_AP8A/wD/AP8A/wD/"}})
	require.NoError(t, err)
	_, err = v.Verify(r, noon)
	require.NoError(t, err)
}

func TestVideoCloudBrand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"setting": {Brand: "Acme"},
		"option":  {Options: map[string]string{"brand": "Acme"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Scheme, c.Secrets = "videocloud", []string{"key"}
			v, err := New(c)
			require.NoError(t, err)
			res, err := v.Verify(&Request{Header: http.Header{
				"X-Acme-Signature": {hexSum("key", "{}")},
				"X-Acme-Event-Id":  {"evt_1"},
			}, Body: []byte("{}")}, noon)
			require.NoError(t, err)
			require.Equal(t, "evt_1", res.ID)
			require.False(t, res.IDSigned)
			require.Equal(t, "X-Acme-Signature", v.HeaderName("X-Acme-Signature"))
		})
	}
	for _, brand := range []string{"", "a b", "a:b", "a\r\n", "-a", strings.Repeat("a", 65)} {
		_, err := New(Config{Scheme: "videocloud", Secrets: []string{"key"}, Options: map[string]string{"brand": brand}})
		if brand != "" {
			require.ErrorIs(t, err, ErrOption, "%q", brand)
		}
	}
}

// An ID that nobody gave has the form of the product's own, whatever is signed with it.
func TestSignMakesAnEventID(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"videocloud", "standard"} {
		v, err := New(Config{Scheme: scheme, Secrets: []string{"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"}})
		require.NoError(t, err)
		h, err := v.Sign(&Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte("{}")}, "", noon)
		require.NoError(t, err)
		require.Regexp(t, "^evt_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$", h.Get("webhook-id"), scheme)
	}
}

// TestVideoCloudReadsHeadersOnce: what CheckRequest found counts for Verify of the same verifier at the same time, and for nobody else.
func TestVideoCloudReadsHeadersOnce(t *testing.T) {
	t.Parallel()
	verifier := func(secret string) *Verifier {
		v, err := New(Config{Scheme: "videocloud", Secrets: []string{secret}})
		require.NoError(t, err)
		return v
	}
	v := verifier("a secret")
	plain, err := v.Verify(videoRequest(t, "a secret"), noon)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		checked func(r *Request)
		by      *Verifier
		now     time.Time
		reason  string
	}{
		"checked":                            {func(r *Request) { require.NoError(t, v.CheckRequest(r, noon)) }, v, noon, ""},
		"refused before, the headers mended": {func(r *Request) { require.Error(t, v.CheckRequest(&Request{Header: http.Header{}}, noon)) }, v, noon, ""},
		"at another time":                    {func(r *Request) { require.NoError(t, v.CheckRequest(r, noon)) }, v, noon.Add(time.Hour), ReasonTimestamp},
		"refused at another time":            {func(r *Request) { require.Error(t, v.CheckRequest(r, noon.Add(time.Hour))) }, v, noon, ""},
		"by one with the same secret":        {func(r *Request) { require.NoError(t, v.CheckRequest(r, noon)) }, verifier("a secret"), noon, ""},
		"by one with another":                {func(r *Request) { require.NoError(t, v.CheckRequest(r, noon)) }, verifier("another"), noon, ReasonMismatch},
		"the body is another": {func(r *Request) {
			require.NoError(t, v.CheckRequest(r, noon))
			r.Body = []byte(`{}`)
		}, v, noon, ReasonMismatch},
		"a refusal ends what was found": {func(r *Request) {
			require.NoError(t, v.CheckRequest(r, noon))
			del(r.Header, "Webhook-Id")
			require.Error(t, v.CheckRequest(r, noon))
		}, v, noon, ReasonMissing},
	} {
		r := videoRequest(t, "a secret")
		c.checked(r)
		result, err := c.by.Verify(r, c.now)
		if c.reason != "" {
			requireReason(t, c.reason, err)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, plain, result, name)
	}
}
