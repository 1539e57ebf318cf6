package main

import (
	"context"
	"fmt"
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
	causeBoth      = "both_kills"
	localKillEvery = 5 // seconds
)

// chaosLocal is one run on redis local.
type chaosLocal struct {
	chaosRun
	dir      string // of the store
	settings caddySettings
	caddy    *child
}

// benchChaosLocal publishes by the API of a Caddy with redis local while it, its server, or both are killed with kill -9.
func benchChaosLocal(ctx context.Context, o options) *figures {
	folder := must(os.MkdirTemp("", "bench-chaos"))
	defer os.RemoveAll(folder)
	c := &chaosLocal{chaosRun: newChaosRun(o), dir: filepath.Join(folder, "r")}
	addr, stopEndpoint, err := serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(chaosAnswer)
		c.delivered.add(arrivalKey(r), "")
		w.WriteHeader(http.StatusNoContent)
	}))
	check(err)
	defer stopEndpoint()

	port := must(freeport.Find())
	fsync := o.aof
	if fsync == "off" {
		fsync = "everysec" // the local server always has an append-only file
	}
	c.settings = caddySettings{
		Port: port, Dir: folder, Site: apiBlock,
		Webhooks: senderBlock(fmt.Sprintf("local %s {\n fsync %s\n }", c.dir, fsync), fmt.Sprintf("concurrency %d\n retry 0s 1s 2s 5s 10s\n event_types bench.e0", chaosConcurrency)),
	}
	check(c.startCaddy(ctx))
	defer func() { c.caddy.stop() }()
	check(c.postUntilTaken(ctx, "/webhooks", fmt.Sprintf(`{"url":"http://%s/0","events":["*"],"secret":%q}`, addr, benchSecret)))
	expected := func() int { return int(c.published.Load()) }
	drained := must(c.publishDuringFaults(ctx, c.injectFaults, c.publish, expected))
	f := c.figures(expected())
	both := c.faults.count(causeBoth)
	f.add("sender_kills", c.faults.count(causeKill)+both)
	f.add("redis_restarts", c.faults.count(causeRestart)+both)
	f.add("both_at_once", both)
	f.add("drain_s", threeDecimals(drained.Seconds()))
	return f
}

// startCaddy starts Caddy, each time on the same port and folder. Then Caddy serves, while its store may need a moment more.
func (c *chaosLocal) startCaddy(ctx context.Context) (err error) {
	c.caddy, err = start(ctx, "caddy", c.settings, nil)
	return err
}

// injectFaults kills something every few seconds.
func (c *chaosLocal) injectFaults(ctx context.Context) error {
	return c.eachSecond(ctx, func(second int) (err error) {
		if second%localKillEvery == 2 {
			cause := localKills[second/localKillEvery%len(localKills)]
			c.faults.record(cause, func() { err = c.kill(ctx, cause) })
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
	c.caddy.kill()
	return c.startCaddy(ctx)
}

// publish publishes at its share of the rate. What is not answered 202 is published again, with the same ID, until it is.
func (c *chaosLocal) publish(ctx context.Context, publisher int) error {
	data := eventData(c.size, 0)
	return c.eachEvent(ctx, publisher, func(n int) error {
		body := fmt.Sprintf(`{"event":"bench.e0","id":%q,"data":%s}`, chaosID(n), data)
		if err := c.postUntilTaken(context.WithoutCancel(ctx), "/events", body); err != nil {
			return err
		}
		c.published.Add(1)
		return nil
	})
}

// postUntilTaken posts until it is answered with success, for a minute at most.
func (c *chaosLocal) postUntilTaken(ctx context.Context, path, body string) error {
	client := http.Client{Timeout: 10 * time.Second}
	last := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d%s", c.settings.Port, path), strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+benchKey)
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			last = err.Error()
		} else {
			_ = resp.Body.Close()
			if last = resp.Status; resp.StatusCode < 300 {
				return nil
			}
		}
		c.refused.Add(1)
	}
	return fmt.Errorf("nothing is taken any more: %s", last)
}
