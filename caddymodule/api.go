package caddymodule

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/version"
	"github.com/videocloud/webhooks/sender/api"
)

func init() {
	caddy.RegisterModule(new(API))
	httpcaddyfile.RegisterHandlerDirective("webhook_api", parseAPI)
	httpcaddyfile.RegisterDirectiveOrder("webhook_api", httpcaddyfile.Before, "reverse_proxy")
}

// API is the REST API for those who own webhooks and publish events. It answers every request that reaches it.
// Below a path of its own, put it into handle_path.
type API struct {
	// Keys are let in. At least one is required, unless anonymous is set.
	Keys []APIKey `json:"keys,omitempty"`

	// Anonymous lets everybody in, with every right in the account default. It excludes keys. Default: false.
	Anonymous bool `json:"anonymous,omitempty"`

	handler http.Handler
	tracer  *tracer
	logger  *zap.Logger
}

// APIKey lets a caller in.
type APIKey struct {
	// Key is the secret that the caller shows. Required. Write a placeholder.
	Key string `json:"key,omitempty"`

	// Account is the account that the key acts for. With * each request names one in the header
	// X-VideoCloud-Account. Takes placeholders. Default: default.
	Account string `json:"account,omitempty"`

	// Role is publish, read, manage or all. Default: all.
	Role string `json:"role,omitempty"`
}

// convert resolves k.
func (k *APIKey) convert(values *resolver, option string) api.Key {
	return api.Key{Value: values.secret(option, k.Key), Account: values.value("api_key: account", k.Account), Role: api.Role(k.Role)}
}

// CaddyModule returns the Caddy module information.
func (*API) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.webhook_api", New: func() caddy.Module { return new(API) }}
}

// Provision sets the API up.
func (a *API) Provision(ctx caddy.Context) error {
	a.logger = ctx.Logger()
	app, err := appOf(ctx, a)
	if err != nil {
		return err
	}
	a.tracer = app.tracer
	service, err := app.service()
	if err != nil {
		return err
	}
	values := &resolver{repl: caddy.NewReplacer()}
	options := api.Options{
		Service:   service,
		Anonymous: a.Anonymous,
		Brand:     app.sender.Brand,
		Version:   version.Number,
		PortalURL: app.sender.PortalURL,
		Audit:     audit(ctx),
		Mounted:   strippedPrefix,
		Polls:     &app.polls,
		Logger:    slogger(ctx),
	}
	for i, k := range a.Keys {
		options.Keys = append(options.Keys, k.convert(values, fmt.Sprintf("api_key: number %d", i+1)))
	}
	if values.err != nil {
		return values.err
	}
	if a.handler, err = api.New(options); err != nil {
		return err
	}
	if err := app.somethingDelivers(); err != nil {
		return err
	}
	if a.Anonymous {
		a.logger.Warn("the API lets everybody in, without a key")
	}
	reportLiteral(a.logger, values.literal)
	app.apis = append(app.apis, a)
	return nil
}

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	a.handler.ServeHTTP(w, a.tracer.incoming(r))
	return nil
}

// strippedPrefix is what handle_path or uri strip_prefix took off a request's path.
func strippedPrefix(r *http.Request) string {
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok {
		return ""
	}
	prefix, ends := strings.CutSuffix(original.URL.EscapedPath(), r.URL.EscapedPath())
	if !ends {
		return "" // the path was replaced by another
	}
	return prefix
}

// parseAPI reads the directive. Syntax:
//
//	webhook_api [<matcher>] {
//		api_key   <key> [<account> [publish|read|manage|all]]
//		anonymous
//	}
func parseAPI(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	a := new(API)
	directive, given, err := readDirective(h, block{
		"api_key":   a.readKey,
		"anonymous": flag(&a.Anonymous),
	}, "api_key")
	switch {
	case err != nil:
		return nil, err
	case a.Anonymous && len(a.Keys) > 0:
		return nil, given.wrap(directive, &config.Conflict{Option: "anonymous", Other: "api_key", Problem: "write one or the other"})
	case !a.Anonymous && len(a.Keys) == 0:
		return nil, directive.Err("api_key: give at least one, or write anonymous to let everybody in")
	}
	return a, nil
}

func (a *API) readKey(o option) error {
	var k APIKey
	if err := word(&k.Key)(o); err != nil {
		return err
	}
	if o.NextArg() {
		if k.Account = o.Val(); k.Account == "" {
			return o.Err("api_key: the account is empty; name one, or leave it out for the account default")
		}
	}
	if o.CountRemainingArgs() > 0 {
		var roles []string
		for _, r := range api.Roles() {
			roles = append(roles, string(r))
		}
		if err := choice(&k.Role, roles...)(o); err != nil {
			return err
		}
	}
	values := new(resolver)
	key := k.convert(values, "")
	if err := key.Validate(); err != nil && !values.deferred {
		return o.wrap(err)
	}
	if i := slices.IndexFunc(a.Keys, func(other APIKey) bool { return other.Key == k.Key }); i >= 0 {
		return o.wrap(fmt.Errorf("api_key: it is the same as number %d; a key has one account and one role", i+1))
	}
	a.Keys = append(a.Keys, k)
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*API)(nil)
	_ caddyhttp.MiddlewareHandler = (*API)(nil)
)
