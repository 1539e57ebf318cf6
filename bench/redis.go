package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/topology"
)

// redisServer is a redis-server of the benchmark's own.
type redisServer struct {
	*topology.Servers
	c *redis.Client
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

// rest rewrites the append-only file and waits for the end of that. Else one begins whenever the file has doubled, in the middle
// of what is measured, and takes a core for a second.
func (s *redisServer) rest(ctx context.Context) {
	if s.info(ctx, "aof_enabled") == 0 {
		return
	}
	s.c.BgRewriteAOF(ctx) // refused where one is under way
	for ctx.Err() == nil && s.info(ctx, "aof_rewrite_in_progress")+s.info(ctx, "aof_rewrite_scheduled") > 0 {
		time.Sleep(10 * time.Millisecond)
	}
}

// info reads one number of INFO.
func (s *redisServer) info(ctx context.Context, field string) float64 {
	n, _ := strconv.ParseFloat(s.Nodes[0].Info(ctx, field), 64)
	return n
}

// cpu is the CPU time that the server has used.
func (s *redisServer) cpu(ctx context.Context) time.Duration {
	return time.Duration((s.info(ctx, "used_cpu_user") + s.info(ctx, "used_cpu_sys")) * float64(time.Second))
}

// statsTo writes INFO commandstats beside the CPU profiles. An empty folder writes none.
func (s *redisServer) statsTo(ctx context.Context, folder, name string) {
	if folder == "" {
		return
	}
	text, _ := s.c.Info(ctx, "commandstats").Result()
	if err := os.WriteFile(filepath.Join(folder, "commandstats-"+name+".txt"), []byte(text), 0o644); err != nil {
		progress("no commandstats: %v", err)
	}
}
