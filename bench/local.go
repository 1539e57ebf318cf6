package main

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
)

func init() {
	benchmarks["local"] = benchmark{"deliveries a second with redis local, beside redis memory and a Redis of one's own; how long a killed server is away", 6_000, 128, benchLocal}
}

// benchLocal measures redis local with its default, fsync always. ratio is to redis memory, which keeps nothing on disk.
// redis_per_s is a Redis that the benchmark starts, with the append-only file that -aof says, and redis_ratio is to that.
// restart_ms is from kill -9 of the server to its first answer.
func benchLocal(ctx context.Context, o options) *figures {
	return o.eachRoundWithSink(ctx, func(k sinkProcess, f *figures) {
		memory, _ := roundStore(ctx, o, k, config.Redis{URL: config.Memory})
		redis := roundRedis(ctx, o, k)
		dir := must(os.MkdirTemp("", "bench-local"))
		defer os.RemoveAll(dir)
		local, restart := roundStore(ctx, o, k, config.Redis{Local: &config.LocalRedis{Dir: filepath.Join(dir, "r")}})
		f.sampleInt("delivered_per_s", local)
		f.sampleInt("memory_per_s", memory)
		f.sample("ratio", local/memory)
		f.sample("restart_ms", milliseconds(restart))
		f.sampleInt("redis_per_s", redis)
		f.sample("redis_ratio", local/redis)
	})
}

func roundRedis(ctx context.Context, o options, k sinkProcess) (perSecond float64) {
	server := must(startRedis(ctx, o.aof))
	defer server.Close()
	perSecond, _ = roundStore(ctx, o, k, server.Redis())
	return perSecond
}

// roundStore delivers n events that wait in a store, by a sender in this process, as no other process sees a store in memory. A
// server that the store started itself is then killed; restart is how long it was away.
func roundStore(ctx context.Context, o options, k sinkProcess, r config.Redis) (perSecond float64, restart time.Duration) {
	s, store, err := openSender(r, senderConfig(o.c))
	check(err)
	defer store.Close()
	register(ctx, s, k.url)
	publishBacklog(ctx, s, typeNames(webhookCount), o.n, o.size)
	began := time.Now()
	check(s.Start(ctx))
	_, err = k.waitFor(ctx, o.n)
	took := time.Since(began)
	check(cmp.Or(err, s.Stop(ctx)))
	must(k.reset())
	if _, ours := store.Local(); ours {
		restart = must(killAndTimeRestart(ctx, store))
	}
	return float64(o.n) / took.Seconds(), restart
}

// killAndTimeRestart kills a store's own server and returns after how long it answers again.
func killAndTimeRestart(ctx context.Context, store *redisstore.Store) (time.Duration, error) {
	before, _ := store.Local()
	began := time.Now()
	if err := killProcess(before.PID); err != nil {
		return 0, err
	}
	for ctx.Err() == nil {
		if now, ok := store.Local(); ok && now.PID != before.PID && store.Client().Ping(ctx).Err() == nil {
			return time.Since(began), nil
		}
		time.Sleep(time.Millisecond)
	}
	return 0, ctx.Err()
}
