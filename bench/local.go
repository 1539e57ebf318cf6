package main

import (
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

// benchLocal measures redis local with its own default, fsync always, which is what memory lacks. ratio is to memory;
// redis_per_s is a Redis beside with the append-only file that -aof says. restart_ms is from kill -9 of the server to its
// first answer.
func benchLocal(ctx context.Context, o options) (*figures, error) {
	k, addr, err := startSink(ctx, sinkSettings{})
	if err != nil {
		return nil, err
	}
	defer k.stop()
	var local, memory, beside, restart []float64
	for round := range o.rounds {
		speed, _, err := roundStore(ctx, o, k, addr, config.Redis{URL: config.Memory})
		if err != nil {
			return nil, err
		}
		memory = append(memory, speed)
		server, err := startRedis(ctx, o.aof)
		if err != nil {
			return nil, err
		}
		speed, _, err = roundStore(ctx, o, k, addr, config.Redis{URL: server.url()})
		server.stop()
		if err != nil {
			return nil, err
		}
		beside = append(beside, speed)
		dir, err := os.MkdirTemp("", "bench-local")
		if err != nil {
			return nil, err
		}
		speed, away, err := roundStore(ctx, o, k, addr, config.Redis{Local: &config.LocalRedis{Dir: filepath.Join(dir, "r")}})
		_ = os.RemoveAll(dir)
		if err != nil {
			return nil, err
		}
		local, restart = append(local, speed), append(restart, float64(away.Microseconds())/1000)
		progress("round %d of %d: %.0f a second, memory %.0f, a Redis beside %.0f, back after %.1f ms", round+1, o.rounds, speed, memory[round], beside[round], restart[round])
	}
	f := &figures{}
	f.add("delivered_per_s", int(median(local)))
	f.add("memory_per_s", int(median(memory)))
	f.add("ratio", round3(median(local)/median(memory)))
	f.add("restart_ms", round3(median(restart)))
	f.add("redis_per_s", int(median(beside)))
	f.add("redis_ratio", round3(median(local)/median(beside)))
	return f, nil
}

// roundStore delivers n events that wait in a store, by a sender in this process, as a store in memory has no other. Of a
// server of our own it also measures how long it is away when it is killed.
func roundStore(ctx context.Context, o options, k *child, addr string, r config.Redis) (perSecond float64, away time.Duration, err error) {
	s, store, err := openSender(r, senderConfig(o.c))
	if err != nil {
		return 0, 0, err
	}
	defer store.Close()
	if err := register(ctx, s, addr); err != nil {
		return 0, 0, err
	}
	if err := preload(ctx, s, o.n, o.size); err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if err := s.Start(ctx); err != nil {
		return 0, 0, err
	}
	_, err = waitFor(ctx, k, o.n)
	took := time.Since(began)
	if stopped := s.Stop(ctx); err == nil {
		err = stopped
	}
	if err != nil {
		return 0, 0, err
	}
	var counts sinkCounts
	if err := k.ask("reset", &counts); err != nil {
		return 0, 0, err
	}
	if _, ours := store.Local(); ours {
		if away, err = killed(ctx, store); err != nil {
			return 0, 0, err
		}
	}
	return float64(o.n) / took.Seconds(), away, nil
}

// killed kills a store's own server and returns after how long it answers again.
func killed(ctx context.Context, store *redisstore.Store) (time.Duration, error) {
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
