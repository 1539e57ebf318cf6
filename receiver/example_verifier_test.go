package receiver_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/receiver"
)

// base32Signature is a scheme of one's own: HMAC-SHA256 of the body, in base32.
type base32Signature struct{ secret string }

func (s base32Signature) Check(h http.Header, _ time.Time) error {
	if h.Get("X-Acme-Signature") == "" {
		return errors.New("there is no X-Acme-Signature")
	}
	return nil
}

func (s base32Signature) Verify(r *receiver.SignedRequest, _ time.Time) (receiver.Verified, error) {
	if !hmac.Equal([]byte(s.of(r.Body)), []byte(r.Header.Get("X-Acme-Signature"))) {
		return receiver.Verified{}, errors.New("X-Acme-Signature is not that of the body")
	}
	return receiver.Verified{BodySigned: true, Event: r.Header.Get("X-Acme-Event")}, nil
}

func (s base32Signature) of(body []byte) string {
	m := hmac.New(sha256.New, []byte(s.secret))
	_, _ = m.Write(body)
	return base32.StdEncoding.EncodeToString(m.Sum(nil))
}

// A scheme that none of the built-in ones describes is a Verifier.
func ExampleVerifier() {
	scheme := base32Signature{secret: exampleSecret}
	r, err := receiver.New(receiver.Options{Config: config.Receiver{}, Verifier: scheme})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	h := r.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		fmt.Println("the app gets", r.Header.Get("X-Webhook-Event"))
	}))

	post := func(signature string) {
		req := httptest.NewRequest(http.MethodPost, "/webhooks", strings.NewReader("ring"))
		req.Header = http.Header{"X-Acme-Signature": {signature}, "X-Acme-Event": {"bell"}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		fmt.Println(w.Code)
	}
	post(scheme.of([]byte("ring")))
	post("FORGED")
	// Output:
	// the app gets bell
	// 200
	// 401
}
