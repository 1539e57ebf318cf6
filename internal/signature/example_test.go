package signature_test

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/videocloud/webhooks/internal/signature"
)

func Example() {
	v, err := signature.New(signature.Config{Scheme: "github", Secrets: []string{"new secret", "old secret"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := &signature.Request{
		Method: http.MethodPost,
		Header: http.Header{
			"X-Hub-Signature-256": {"sha256=59abf1d5d9a2d3b0cf59a6d4b8ad3f1ac0a2be94a63b1c6f9d3c2e8a9d4c1b70"},
			"X-Github-Delivery":   {"72d3162e"},
		},
		Body: []byte(`{"zen":"Design for failure."}`),
	}
	_, err = v.Verify(r, time.Now())
	var refused *signature.Error
	if errors.As(err, &refused) {
		fmt.Println(refused.Reason)
	}
	// Output: signature_mismatch
}

// A provider that has no preset is described by options.
func Example_hmac() {
	v, err := signature.New(signature.Config{
		Scheme: "hmac",
		Options: map[string]string{
			"header": "Acme-Signature", "signature_key": "v1", "timestamp_key": "t", "payload": "{t}.{body}", "id_json": "/id",
		},
		Secrets: []string{"your_webhook_secret"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Unix(1_700_000_000, 0)
	r := &signature.Request{Method: http.MethodPost, Body: []byte(`{"id":"evt_1"}`)}
	r.Header, err = v.Sign(r, "", now)
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := v.Verify(r, now.Add(time.Minute))
	fmt.Println(res.ID, res.IDSigned, err)
	// Output: evt_1 true <nil>
}

func ExampleVideoCloudSigner() {
	s, err := signature.NewVideoCloudSigner("your_webhook_secret")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(s.Append(nil, []byte(`{"event":`), []byte(`"video.uploaded"}`))))
	// Output: 88113efbde7ad26d40f549f5630634458f740a567ffb1836aff06f292c99e45a
}
