package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/videocloud/webhooks/caddymodule"
	"github.com/videocloud/webhooks/internal/freeport"
)

func init() { roles["caddy"] = runCaddy }

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
func runCaddy(_ context.Context, arg string, t *talk) error {
	var o caddySettings
	if err := json.Unmarshal([]byte(arg), &o); err != nil {
		return err
	}
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
	began, used := time.Now(), cpu()
	t.say("started")
	if t.hear(&question) {
		stop()
		t.say(spent{Seconds: time.Since(began).Seconds(), CPUMS: float64((cpu() - used).Microseconds()) / 1000, Memory: memory()})
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
	if c, err = start(ctx, "caddy", o); err != nil {
		_ = os.RemoveAll(o.Dir)
		return nil, "", err
	}
	c.dir = o.Dir
	var ready string
	if err := c.hear(&ready); err != nil {
		c.stop()
		return nil, "", err
	}
	return c, "127.0.0.1:" + strconv.Itoa(o.Port), nil
}
