package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/topology"
)

// redisServer is a single redis-server that a benchmark starts for itself.
type redisServer struct {
	*topology.Servers
	c *redis.Client // of its only node
}

func startRedis(ctx context.Context, aof string) (*redisServer, error) {
	durable, err := appendOnly(aof)
	if err != nil {
		return nil, err
	}
	servers, err := topology.Start(ctx, topology.Single, durable...)
	if err != nil {
		return nil, err
	}
	return &redisServer{servers, servers.Nodes[0].Client()}, nil
}

// appendOnly are a server's arguments for the option -aof.
func appendOnly(aof string) ([]string, error) {
	switch aof {
	case "always", "everysec":
		return []string{"--appendonly", "yes", "--appendfsync", aof}, nil
	case "off":
		return []string{"--appendonly", "no"}, nil
	}
	return nil, fmt.Errorf("-aof is always, everysec or off, not %q", aof)
}

// rewriteAppendOnly rewrites the append-only file and waits for the end of that. Else a rewrite begins whenever the file has
// doubled, in the middle of what is measured, and takes a core for a second.
func (s *redisServer) rewriteAppendOnly(ctx context.Context) {
	if s.info(ctx, "aof_enabled") == 0 {
		return
	}
	s.c.BgRewriteAOF(ctx) // refused where one is under way
	for ctx.Err() == nil && s.info(ctx, "aof_rewrite_in_progress")+s.info(ctx, "aof_rewrite_scheduled") > 0 {
		time.Sleep(10 * time.Millisecond)
	}
}

// info reads one number of INFO; 0 where the server does not answer.
func (s *redisServer) info(ctx context.Context, field string) float64 {
	n, _ := strconv.ParseFloat(s.Nodes[0].Info(ctx, field), 64)
	return n
}

// startCPU begins to count the CPU time that the server uses, and its commands. The returned function tells how many microseconds
// of it each of n things took. Of no server that is 0.
func (s *redisServer) startCPU(ctx context.Context) (us func(n int) float64) {
	if s == nil {
		return func(int) float64 { return 0 }
	}
	seconds := func() float64 { return s.info(ctx, "used_cpu_user") + s.info(ctx, "used_cpu_sys") }
	s.c.ConfigResetStat(ctx)
	before := seconds()
	return func(n int) float64 { return (seconds() - before) * 1e6 / float64(n) }
}

// dataBytes is the memory that Redis uses for its data: without the buffers of the append-only file and of clients, which
// depend on the moment.
func (s *redisServer) dataBytes(ctx context.Context) float64 {
	return s.info(ctx, "used_memory") - s.info(ctx, "mem_aof_buffer") - s.info(ctx, "mem_clients_normal")
}

// waitForExpiry waits until no more keys expire: their number stays the same for more than a second. It looks at every key,
// which drops the expired ones: by itself Redis leaves up to a tenth of them for later.
func (s *redisServer) waitForExpiry(ctx context.Context, atMost time.Duration) error {
	last, since := int64(-1), time.Now()
	for deadline := time.Now().Add(atMost); time.Now().Before(deadline); {
		keys := s.c.Scan(ctx, 0, "", 10_000).Iterator()
		for keys.Next(ctx) {
		}
		n, err := s.c.DBSize(ctx).Result()
		if err = errors.Join(err, keys.Err()); err != nil {
			return err
		}
		if n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > 1500*time.Millisecond {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("keys go on expiring; it took too long")
}

// writeStats writes INFO commandstats beside the CPU profiles. An empty folder, or no server, writes none.
func (s *redisServer) writeStats(ctx context.Context, folder, name string) {
	if s == nil || folder == "" {
		return
	}
	text, _ := s.c.Info(ctx, "commandstats").Result()
	if err := os.WriteFile(filepath.Join(folder, "commandstats-"+name+".txt"), []byte(text), 0o644); err != nil {
		progress("no commandstats: %v", err)
	}
}
