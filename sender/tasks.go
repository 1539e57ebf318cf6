package sender

import (
	"context"
	"strings"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

// taskInterval is how often every shard is checked for tasks that another process left behind.
const taskInterval = time.Minute

// wakeTasks has the notices and tasks of a shard looked after soon. It never blocks: a shard that does not fit into the channel
// is found within a minute.
func (s *Sender) wakeTasks(shard int) {
	select {
	case s.tasks <- shard:
	default:
	}
}

// runTasks works off notices and tasks until ctx ends: deliveries of deleted webhooks are cancelled, replays continued,
// publishes completed that were interrupted, events and accounts removed. Each task is in the store before it begins, so that
// any process can continue it.
func (s *Sender) runTasks(ctx context.Context) {
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case shard := <-s.tasks:
			s.runShardTasks(ctx, shard)
		case <-tick.C:
			if n, err := s.store.Shards(ctx); err == nil {
				s.checkShards(ctx, n)
			}
			tick.Reset(taskInterval)
		}
	}
}

// checkShards runs the tasks of every shard that has some. It asks all shards in one round trip.
func (s *Sender) checkShards(ctx context.Context, shards int) {
	counts, err := s.queue.TaskCounts(ctx, shards)
	if err != nil {
		s.o.Observer.StoreError("tasks")
		return
	}
	for shard, n := range counts {
		if n > 0 {
			s.runShardTasks(ctx, shard)
		}
	}
}

// runShardTasks runs what there is to do in one shard. Errors are logged: the task stays in the store and is tried again.
func (s *Sender) runShardTasks(ctx context.Context, shard int) {
	if err := s.sendNotices(ctx, shard); err != nil && ctx.Err() == nil {
		s.log.Error("sending notices; trying again", "error", err)
		s.o.Observer.StoreError("notices")
		s.wakeTasksLater(ctx, shard)
	}
	tasks, err := s.queue.Tasks(ctx, shard)
	if err != nil {
		s.o.Observer.StoreError("tasks")
		return
	}
	for _, task := range tasks {
		kind, of, _ := strings.Cut(task, ":")
		if kind == queue.TaskReplay {
			s.replays.run(ctx, s, shard, of)
			continue
		}
		c, ok := taskKinds[kind]
		if !ok {
			continue // of a later version
		}
		if err := c.do(s, ctx, shard, of); err != nil && ctx.Err() == nil {
			attrs := []any{"error", err}
			if c.subject != "" {
				attrs = []any{c.subject, c.prefix + of, "error", err}
			}
			s.log.Error(c.failed+"; trying again", attrs...)
			s.wakeTasksLater(ctx, shard)
		}
	}
}

// taskKinds are the tasks that are run at once, by their kind: the method that runs one, and what the log says where it fails.
var taskKinds = map[string]struct {
	do              func(s *Sender, ctx context.Context, shard int, of string) error
	failed          string
	subject, prefix string // names the task's subject in the log, where it has a name of its own
}{
	queue.TaskCancel:  {(*Sender).cancelAllWaiting, "cancelling deliveries of a deleted webhook", "webhook_id", webhookPrefix},
	queue.TaskExpunge: {(*Sender).continueExpunge, "taking an event's content out of the store", "", ""},
	queue.TaskAccount: {(*Sender).runAccountEnd, "deleting an account", "account", ""},
	queue.TaskFanout:  {(*Sender).finishPublish, "finishing a publish that was cut off", "", ""},
}

// cancelAllWaiting cancels all waiting deliveries of a deleted webhook.
func (s *Sender) cancelAllWaiting(ctx context.Context, shard int, lane string) error {
	return s.cancelWaiting(ctx, shard, lane, -1)
}

// taskRetryDelay is how long a task that failed waits before it is tried again.
const taskRetryDelay = time.Second

func (s *Sender) wakeTasksLater(ctx context.Context, shard int) {
	time.AfterFunc(taskRetryDelay, func() {
		if ctx.Err() == nil {
			s.wakeTasks(shard)
		}
	})
}

// cancelWaiting cancels waiting deliveries of a deleted webhook, in at most so many steps; all of them where steps is negative.
func (s *Sender) cancelWaiting(ctx context.Context, shard int, lane string, steps int) error {
	for ; steps != 0; steps-- {
		left, ended, err := s.queue.Cancel(ctx, shard, lane)
		if err != nil {
			return err
		}
		if ended > 0 {
			s.recordCancelled(ctx, lane, ended)
		}
		if left == 0 {
			return nil
		}
	}
	s.wakeTasks(shard)
	return nil
}
