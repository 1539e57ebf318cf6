package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/videocloud/webhooks/console"
)

func init() {
	caddy.RegisterModule(new(Console))
	httpcaddyfile.RegisterHandlerDirective("webhook_console", parseConsole)
	// Caddy orders a directive by its own ones alone: metrics is the one in front of which webhook_api does not stand yet.
	httpcaddyfile.RegisterDirectiveOrder("webhook_console", httpcaddyfile.Before, "metrics")
}

// Console serves the operator's console and, at portal/ below it, the customers' portal. The pages speak the REST API of
// the same site with the key that is typed in. It answers every request that reaches it.
type Console struct {
	// Mount is the path where it stands on this site. Default: /console.
	Mount string `json:"mount,omitempty"`

	// Theme is a folder with portal.css and logo.svg for the portal. Default: none.
	Theme string `json:"theme,omitempty"`

	// API is the path where webhook_api stands on this site. Default: /.
	API string `json:"api,omitempty"`

	// ActAs is an API key that the handler adds to the pages' requests, which then go through it: no log-in. Whoever
	// reaches the console has the key's rights, so put basic_auth or forward_auth in front. Write a placeholder.
	// Default: none; each reader logs in with a key of his own.
	ActAs string `json:"act_as,omitempty"`

	// EmbedPortal are the origins whose pages may show the portal in a frame. Default: none.
	EmbedPortal []string `json:"embed_portal,omitempty"`

	handler http.Handler
	app     *App
	actAs   string
	logger  *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (*Console) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.webhook_console", New: func() caddy.Module { return new(Console) }}
}

var apiPath = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)*/?$`)

// Provision sets the console up.
func (c *Console) Provision(ctx caddy.Context) error {
	c.logger = ctx.Logger()
	app, err := appOf(ctx, c)
	if err != nil {
		return err
	}
	c.app = app
	values := &resolver{repl: caddy.NewReplacer()}
	mount, theme, place := values.value("mount", cmp.Or(c.Mount, console.DefaultMount)), values.value("theme", c.Theme), values.value("api", c.API)
	c.actAs = values.secret("act_as", c.ActAs)
	if values.err != nil {
		return values.err
	}
	if !apiPath.MatchString(place) || strings.Contains(place+"/", "/../") || strings.Contains(place+"/", "/./") {
		return fmt.Errorf("api: %q is not a path; write it like /api", place)
	}
	place = strings.TrimSuffix(place, "/")
	if place == mount || strings.HasPrefix(place, mount+"/") {
		return fmt.Errorf("api: %s lies below mount %s, where the console answers; give them different paths", place, mount)
	}
	c.handler, err = console.New(console.Options{
		Mount: mount, Theme: theme, EmbedPortal: c.EmbedPortal, Inside: &consoleAPI{app: app, actAs: c.actAs, api: place, audit: audit(ctx)},
		Unsubscribe: app.unsubscribe,
	})
	if err != nil {
		return err
	}
	reportLiteral(c.logger, values.literal)
	app.consoles = append(app.consoles, c)
	return nil
}

// checkActAs refuses a key that no webhook_api here knows: the pages would show nothing but refusals. A key that was made
// by the API is known to the store alone, which nobody asks while a configuration loads.
func (c *Console) checkActAs() error {
	if c.actAs == "" || strings.HasPrefix(c.actAs, madeKey) {
		return nil
	}
	if _, _, err := c.app.identify(withKey(&http.Request{Header: http.Header{}}, c.actAs)); err != nil {
		return errors.New("webhook_console: act_as: no webhook_api of this configuration has that key; name one of their api_key")
	}
	return nil
}

// madeKey begins every key that the API made.
const madeKey = "vck_"

// ServeHTTP implements caddyhttp.MiddlewareHandler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	c.handler.ServeHTTP(w, r)
	return nil
}

// parseConsole reads the directive. Syntax:
//
//	webhook_console [<matcher>] {
//		mount        <path>
//		theme        <dir>
//		api          <path>
//		act_as       <key>
//		embed_portal <origin...>
//	}
func parseConsole(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	c := new(Console)
	directive, _, err := readDirective(h, block{
		"mount":        word(&c.Mount),
		"theme":        word(&c.Theme),
		"api":          word(&c.API),
		"act_as":       word(&c.ActAs),
		"embed_portal": words(&c.EmbedPortal),
	})
	if err != nil {
		return nil, err
	}
	// What can be told from the text alone is told with its place.
	if !hasPlaceholder(c.Mount + c.Theme) {
		_, err = console.New(console.Options{Mount: c.Mount, Theme: c.Theme, EmbedPortal: c.EmbedPortal})
	}
	return c, directive.wrap(err)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Console)(nil)
	_ caddyhttp.MiddlewareHandler = (*Console)(nil)
)
