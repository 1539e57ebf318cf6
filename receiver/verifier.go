package receiver

import (
	"net/http"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
)

// Verifier checks one scheme's signatures. Those of this module come from [config.Receiver.Scheme].
type Verifier interface {
	// Check is everything that can be said from the headers alone, before the body is read.
	Check(h http.Header, now time.Time) error
	// Verify is the whole check.
	Verify(r *signature.Request, now time.Time) (signature.Result, error)
}

func newVerifier(c config.Receiver) (Verifier, error) {
	v, err := signature.New(signature.Config{
		Scheme: c.Scheme, Options: c.SchemeOptions, Secrets: c.Secrets, Tolerance: c.Tolerance,
		ToleranceOff: c.ToleranceOff, RequireTimestamp: c.RequireTimestamp, URL: c.URL,
	})
	if err != nil {
		return nil, verifierError(c.Scheme, err)
	}
	return v, nil
}
