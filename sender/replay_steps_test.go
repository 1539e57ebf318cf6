package sender

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/queue"
)

// stepping lets replays make so many steps, and holds the next until whoever makes it is stopped. A test that stops a replay in the
// middle has it stand there, however long the test takes to come.
type stepping struct{ allowed, made atomic.Int64 }

// allow has a store's replays make n steps in all.
func (s *stepping) allow(n int) { s.allowed.Store(int64(n)) }

func (s *stepping) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *stepping) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next // a step is a command of its own
}

func (s *stepping) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !isReplayStep(cmd) {
			return next(ctx, cmd)
		}
		if s.made.Load() >= s.allowed.Load() {
			<-ctx.Done()
			cmd.SetErr(ctx.Err())
			return ctx.Err()
		}
		err := next(ctx, cmd)
		if _, refused := cmd.(*redis.Cmd).Val().(string); err == nil && !refused {
			s.made.Add(1)
		}
		return err
	}
}

// isReplayStep reports whether a command is the script that moves the cursor of a replay.
func isReplayStep(cmd redis.Cmder) bool {
	if !strings.HasPrefix(cmd.Name(), "eval") {
		return false
	}
	for _, arg := range cmd.Args() {
		if key, ok := arg.(string); ok && strings.HasPrefix(key, string(queue.KeyReplay)) {
			return true
		}
	}
	return false
}
