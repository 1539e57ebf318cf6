package signature

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reference computes an HMAC-SHA256 without any of our code.
func reference(key, message string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(message))
	return mac.Sum(nil)
}

func TestVideoCloudSigner(t *testing.T) {
	t.Parallel()
	s, err := NewVideoCloudSigner("your_webhook_secret")
	require.NoError(t, err)
	want := hex.EncodeToString(reference("your_webhook_secret", `{"event":"video.uploaded"}`))
	for range 3 { // the state is reused
		require.Equal(t, "x="+want, string(s.Append([]byte("x="), []byte(`{"event":`), []byte(`"video.uploaded"}`))))
	}
	require.Equal(t, hex.EncodeToString(reference("your_webhook_secret", "")), string(s.Append(nil)))
}

func TestStandardSigner(t *testing.T) {
	t.Parallel()
	raw := strings.Repeat("k", 24)
	encoded := whsec + base64.StdEncoding.EncodeToString([]byte(raw))
	message := "evt_1." + "1700000000." + "{}"
	want := "v1," + base64.StdEncoding.EncodeToString(reference(raw, message))
	for name, secret := range map[string]string{"plain": raw, "whsec": encoded, "whsec unpadded": strings.TrimRight(encoded, "=")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := NewStandardSigner(secret)
			require.NoError(t, err)
			for range 3 {
				require.Equal(t, want, string(s.Append(nil, "evt_1", 1_700_000_000, []byte("{"), []byte("}"))))
			}
		})
	}
	long := strings.Repeat("i", 2000) // longer than the scratch space
	s, err := NewStandardSigner(raw)
	require.NoError(t, err)
	signed := "v1," + base64.StdEncoding.EncodeToString(reference(raw, long+".1."))
	require.Equal(t, signed, string(s.Append(nil, long, 1)))
}

func TestSignersRefuseUnusableSecrets(t *testing.T) {
	t.Parallel()
	_, err := NewVideoCloudSigner("")
	require.ErrorIs(t, err, ErrSecret)
	for _, secret := range []string{"", "whsec_", "whsec_==", "whsec_A", "whsec_not base64", "whsec_AAAA\nAAAA"} {
		_, err := NewStandardSigner(secret)
		require.ErrorIs(t, err, ErrSecret, "%q", secret)
		require.NotContains(t, err.Error(), "AAAA")
	}
}

func TestSignersAreSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	video, err := NewVideoCloudSigner("your_webhook_secret")
	require.NoError(t, err)
	standard, err := NewStandardSigner("your_webhook_secret")
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			body := bytes.Repeat([]byte{byte('a' + i)}, 1000)
			want, std := string(video.Append(nil, body)), string(standard.Append(nil, "id", 1, body))
			for range 200 {
				if got := string(video.Append(nil, body)); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				if got := string(standard.Append(nil, "id", 1, body)); got != std {
					t.Errorf("got %s, want %s", got, std)
				}
			}
		})
	}
	wg.Wait()
}

func TestSignersDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("skipped: the race detector makes pools drop what they hold")
	}
	video, err := NewVideoCloudSigner("your_webhook_secret")
	require.NoError(t, err)
	standard, err := NewStandardSigner("your_webhook_secret")
	require.NoError(t, err)
	body, dst := bytes.Repeat([]byte("x"), 1024), make([]byte, 0, 256)
	allocs := testing.AllocsPerRun(200, func() {
		_ = video.Append(dst, body)
		_ = standard.Append(dst, "evt_018f2b7c", 1_700_000_000, body)
	})
	require.Less(t, allocs, 1.0) // a collection may empty the pool once
}

func TestVerifyHardlyAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("skipped: the race detector makes pools drop what they hold")
	}
	for scheme, most := range map[string]float64{"videocloud": 1, "standard": 0, "github": 0, "stripe": 1, "shopify": 0} {
		v, err := New(Config{Scheme: scheme, Secrets: []string{"other secret", "your_webhook_secret="}, Options: benchOptions(scheme)})
		require.NoError(t, err)
		signer, err := New(Config{Scheme: scheme, Secrets: []string{"your_webhook_secret="}, Options: benchOptions(scheme)})
		require.NoError(t, err)
		r := &Request{Method: http.MethodPost, Body: []byte(`{"event":"video.uploaded","id":"evt_1"}`)}
		r.Header, err = signer.Sign(r, "evt_1", noon)
		require.NoError(t, err)
		allocs := testing.AllocsPerRun(200, func() {
			if _, err := v.Verify(r, noon); err != nil {
				t.Error(err)
			}
		})
		require.Less(t, allocs, most+1, scheme) // a collection may empty the pool once
	}
}

// BenchmarkNewSigners is what a secret costs that wasn't kept: both signers and one signature of each.
func BenchmarkNewSigners(b *testing.B) {
	body, dst := bytes.Repeat([]byte("x"), 1024), make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		video, err := NewVideoCloudSigner("your_webhook_secret")
		require.NoError(b, err)
		standard, err := NewStandardSigner("your_webhook_secret")
		require.NoError(b, err)
		_ = video.Append(dst, body)
		_ = standard.Append(dst, "evt_018f2b7c", 1_700_000_000, body)
	}
}

func BenchmarkVideoCloudSigner(b *testing.B) {
	s, err := NewVideoCloudSigner("your_webhook_secret")
	require.NoError(b, err)
	body, dst := bytes.Repeat([]byte("x"), 1024), make([]byte, 0, 256)
	b.SetBytes(1024)
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Append(dst, body)
	}
}

func BenchmarkStandardSigner(b *testing.B) {
	s, err := NewStandardSigner("your_webhook_secret")
	require.NoError(b, err)
	body, dst := bytes.Repeat([]byte("x"), 1024), make([]byte, 0, 256)
	b.SetBytes(1024)
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Append(dst, "evt_018f2b7c", 1_700_000_000, body)
	}
}

// BenchmarkSum is the yardstick: one pass of SHA-256 over 1 KiB.
func BenchmarkSum(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1024)
	b.SetBytes(1024)
	for b.Loop() {
		_ = sha256.Sum256(body)
	}
}

func BenchmarkVerify(b *testing.B) {
	body := []byte(`{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":{"x":"` + strings.Repeat("y", 950) + `"}}`)
	for _, name := range []string{"videocloud", "videocloud-plain", "standard", "github", "stripe"} {
		b.Run(name, func(b *testing.B) {
			v, err := New(Config{Scheme: strings.TrimSuffix(name, "-plain"), Secrets: []string{"your_webhook_secret="}, Options: benchOptions(name)})
			require.NoError(b, err)
			now := time.Unix(1_700_000_000, 0)
			r := &Request{Method: http.MethodPost, Body: body}
			r.Header, err = v.Sign(r, "evt_1", now)
			require.NoError(b, err)
			if strings.HasSuffix(name, "-plain") {
				for _, header := range standardHeaders {
					r.Header.Del(header)
				}
			}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(r, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchOptions(name string) map[string]string {
	if name == "standard" {
		return map[string]string{"secret_encoding": "utf8"}
	}
	return nil
}
