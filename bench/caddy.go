package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/videocloud/webhooks/caddymodule"
	"github.com/videocloud/webhooks/internal/freeport"
)

func init() { role("caddy", runCaddy) }

// caddySettings of a Caddy that runs as a process of its own.
type caddySettings struct {
	Name     string // of its profile
	Webhooks string // the global option's block
	Site     string // the directives of its one site
	Port     int
	Dir      string
	Profile  string
}

// caddyfile is the whole configuration. There is no access log, and Caddy's own shows only what is wrong: the receiver
// thins out its lines on accepted requests, so that they would count for nothing.
const caddyfile = `{
	admin off
	persist_config off
	auto_https off
	default_bind 127.0.0.1
	grace_period 1s
	storage file_system %s
	log {
		level ERROR
	}
	%s
}
http://:%d {
	%s
}
`

// runCaddy serves one site. The first thing that it is told starts the clock of what it spends.
func runCaddy(_ context.Context, o caddySettings, t *talk) error {
	text := fmt.Sprintf(caddyfile, o.Dir, o.Webhooks, o.Port, o.Site)
	conf, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err
	}
	for _, w := range warnings {
		if w.Message != "Caddyfile input is not formatted; run 'caddy fmt --overwrite' to fix inconsistencies" {
			progress("caddy: %s", w.Message)
		}
	}
	if err := caddy.Load(bytes.TrimSpace(conf), true); err != nil {
		return err
	}
	defer func() { _ = caddy.Stop() }()
	t.say("ready")
	var question string
	if !t.hear(&question) {
		return nil
	}
	stop := profileTo(o.Profile, "caddy-"+o.Name)
	clock := startClock()
	t.say("started")
	if t.hear(&question) {
		stop()
		t.say(clock.spent())
	}
	t.hear(&question)
	return nil
}

// startCaddy runs a Caddy and returns the address that it serves.
func startCaddy(ctx context.Context, o caddySettings) (c *child, addr string, err error) {
	if o.Port, err = freeport.Find(); err != nil {
		return nil, "", err
	}
	if o.Dir, err = os.MkdirTemp("", "bench-caddy"); err != nil {
		return nil, "", err
	}
	if c, err = start(ctx, "caddy", o, nil); err != nil {
		_ = os.RemoveAll(o.Dir)
		return nil, "", err
	}
	c.dir = o.Dir
	return c, "127.0.0.1:" + strconv.Itoa(o.Port), nil
}
