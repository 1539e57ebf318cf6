package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/receiver"
)

// unhandledVar is the variable that Caddy sets on a request whose chain of handlers ran to its end. A handler that ends the
// chain without a word did its work; only this tells the two apart.
const unhandledVar = "unhandled"

// endOfRoutes ends a chain that is not a server's own, as Caddy's own end does.
var endOfRoutes caddyhttp.Handler = caddyhttp.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) error {
	caddyhttp.SetVar(req.Context(), unhandledVar, true)
	return nil
})

// orNoApp is the error of a chain of handlers, or [receiver.ErrNoApp] where it ran to its end: then nobody answered, unless
// something was written on the way. A reverse_proxy ends in silence too where its app answers 101.
func orNoApp(req *http.Request, err error) error {
	if err != nil {
		return err
	}
	if unhandled, _ := caddyhttp.GetVar(req.Context(), unhandledVar).(bool); unhandled {
		return receiver.ErrNoApp
	}
	if repl, ok := req.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		if status, _ := repl.Get("http.reverse_proxy.status_code"); status == http.StatusSwitchingProtocols {
			return receiver.ErrSwitching
		}
	}
	return nil
}
