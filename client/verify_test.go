package client_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/client"
)

// vectors are shared by all SDKs.
type vectors struct {
	VideoCloud []struct {
		Name, Secret string
		Body         string  `json:"body_b64"`
		Signature    *string `json:"signature"`
		Valid        bool
	}
	Standard []struct {
		Name, Secret string
		Body         string `json:"body_b64"`
		Headers      map[string]json.RawMessage
		Now          int64
		Tolerance    *int `json:"tolerance_seconds"`
		Valid        bool
		Reason       string
	}
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile("../sdk/testdata/vectors.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(text, &v))
	require.NotEmpty(t, v.VideoCloud)
	require.NotEmpty(t, v.Standard)
	return v
}

func TestVerifySignatureWithSeveralSecrets(t *testing.T) {
	t.Parallel()
	body := []byte(`{"event":"video.uploaded"}`)
	h := hmac.New(sha256.New, []byte("old_secret"))
	h.Write(body)
	signature := hex.EncodeToString(h.Sum(nil))
	require.True(t, client.VerifySignature(body, signature, "new_secret", "old_secret"))
	require.True(t, client.VerifySignature(body, signature, "old_secret", ""))
	require.False(t, client.VerifySignature(body, signature, "new_secret", ""))
	require.False(t, client.VerifySignature(body, signature, ""))
	h = hmac.New(sha256.New, nil)
	h.Write(body)
	require.False(t, client.VerifySignature(body, hex.EncodeToString(h.Sum(nil)), "", ""), "anyone can sign with the empty secret")
}

func TestVerifySignature(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t).VideoCloud {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			body, err := base64.StdEncoding.DecodeString(v.Body)
			require.NoError(t, err)
			signature := ""
			if v.Signature != nil {
				signature = *v.Signature
			}
			require.Equal(t, v.Valid, client.VerifySignature(body, signature, v.Secret))
		})
	}
}

// TestProviderVectors runs the vectors that are not part of this repository.
func TestProviderVectors(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("WEBHOOK_VECTORS")
	if folder == "" {
		t.Skip("WEBHOOK_VECTORS is not set: name the folder of the provider vectors")
	}
	text, err := os.ReadFile(filepath.Join(folder, "vectors.json"))
	require.NoError(t, err)
	var all []struct {
		ID, Scheme, Secret string
		SecretBytes        []byte `json:"secret_b64"`
		Headers            map[string]any
		Body               []byte `json:"body_b64"`
		Valid              bool
	}
	require.NoError(t, json.Unmarshal(text, &all))
	tested := 0
	for _, v := range all {
		signature := v.Headers[client.SignatureHeader]
		if v.Scheme != "videocloud" || v.Headers["webhook-signature"] != nil {
			continue
		}
		if _, repeated := signature.([]any); repeated {
			continue // one value is all that VerifySignature takes
		}
		secret := v.Secret
		if v.SecretBytes != nil {
			secret = string(v.SecretBytes)
		}
		text, _ := signature.(string)
		require.Equal(t, v.Valid, client.VerifySignature(v.Body, text, secret), v.ID)
		tested++
	}
	require.Greater(t, tested, 10)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	reasons := map[string]error{
		"signature_missing": client.ErrSignatureMissing, "signature_malformed": client.ErrSignatureMalformed,
		"timestamp": client.ErrTimestamp, "signature_mismatch": client.ErrSignatureMismatch,
	}
	for _, v := range readVectors(t).Standard {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			body, err := base64.StdEncoding.DecodeString(v.Body)
			require.NoError(t, err)
			h := http.Header{}
			for name, raw := range v.Headers {
				var one string
				if json.Unmarshal(raw, &one) == nil {
					h.Add(name, one)
					continue
				}
				var several []string
				require.NoError(t, json.Unmarshal(raw, &several))
				for _, value := range several {
					h.Add(name, value)
				}
			}
			o := client.VerifyOptions{Now: time.Unix(v.Now, 999_999_999), ToleranceOff: v.Tolerance == nil}
			if v.Tolerance != nil {
				o.Tolerance = time.Duration(*v.Tolerance) * time.Second
			}
			e, err := client.Verify(body, h, v.Secret, o)
			if !v.Valid {
				require.ErrorIs(t, err, reasons[v.Reason])
				require.Zero(t, e)
				return
			}
			require.NoError(t, err)
			require.Equal(t, h.Get("webhook-id"), e.ID)
			require.NotEmpty(t, e.Type)
		})
	}
}

func TestVerifyOptions(t *testing.T) {
	t.Parallel()
	v := readVectors(t).Standard[0]
	body, err := base64.StdEncoding.DecodeString(v.Body)
	require.NoError(t, err)
	h := http.Header{}
	for name, raw := range v.Headers {
		var value string
		require.NoError(t, json.Unmarshal(raw, &value))
		h.Set(name, value)
	}
	now := client.VerifyOptions{Now: time.Unix(v.Now, 0)}

	t.Run("any of several secrets", func(t *testing.T) {
		t.Parallel()
		o := now
		o.OtherSecrets = []string{v.Secret}
		_, err := client.Verify(body, h, "new_webhook_secret", o)
		require.NoError(t, err)
	})
	t.Run("by the clock", func(t *testing.T) {
		t.Parallel()
		_, err := client.Verify(body, h, v.Secret, client.VerifyOptions{})
		require.ErrorIs(t, err, client.ErrTimestamp)
	})
	t.Run("a secret that can verify nothing is a mistake to mend", func(t *testing.T) {
		t.Parallel()
		for _, secret := range []string{"", "whsec_", "whsec_***"} {
			_, err := client.Verify(body, h, secret, now)
			require.ErrorContains(t, err, "the secret is")
		}
		o := now
		o.OtherSecrets = []string{""}
		_, err := client.Verify(body, h, v.Secret, o)
		require.ErrorContains(t, err, "the secret is empty")
	})
	t.Run("the typed payload", func(t *testing.T) {
		t.Parallel()
		e, err := client.Verify(body, h, v.Secret, now)
		require.NoError(t, err)
		payload, err := e.Payload()
		require.NoError(t, err)
		require.Equal(t, &client.VideoUploaded{
			VideoID: "vid_123456", Title: "My Video", Size: 10485760, Duration: 120, Format: "mp4", UserID: "usr_123456", Status: "processing",
		}, payload)
	})
}

func TestPayload(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		event, data string
		want        any
	}{
		"processed":     {"video.processed", `{"videoId":"v","formats":[{"quality":"720p","size":1}],"processingTime":300}`, &client.VideoProcessed{VideoID: "v", Formats: []client.VideoFormat{{Quality: "720p", Size: 1}}, ProcessingTime: 300}},
		"registered":    {"user.registered", `{"userId":"u","firstName":"John"}`, &client.UserRegistered{UserID: "u", FirstName: "John"}},
		"comment":       {"comment.created", `{"commentId":"c","parentId":null,"createdAt":"2024-03-31T12:00:00Z"}`, &client.CommentCreated{CommentID: "c", CreatedAt: since}},
		"notice":        {"system.error", `{"kind":"webhook_failed","webhookId":"w","failedDeliveries":2}`, &client.WebhookNotice{Kind: "webhook_failed", WebhookID: "w", FailedDeliveries: 2}},
		"disabled":      {"system.error", `{"kind":"webhook_disabled","webhookId":"w"}`, &client.WebhookNotice{Kind: "webhook_disabled", WebhookID: "w"}},
		"recovery":      {"system.warning", `{"kind":"webhook_recovered","webhookId":"w"}`, &client.WebhookNotice{Kind: "webhook_recovered", WebhookID: "w"}},
		"other warning": {"system.warning", `{"disk":"full"}`, &map[string]any{"disk": "full"}},
		"undocumented":  {"video.deleted", `{"a":1}`, &map[string]any{"a": 1.0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := client.WebhookEvent{Type: test.event, Data: json.RawMessage(test.data)}.Payload()
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
	_, err := client.WebhookEvent{Type: "video.uploaded", Data: json.RawMessage(`[]`)}.Payload()
	require.ErrorContains(t, err, "video.uploaded")
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte("{}"), "evt_1", "1711886400", "v1,AAAA", "your_webhook_secret")
	f.Fuzz(func(t *testing.T, body []byte, id, timestamp, signature, secret string) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}}
		_, err := client.Verify(body, h, secret, client.VerifyOptions{})
		require.Error(t, err) // nobody guesses a signature
		require.False(t, client.VerifySignature(body, signature, secret))
	})
}
