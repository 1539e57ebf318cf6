package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/receiver"
)

func init() { caddy.RegisterModule(new(Placeholders)) }

// Placeholders makes {http.webhook.*} known to a request that no receiver has seen, where they are empty. A receiver puts it in
// front of its server's error routes by itself: errors come from elsewhere too, and an error page would show the
// placeholder's name for them.
type Placeholders struct{}

// CaddyModule returns the Caddy module information.
func (*Placeholders) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.webhook_placeholders", New: func() caddy.Module { return new(Placeholders) }}
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (*Placeholders) ServeHTTP(w http.ResponseWriter, req *http.Request, next caddyhttp.Handler) error {
	shown := outcomeOf(req)
	var limited *http.MaxBytesError
	if err, _ := req.Context().Value(caddyhttp.ErrorCtxKey).(error); shown.outcome == nil && errors.As(err, &limited) {
		shown.set(&receiver.Outcome{Error: receiver.ReasonTooLarge}) // of request_body, which needs no look at the body
	}
	return next.ServeHTTP(w, req)
}

var placeholdersRoute = json.RawMessage(`{"handler":"webhook_placeholders"}`)

// addToErrorRoutes puts the placeholders in front of the error routes of the server that is being provisioned. Those are provisioned after
// its other routes.
func addToErrorRoutes(ctx caddy.Context) {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Errors == nil {
		return
	}
	routes := server.Errors.Routes
	if len(routes) > 0 && len(routes[0].HandlersRaw) == 1 && string(routes[0].HandlersRaw[0]) == string(placeholdersRoute) {
		return // by another receiver of the server
	}
	server.Errors.Routes = append(caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{placeholdersRoute}}}, routes...)
}

var _ caddyhttp.MiddlewareHandler = (*Placeholders)(nil)
