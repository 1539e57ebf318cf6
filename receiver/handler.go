package receiver

import (
	"errors"
	"net/http"
)

// Handler returns a middleware: next gets the requests that pass, everything else is answered here.
func (r *Receiver) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, err := r.Serve(w, req, func(w http.ResponseWriter, req *http.Request) error {
			next.ServeHTTP(w, req)
			return nil
		})
		var refusal *Refusal
		if errors.As(err, &refusal) {
			refusal.Write(w)
		}
	})
}
