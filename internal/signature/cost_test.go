//go:build unix

package signature

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dearBody is made to cost as much as it can, before anybody knows that nobody signed it.
type dearBody struct {
	name, kind string // kind is the Content-Type
	body       []byte
}

// dearBodies are of a size, or of the largest below it that a scheme takes apart.
func dearBodies(size int) []dearBody {
	fill := func(head, unit, tail string) []byte {
		n := max(0, (size-len(head)-len(tail))/len(unit))
		return []byte(head + strings.Repeat(unit, n) + tail)
	}
	const (
		mailgun = `],"signature":{"timestamp":"1700000000","token":"x","signature":"` + zeros64 + `"}}`
		sns     = `],"Type":"Notification","MessageId":"1","TopicArn":"arn:aws:sns:us-east-1:1:t","Timestamp":"t","Message":"x","SignatureVersion":"2",` +
			`"SigningCertURL":"` + snsCertificate + `","Signature":"` + "AAAA" + `"}`
		adyen = `,"NotificationRequestItem":{"additionalData":{"hmacSignature":"` + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" + `"}}}]}`
	)
	items := func(n int, unit, tail string) []byte { // n of them, as long as fits
		long := `{"clientState":"x","a":[0` + strings.Repeat(unit, max(0, (size/n-40)/len(unit))) + `]}`
		return []byte(`{"value":[` + strings.Repeat(long+",", n-1) + long + tail)
	}
	names := func() []byte { // as many as are read, each its own
		var b bytes.Buffer
		b.WriteString(`{"a":0`)
		for i := range min(maxNames-1, size/20) {
			fmt.Fprintf(&b, `,"\u00e4%x":0`, i)
		}
		b.WriteString(`,"b":[0` + strings.Repeat(",0", max(0, (size-b.Len()-10)/2)) + `]}`)
		return b.Bytes()
	}
	return []dearBody{
		{"zero bytes", "", bytes.Repeat([]byte{0}, size)},
		{"zeros", "", fill(`{"notificationItems":[0`, ",0", "]}")},
		{"quotes", "", fill(`{"a":"`, `\"`, `"}`)},
		{"empty objects", "", fill(`{"notificationItems":[{}`, ",{}", "]}")},
		{"one name", "", fill(`{"a":0`, `,"a":0`, "}")},
		{"names", "", names()},
		{"depth", "", fill("", "[", "")},
		{"objects in objects", "", fill("", `{"a":`, "")},
		{"escaped names", "", fill(`{"a":0`, `,"\u0061":0`, "}")},
		{"Graph, many", "", fill(`{"value":[{"clientState":"x"}`, `,{"clientState":"x"}`, "]}")},
		{"Graph, long", "", items(maxListed, ",0", "]}")},
		{"Graph, quotes", "", items(maxListed, `,"\""`, "]}")},
		{"Mailgun behind zeros", "", fill(`{"a":[0`, ",0", mailgun)},
		{"Mailgun behind quotes", "", fill(`{"a":["\""`, `,"\""`, mailgun)},
		{"Figma behind zeros", "", fill(`{"a":[0`, ",0", `],"passcode":"x"}`)},
		{"SNS behind zeros", "", fill(`{"a":[0`, ",0", sns)},
		{"SNS behind quotes", "", fill(`{"a":["\""`, `,"\""`, sns)},
		{"SNS, a long message", "", fill(`{"Type":"Notification","MessageId":"1","TopicArn":"arn:aws:sns:us-east-1:1:t","Timestamp":"t","SignatureVersion":"2","SigningCertURL":"`+snsCertificate+`","Signature":"AAAA","Message":"`, `\u00e4`, `"}`)},
		{"Adyen, one item", "", fill(`{"notificationItems":[{"a":[0`, ",0", `]`+adyen)},
		{"Adyen, one of names", "", fill(`{"notificationItems":[{"NotificationRequestItem":{"additionalData":{"hmacSignature":"x","a":[{}`, ",{}", `]}}}]}`)},
		{"a token", "", fill("eyJhbGciOiJSUzI1NiJ9.", "AAAA", "."+strings.Repeat("A", 342))},
		{"fields", formType, fill("payload=1", "&a=%41", "")},
		{"empty fields", formType, fill("payload=1", "&", "")},
		{"long fields", formType, bytes.Repeat(append([]byte("&a="), bytes.Repeat([]byte("%41"), max(1, (size/maxFields-6)/3))...), maxFields-1)},
		{"one long field", formType, fill("bt_signature=pk|"+strings.Repeat("0", 40)+"&payload=1&bt_payload=", "%41", "")},
		{"Travis's field", formType, fill("payload=", "%5B", "")},
		{"parts", partsType, fill("--b\r\n\r\n", "x\r\n--b\r\n\r\n", "")},
		{"almost parts", partsType, fill("--b\r\n\r\n", "\r\n--", "")},
		{"lines of parts", partsType, fill("--b\r\n\r\n", "\r\n--a", "")},
		{"parts with headers", partsType, fill("--b\r\n", "Content-Disposition: form-data; a=1; b=2; c=3; d=4; e=5; f=6; g=7; h=8; i=9; j=10; k=11; l=12; m=13; n=14; o=15; name=x\r\n\r\nx\r\n--b\r\n", "")},
		{"headers of a part", partsType, fill("--b\r\n", "A: b\r\n", "\r\n")},
	}
}

const zeros64 = "0000000000000000000000000000000000000000000000000000000000000000"

// dearRequests are what the scheme's own headers let in with a body: those of a signed request, and the same with as many signatures as
// they may offer.
func (s *sample) dearRequests(t testing.TB, d dearBody, url string) []*Request {
	r := &Request{Method: http.MethodPost, URL: url, Header: http.Header{}, Body: d.body}
	stamp := fmt.Sprint(noon.UnixMilli())
	switch {
	case !s.inBody():
		r.Header = s.request(t, noon).Header
	case s.Name == "contentful":
		var names []string
		for i := range 2*maxCandidates - 2 {
			names = append(names, fmt.Sprintf("x-%d", i))
			r.Header.Set(names[i], strings.Repeat("x", 7<<10))
		}
		r.Header.Set("X-Contentful-Signature", zeros64)
		r.Header.Set("X-Contentful-Timestamp", stamp)
		r.Header.Set("X-Contentful-Signed-Headers", strings.Join(append(names, "x-contentful-signed-headers", "x-contentful-timestamp"), ","))
	case s.Name == "hook0":
		r.Header.Set("X-A", strings.Repeat("x", 8<<10))
		r.Header.Set("X-Hook0-Signature", fmt.Sprintf("t=%d,h=%s,v1=%s", noon.Unix(), strings.Repeat("x-a ", maxCandidates), zeros64))
	case s.Name == "hygraph":
		r.Header.Set("Gcms-Signature", "sign="+strings.Repeat("A", 43)+"=,env=m,t="+stamp)
	case s.Name == "nowpayments":
		r.Header.Set("X-Nowpayments-Sig", zeros64+zeros64)
	case s.Name == "ebay":
		r.Header.Set("X-Ebay-Signature", base64.StdEncoding.EncodeToString([]byte(`{"kid":"k","signature":"`+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 70))+`"}`)))
	}
	if d.kind != "" {
		r.Header.Set("Content-Type", d.kind)
	}
	row, _ := find(s.Name)
	name := http.CanonicalHeaderKey(s.Header)
	value := r.Header.Get(name)
	if s.inBody() || value == "" {
		return []*Request{r}
	}
	crowd := *r
	crowd.Header = r.Header.Clone()
	switch {
	case row.repeatedHeader:
		crowd.Header[name] = slices.Repeat([]string{value}, maxCandidates)
	case s.Name == "persona":
		crowd.Header.Set(name, strings.Repeat(value+" ", maxSets))
	case row.syntax == versions:
		crowd.Header.Set(name, strings.Repeat(value+" ", maxCandidates))
	case row.syntax == values, row.syntax == slashes:
		crowd.Header.Set(name, value+strings.Repeat(string(row.sep)+value, maxCandidates-1))
	case row.syntax == ordered, row.syntax == list && row.several:
		last := value[strings.LastIndexByte(value, row.sep)+1:]
		crowd.Header.Set(name, value+strings.Repeat(string(row.sep)+last, maxCandidates-1))
	default:
		return []*Request{r}
	}
	return []*Request{r, &crowd}
}

// expense is what a request cost before it was refused.
type expense struct {
	cpu   time.Duration
	bytes uint64
}

func (v *Verifier) expense(t testing.TB, r *Request) expense {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpuTime(t)
	err := v.Check(r.Header, noon)
	if err == nil {
		_, err = v.Verify(r, noon)
	}
	took := cpuTime(t) - start
	require.Error(t, err, "%s: %.100q", v.Scheme(), r.Body)
	runtime.ReadMemStats(&after)
	return expense{took, after.TotalAlloc - before.TotalAlloc}
}

func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// takesApart reports whether the scheme looks at what is in a body before it knows who signed it.
func (s *sample) takesApart() bool {
	row, _ := find(s.Name)
	return specials[s.Name] != nil || row.form != nil || row.jwt != nil || row.payload().signsURL()
}

func (r *row) payload() payload {
	p, _ := parsePayload(r.template, nil)
	return p
}

// TestLesson66_WhatNobodySignedIsCheap gives every scheme the dearest requests that nobody signed, at the usual max_size, and holds the
// processor time that this process spends on them against github's with as many bytes: a read and a MAC. Small ones may cost two
// milliseconds more than github's small ones. Both are measured in turn until the least of some rounds
// says that it holds, so that neither a busy machine nor a collection of garbage counts.
func TestLesson66_WhatNobodySignedIsCheap(t *testing.T) {
	if raceEnabled {
		t.Skip("skipped: the race detector changes what is dear")
	}
	const (
		large  = 5 << 20
		rounds = 12
	)
	verifiers := strangers(t)
	all := samples(t)
	github := all[slices.IndexFunc(all, func(s *sample) bool { return s.Name == "github" })].request(t, noon)
	most := func(github time.Duration) time.Duration { return 5 * github }
	little := func(github time.Duration) time.Duration { return github + 2*time.Millisecond }
	query := "/in?" + strings.Repeat("a=%41&b='", (14<<10)/9)
	for _, size := range []struct {
		bodies    []dearBody
		url       string
		reference int // bytes of github's
		limit     func(github time.Duration) time.Duration
		memory    uint64
	}{
		{dearBodies(large), "/in?a=b", large, most, 2 * large},
		{dearBodies(maxParsed), "/in?a=b", large, most, 2 * large},
		{dearBodies(maxForm), query, maxForm, little, 2 << 20},
		{dearBodies(8 << 10), query, 8 << 10, little, 2 << 20},
	} {
		g := *github
		g.Body = bytes.Repeat([]byte{'x'}, size.reference)
		known := time.Hour
		for range 3 {
			known = min(known, verifiers["github"].expense(t, &g).cpu)
		}
		cheap := func(name string, v *Verifier, d dearBody, r *Request) {
			own, reference := v.expense(t, r), known
			holds := func() bool { return own.cpu <= size.limit(reference) && own.bytes <= size.memory }
			for n := 0; n < rounds && !holds(); n++ {
				if n == 0 {
					reference = time.Hour
				}
				e := v.expense(t, r)
				own = expense{min(own.cpu, e.cpu), min(own.bytes, e.bytes)}
				reference = min(reference, verifiers["github"].expense(t, &g).cpu)
			}
			require.True(t, holds(), "%s, %s, %d bytes: %v and %d bytes of memory, github: %v", name, d.name, len(d.body), own.cpu, own.bytes, reference)
		}
		for _, s := range all {
			for i, d := range size.bodies {
				if i >= 4 && !s.takesApart() {
					continue
				}
				for _, r := range s.dearRequests(t, d, size.url) {
					cheap(s.Name, verifiers[s.Name], d, r)
				}
			}
		}
		for _, o := range describedLists(t) {
			for _, d := range size.bodies[:4] {
				cheap(o.name, o.verifier, d, &Request{Method: http.MethodPost, URL: size.url, Header: o.header, Body: d.body})
			}
		}
	}
}

// describedList is a form of the scheme hmac that no preset's sample has, with as many signatures as it may offer.
type describedList struct {
	name     string
	verifier *Verifier
	header   http.Header
}

func describedLists(t testing.TB) []describedList {
	stamp := fmt.Sprint(noon.Unix())
	crowd := func(element string) string { return element + strings.Repeat(","+element, maxCandidates-1) }
	family := http.Header{"X-T": {stamp}}
	for n := 1; n <= maxCandidates; n++ {
		family.Set(fmt.Sprint("X-Sig-", maxFamily-n), "v1="+zeros64)
	}
	lists := []describedList{
		{name: "hmac, slashes", header: headers("X-Sig", crowd("k/SHA256/"+zeros64), "X-T", stamp)},
		{name: "hmac, pairs", header: headers("X-Sig", crowd("v1="+zeros64), "X-T", stamp)},
		{name: "hmac, a family", header: family},
		{name: "hmac, a family over the digest", header: family},
	}
	for i, options := range []map[string]string{
		{"header": "X-Sig", "list": "slashes", "signature_key": "SHA256", "signatures": "any", "timestamp_header": "X-T", "payload": "{t}.{url}.{body}"},
		{"header": "X-Sig", "signature_key": "v1", "signatures": "any", "timestamp_header": "X-T", "payload": "{t}.{url}.{body}"},
		{"header": "X-Sig-*", "prefix": "v1=", "timestamp_header": "X-T", "payload": "{t}.{url}.{body}"},
		{"header": "X-Sig-*", "prefix": "v1=", "timestamp_header": "X-T", "payload": "{t}.{url}.{body_sha256}"},
	} {
		v, err := New(Config{Scheme: "hmac", Secrets: []string{"a stranger's key"}, URL: "https://hooks.example.com/in?a=b", Options: options})
		require.NoError(t, err)
		require.NoError(t, v.Check(lists[i].header, noon), "%s is refused before the body costs anything", lists[i].name)
		lists[i].verifier = v
	}
	return lists
}
