package caddymodule

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/internal/polls"
)

func init() {
	caddy.RegisterModule(new(Health))
	httpcaddyfile.RegisterHandlerDirective("webhook_health", parseHealth)
	httpcaddyfile.RegisterDirectiveOrder("webhook_health", httpcaddyfile.Before, "metrics")
}

// Health answers the probes of an orchestrator, and nothing else, without a key: a path that ends in /live with 200 for as
// long as the process runs, whatever the store does, and one that ends in /ready with 503 while this process can't take
// events. It says no more than that, as anybody may ask; the admin endpoint says why.
type Health struct {
	app   *App
	store polls.Answers // whether the store can be reached
}

// CaddyModule returns the Caddy module information.
func (*Health) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.webhook_health", New: func() caddy.Module { return new(Health) }}
}

// Provision finds whose health it is.
func (h *Health) Provision(ctx caddy.Context) (err error) {
	h.app, err = appOf(ctx, h)
	return err
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	live, ready := strings.HasSuffix(r.URL.Path, "/live"), strings.HasSuffix(r.URL.Path, "/ready")
	switch {
	case !live && !ready:
		return caddyhttp.Error(http.StatusNotFound, nil)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		return caddyhttp.Error(http.StatusMethodNotAllowed, nil)
	}
	status, text := http.StatusOK, "ok"
	if ready && !h.isReady(r.Context()) {
		status, text = http.StatusServiceUnavailable, "unavailable"
	}
	answer(w, status, map[string]string{"status": text})
	return nil
}

// readyTimeout bounds how long a probe waits for the store.
const readyTimeout = 2 * time.Second

// isReady reports whether events can be taken. A gateway that goes on from its own memory while the store is down can. Anybody may send
// probes, so those of half a second share an answer.
func (h *Health) isReady(ctx context.Context) bool {
	if h.app.running == nil && !h.app.needsStore {
		return true
	}
	ready, err := h.store.Now(ctx, "", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout) // the answer is everybody's, not this client's
		defer cancel()
		return h.app.store.Check(ctx) == nil, nil
	})
	return err == nil && ready == true
}

func parseHealth(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next()
	if h.NextArg() {
		return nil, h.ArgErr()
	}
	if h.NextBlock(0) {
		return nil, h.Err("webhook_health takes no options")
	}
	return new(Health), nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Health)(nil)
	_ caddyhttp.MiddlewareHandler = (*Health)(nil)
)
