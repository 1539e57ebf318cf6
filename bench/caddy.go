package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"

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
	Webhooks string // the global option and its block; "" for none
	Site     string // the directives of its one site
	Port     int
	Dir      string // for what Caddy stores
	Profile  string // folder for its CPU profile; "" for none
}

// caddyfile is the whole configuration. There is no access log, and Caddy's own log has only errors: of its lines on accepted
// requests a busy receiver writes so few that their time does not count.
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

// benchKey is the key of apiBlock, a site that is the API.
const (
	benchKey = "bench-key"
	apiBlock = "webhook_api {\n api_key " + benchKey + "\n }"
)

// senderBlock is the global option of a Caddy with a sender that may deliver to loopback, and has further options.
func senderBlock(redis, options string) string {
	return "webhooks {\n redis " + redis + "\n sender {\n allow_http\n allow_networks 127.0.0.0/8\n " + options + "\n }\n }"
}

// runCaddy serves one site. Its clock runs from the parent's first question on.
func runCaddy(_ context.Context, o caddySettings, parent *pipe) error {
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
	if !parent.waitForGo() {
		return nil
	}
	stopProfile := sync.OnceFunc(profileTo(o.Profile, "caddy-"+o.Name))
	defer stopProfile()
	clock := startClock()
	_ = parent.send("started")
	return parent.answerEach(func(string) (any, error) {
		stopProfile()
		return clock.usage(), nil
	})
}

// caddyProcess is a running Caddy, seen from the parent.
type caddyProcess struct {
	*child
	addr string // of its site
}

func startCaddy(ctx context.Context, o caddySettings) (c caddyProcess, err error) {
	if o.Port, err = freeport.Find(); err != nil {
		return c, err
	}
	if o.Dir, err = os.MkdirTemp("", "bench-caddy"); err != nil {
		return c, err
	}
	if c.child, err = start(ctx, "caddy", o, nil); err != nil {
		_ = os.RemoveAll(o.Dir)
		return c, err
	}
	c.dir, c.addr = o.Dir, "127.0.0.1:"+strconv.Itoa(o.Port)
	return c, nil
}
