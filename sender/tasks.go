package sender

import (
	"context"
	"strings"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

// choreInterval is how often every shard is checked for chores that another process left behind.
const choreInterval = time.Minute

// wakeChores has the notices and chores of a shard looked after soon. It never blocks: a shard that does not fit into the channel
// is found within a minute.
func (s *Sender) wakeChores(shard int) {
	select {
	case s.chores <- shard:
	default:
	}
}

// runChores works off notices and chores until ctx ends: deliveries of deleted webhooks are cancelled, replays continued,
// publishes completed that were interrupted, events and accounts removed. Each chore is in the store before it begins, so that
// any process can continue it.
func (s *Sender) runChores(ctx context.Context) {
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case shard := <-s.chores:
			s.runShardChores(ctx, shard)
		case <-tick.C:
			if n, err := s.store.Shards(ctx); err == nil {
				s.checkShards(ctx, n)
			}
			tick.Reset(choreInterval)
		}
	}
}

// checkShards runs the chores of every shard that has some. It asks all shards in one round trip.
func (s *Sender) checkShards(ctx context.Context, shards int) {
	counts, err := s.queue.ChoreCounts(ctx, shards)
	if err != nil {
		s.o.Observer.StoreError("chores")
		return
	}
	for shard, n := range counts {
		if n > 0 {
			s.runShardChores(ctx, shard)
		}
	}
}

// runShardChores runs what there is to do in one shard. Errors are logged: the chore stays in the store and is tried again.
func (s *Sender) runShardChores(ctx context.Context, shard int) {
	if err := s.sendNotices(ctx, shard); err != nil && ctx.Err() == nil {
		s.log.Error("sending notices; trying again", "error", err)
		s.o.Observer.StoreError("notices")
		s.wakeChoresLater(ctx, shard)
	}
	chores, err := s.queue.Chores(ctx, shard)
	if err != nil {
		s.o.Observer.StoreError("chores")
		return
	}
	for _, chore := range chores {
		kind, of, _ := strings.Cut(chore, ":")
		if kind == queue.ChoreReplay {
			s.replays.run(ctx, s, shard, of)
			continue
		}
		c, ok := choreKinds[kind]
		if !ok {
			continue // of a later version
		}
		if err := c.do(s, ctx, shard, of); err != nil && ctx.Err() == nil {
			attrs := []any{"error", err}
			if c.subject != "" {
				attrs = []any{c.subject, c.prefix + of, "error", err}
			}
			s.log.Error(c.failed+"; trying again", attrs...)
			s.wakeChoresLater(ctx, shard)
		}
	}
}

// choreKinds are the chores that are run at once, by their kind: the method that runs one, and what the log says where it fails.
var choreKinds = map[string]struct {
	do              func(s *Sender, ctx context.Context, shard int, of string) error
	failed          string
	subject, prefix string // names the chore's subject in the log, where it has a name of its own
}{
	queue.ChoreCancel:  {(*Sender).cancelAllWaiting, "cancelling deliveries of a deleted webhook", "webhook_id", webhookPrefix},
	queue.ChoreExpunge: {(*Sender).continueExpunge, "taking an event's content out of the store", "", ""},
	queue.ChoreAccount: {(*Sender).runAccountEnd, "deleting an account", "account", ""},
	queue.ChoreFanout:  {(*Sender).finishPublish, "finishing a publish that was cut off", "", ""},
}

// cancelAllWaiting cancels all waiting deliveries of a deleted webhook.
func (s *Sender) cancelAllWaiting(ctx context.Context, shard int, lane string) error {
	return s.cancelWaiting(ctx, shard, lane, -1)
}

// choreRetryDelay is how long a chore that failed waits before it is tried again.
const choreRetryDelay = time.Second

func (s *Sender) wakeChoresLater(ctx context.Context, shard int) {
	time.AfterFunc(choreRetryDelay, func() {
		if ctx.Err() == nil {
			s.wakeChores(shard)
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
	s.wakeChores(shard)
	return nil
}
