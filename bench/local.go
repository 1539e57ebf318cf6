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
	f := &figures{}
	for round := range o.rounds {
		memory, _, err := roundStore(ctx, o, k, addr, config.Redis{URL: config.Memory})
		if err != nil {
			return nil, err
		}
		server, err := startRedis(ctx, o.aof)
		if err != nil {
			return nil, err
		}
		beside, _, err := roundStore(ctx, o, k, addr, server.Redis())
		server.Close()
		if err != nil {
			return nil, err
		}
		dir, err := os.MkdirTemp("", "bench-local")
		if err != nil {
			return nil, err
		}
		local, away, err := roundStore(ctx, o, k, addr, config.Redis{Local: &config.LocalRedis{Dir: filepath.Join(dir, "r")}})
		_ = os.RemoveAll(dir)
		if err != nil {
			return nil, err
		}
		restart := float64(away.Microseconds()) / 1000
		f.whole("delivered_per_s", local)
		f.whole("memory_per_s", memory)
		f.sample("ratio", local/memory)
		f.sample("restart_ms", restart)
		f.whole("redis_per_s", beside)
		f.sample("redis_ratio", local/beside)
		progress("round %d of %d: %.0f a second, memory %.0f, a Redis beside %.0f, back after %.1f ms", round+1, o.rounds, local, memory, beside, restart)
	}
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
	if err := k.ask("reset", nil); err != nil {
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
