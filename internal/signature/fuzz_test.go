package signature

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzAnyScheme feeds every scheme headers and a body: none panics, none takes long, and none is ever valid, for the key
// is random and unknown to the fuzzer.
func FuzzAnyScheme(f *testing.F) {
	verifiers := strangers(f)
	all := samples(f)
	for i, s := range all {
		if s.inBody() {
			f.Add(uint8(i), "", "", string(s.body), "/in", "POST")
			continue
		}
		r := s.request(f, noon)
		var lines []string
		for name, values := range r.Header {
			lines = append(lines, name+": "+values[0])
		}
		f.Add(uint8(i), r.Header.Get(s.Header), strings.Join(lines, "\n"), string(r.Body), r.URL, r.Method)
	}
	f.Add(uint8(0), "t=1,v1=,v1=00", "Webhook-Id: 1\nWebhook-Timestamp: 1700000000", `{"signature":{"timestamp":1,"token":"x","signature":"00"}}`, "/?bodySHA256=x", "GET")
	f.Fuzz(func(t *testing.T, n uint8, signature, lines, body, target, method string) {
		s := all[int(n)%len(all)]
		h := http.Header{}
		for _, line := range strings.Split(lines, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				h.Add(name, value)
			}
		}
		if s.Header != "" {
			h.Set(s.Header, signature)
		}
		r := &Request{Method: method, URL: target, Header: h, Body: []byte(body)}
		v := verifiers[s.Name]
		start := time.Now()
		_, err := v.Verify(r, noon)
		var refused *Error
		require.ErrorAs(t, err, &refused)
		require.Contains(t, []string{ReasonMissing, ReasonMalformed, ReasonTimestamp, ReasonMismatch}, refused.Reason)
		if err := v.Check(h, noon); err != nil {
			require.ErrorAs(t, err, &refused)
		}
		if a, ok := v.UnsignedChallenge(r, "token"); ok {
			require.LessOrEqual(t, len(a.Body), 2*maxEcho)
		}
		if a, ok := v.Challenge(r, ""); ok {
			require.LessOrEqual(t, len(a.Body), 2*maxEcho+100)
		}
		DetectSchemes(h, []byte(body))
		require.Less(t, time.Since(start), 10*time.Second)
	})
}

// strangers are verifiers with a random key each.
func strangers(t testing.TB) map[string]*Verifier {
	verifiers := map[string]*Verifier{}
	for _, s := range samples(t) {
		key := make([]byte, 32)
		_, err := rand.Read(key)
		require.NoError(t, err)
		c := s.config
		switch s.Name {
		case "aws-sns":
			public := publicOf(t, newPrivate(t, algRSA256))
			c.Options = maps.Clone(c.Options)
			c.Options["certs"] = asJSON(t, map[string]string{snsCertificate: public})
		case "paypal":
			c.Options = maps.Clone(c.Options)
			c.Options["cert_pem"] = publicOf(t, newPrivate(t, algRSA256))
		case "ebay":
			public := publicOf(t, newPrivate(t, algECDSA1))
			c.Secrets, c.Options = nil, map[string]string{"jwks_pem": asJSON(t, map[string]string{"k": public})}
		case "contentful":
			c.Secrets = []string{hex.EncodeToString(key)}
		case "basic":
			c.Secrets = []string{"user:" + hex.EncodeToString(key)}
		case "airtable", "daily", "microsoft-teams":
			c.Secrets = []string{base64.StdEncoding.EncodeToString(key)}
		case "standard", "svix", "lithic", "supabase":
			c.Secrets = []string{whsec + base64.StdEncoding.EncodeToString(key)}
		default:
			if r, _ := find(s.Name); r.usesPublicKey() || (r.jwt != nil && len(s.config.Secrets) > 0 && strings.HasPrefix(s.config.Secrets[0], "-----")) {
				c.Secrets = []string{s.wrong} // the samples' keys are random already
				break
			}
			c.Secrets = []string{hex.EncodeToString(key)}
		}
		v, err := New(c)
		require.NoError(t, err)
		verifiers[s.Name] = v
	}
	return verifiers
}

func asJSON(t testing.TB, value any) string {
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

const snsCertificate = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem"

// FuzzCandidates walks headers in every syntax: it ends, and never says more than the header holds.
func FuzzCandidates(f *testing.F) {
	f.Add("t=1,v1=00,v1=11", byte(','))
	f.Add("v1,AAAA v1a,BBBB  v1,", byte(' '))
	f.Add(" ; =;;a=", byte(';'))
	f.Fuzz(func(t *testing.T, header string, sep byte) {
		for _, s := range []syntax{single, values, list, versions} {
			n := 0
			for it := s.walk(header, sep); ; n++ {
				e, more := it.next()
				if !more {
					break
				}
				require.Contains(t, header, e.key)
				require.Contains(t, header, e.value)
				require.LessOrEqual(t, n, len(header)+1)
			}
		}
	})
}

// FuzzTimestamp checks that what is taken for a number has one spelling.
func FuzzTimestamp(f *testing.F) {
	for _, seed := range []string{"1700000000", "01", "-1", "1.0", "2023-11-14T22:13:20Z", "2023-11-14T22:13:20.000000001+01:00", "Tue, 14 Nov 2023 22:13:20 GMT", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, u := range []unit{unitSeconds, unitMillis, unitEither, unitRFC3339, unitHTTPDate} {
			ms, precision, ok := u.parse(text)
			if !ok {
				continue
			}
			require.Positive(t, precision)
			_ = window{size: time.Minute}.check(ms, precision, noon)
			if u == unitSeconds || u == unitMillis {
				require.Equal(t, text, u.format(time.UnixMilli(ms)))
			}
		}
	})
}

// FuzzDecode checks that a signature has one spelling, but for the case of hexadecimal digits.
func FuzzDecode(f *testing.F) {
	f.Add("00ff")
	f.Add("AP8=")
	f.Add("AP8")
	f.Add(strings.Repeat("0", 1000))
	f.Fuzz(func(t *testing.T, text string) {
		for _, e := range []encoding{encHex, encLowerHex, encBase64, encBase64URL} {
			var d decoded
			if !e.decode(&d, text) {
				continue
			}
			again := string(e.encode(nil, d.bytes()))
			if e == encHex {
				require.Equal(t, strings.ToLower(text), again)
				continue
			}
			require.Equal(t, text, again)
		}
	})
}

// FuzzPayload parses templates and, if they are one, signs with them.
func FuzzPayload(f *testing.F) {
	f.Add("{t}.{body}")
	f.Add("v0:{t}:{body}")
	f.Add("{id}{url}{method}{query}{url_path}{body_sha256}")
	f.Add("{")
	f.Fuzz(func(t *testing.T, template string) {
		p, err := parsePayload(template, nil)
		if err != nil {
			return
		}
		m := &message{body: []byte("b"), t: "1", id: "i", method: "POST", url: "https://a.example/?x=1", form: "f"}
		whole := p.append(nil, m)
		mac := newMAC(algSHA256, []byte("key"))
		s := mac.get()
		defer mac.put(s)
		if p.uses["secret"] {
			return
		}
		p.write(s, m)
		require.Equal(t, sum(hashes[algSHA256], "key", string(whole)), s.total())
	})
}

// FuzzDistinctNames runs the check of documents that are read before they are verified.
func FuzzDistinctNames(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[{"c":1},{"c":2}]},"A":1}`))
	f.Add([]byte(`[[[`))
	f.Fuzz(func(_ *testing.T, doc []byte) { _ = distinctNames(doc, maxNames) })
}
