package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/internal/freeport"
)

// topologyLocal is one Caddy with a server of its own: the sender, its API and the store in one.
const topologyLocal = "local"

// localKills are what is killed, in turn: Caddy, its server, and both at once.
var localKills = []string{causeKill, causeRestart, causeBoth}

const (
	causeBoth     = "both_kills"
	localKillTime = 5 // seconds between two kills: of a minute, twelve
	localKey      = "chaos-local-key"
)

// chaosLocal is one run on redis local.
type chaosLocal struct {
	chaosRun
	dir   string // of the store
	caddy caddySettings
	child *child
}

// benchChaosLocal publishes by the API of a Caddy with redis local while it, its server, or both are killed with kill -9.
func benchChaosLocal(ctx context.Context, o options) (*figures, error) {
	folder, err := os.MkdirTemp("", "bench-chaos")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	c := &chaosLocal{chaosRun: newChaosRun(o), dir: filepath.Join(folder, "r")}
	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(chaosAnswer)
		c.wire.add(arrivalKey(r), time.Now(), "")
		w.WriteHeader(http.StatusNoContent)
	})}
	go func() { _ = server.Serve(sink) }()
	defer server.Close()

	if c.caddy.Port, err = freeport.Find(); err != nil {
		return nil, err
	}
	c.caddy.Dir = folder
	c.caddy.Webhooks = fmt.Sprintf("webhooks {\n redis local %s {\n fsync %s\n }\n sender {\n concurrency %d\n retry 0s 1s 2s 5s 10s\n allow_http\n allow_networks 127.0.0.0/8\n event_types bench.e0\n }\n }",
		c.dir, fsync(o.aof), chaosWorkers)
	c.caddy.Site = "webhook_api {\n api_key " + localKey + "\n }"
	if err := c.startCaddy(ctx); err != nil {
		return nil, err
	}
	defer func() { c.child.stop() }()
	if err := c.until(ctx, "/webhooks", fmt.Sprintf(`{"url":"http://%s/0","events":["*"],"secret":%q}`, sink.Addr(), benchSecret)); err != nil {
		return nil, err
	}
	due := func() int { return int(c.published.Load()) }
	drained, err := c.through(ctx, c.rage, c.publish, due)
	if err != nil {
		return nil, err
	}
	f := c.figures(due())
	f.add("sender_kills", c.faults.count(causeKill)+c.faults.count(causeBoth))
	f.add("redis_restarts", c.faults.count(causeRestart)+c.faults.count(causeBoth))
	f.add("both_at_once", c.faults.count(causeBoth))
	f.add("drain_s", round3(drained.Seconds()))
	return f, nil
}

// fsync is the local server's word for the option -aof: it always has an append-only file.
func fsync(aof string) string {
	if aof == "off" {
		return "everysec"
	}
	return aof
}

// startCaddy starts it on the same port and folder as before. It is there when it says so; its store may need a moment more.
func (c *chaosLocal) startCaddy(ctx context.Context) (err error) {
	c.child, err = start(ctx, "caddy", c.caddy, nil)
	return err
}

// rage kills something every few seconds.
func (c *chaosLocal) rage(ctx context.Context) error {
	return c.eachSecond(ctx, func(second int) (err error) {
		if second%localKillTime == 2 {
			cause := localKills[second/localKillTime%len(localKills)]
			c.faults.during(cause, func() { err = c.kill(ctx, cause) })
		}
		return err
	})
}

func (c *chaosLocal) kill(ctx context.Context, cause string) error {
	if cause != causeKill {
		text, err := os.ReadFile(filepath.Join(c.dir, "server.pid"))
		if err != nil {
			return err
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return err
		}
		if err := killProcess(pid); err != nil {
			return fmt.Errorf("killing the server: %w", err)
		}
	}
	if cause == causeRestart {
		return nil
	}
	c.child.kill()
	return c.startCaddy(ctx)
}

// publish publishes at its share of the rate. What is not answered 202 is published again, with the same ID, until it is.
func (c *chaosLocal) publish(ctx context.Context, publisher int) error {
	data := dataOf(c.o.size, 0)
	return c.eachTick(ctx, publisher, func(n int) error {
		body := fmt.Sprintf(`{"event":"bench.e0","id":%q,"data":%s}`, chaosID(n), data)
		if err := c.until(context.WithoutCancel(ctx), "/events", body); err != nil {
			return err
		}
		c.published.Add(1)
		return nil
	})
}

// until asks until it is answered with success, for a minute at most.
func (c *chaosLocal) until(ctx context.Context, path, body string) error {
	client := http.Client{Timeout: 10 * time.Second}
	last := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d%s", c.caddy.Port, path), strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+localKey)
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			last = err.Error()
			c.refused.Add(1)
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode < 300 {
			return nil
		}
		last = resp.Status
		c.refused.Add(1)
	}
	return fmt.Errorf("nothing is taken any more: %s", last)
}
