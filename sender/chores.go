package sender

import (
	"context"
	"strings"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

// choreEvery is how often all shards are looked over for work that another process left behind.
const choreEvery = time.Minute

// wakeChores has a shard's outbox and chores looked at soon. It never blocks: what it drops is found within a minute.
func (s *Sender) wakeChores(shard int) {
	select {
	case s.chores <- shard:
	default:
	}
}

// doChores sends notices, ends deliveries of deleted webhooks, works off replays, and finishes what a publish or the deletion of an account left, until ctx ends. Each is written
// down in the store before it begins, so whichever process comes next goes on with it.
func (s *Sender) doChores(ctx context.Context) {
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case shard := <-s.chores:
			s.doShard(ctx, shard)
		case <-tick.C:
			if n, err := s.store.Shards(ctx); err == nil {
				s.findChores(ctx, n)
			}
			tick.Reset(choreEvery)
		}
	}
}

// findChores asks all shards in one round trip.
func (s *Sender) findChores(ctx context.Context, shards int) {
	counts, err := s.queue.ChoreCounts(ctx, shards)
	if err != nil {
		s.o.Observer.StoreError("chores")
		return
	}
	for shard, n := range counts {
		if n > 0 {
			s.doShard(ctx, shard)
		}
	}
}

// doShard does what there is to do in one shard. Errors are logged: the chore stays written down, and is tried again.
func (s *Sender) doShard(ctx context.Context, shard int) {
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
		c, known := choreKinds[kind]
		if !known {
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

// choreKinds are the chores that are done at once, by their kind: what does them, and what the log says where that fails.
var choreKinds = map[string]struct {
	do              func(s *Sender, ctx context.Context, shard int, of string) error
	failed          string
	subject, prefix string // the attribute of the log line that names what the chore is of, where it can be named
}{
	queue.ChoreCancel:  {(*Sender).cancelAllWaiting, "cancelling deliveries of a deleted webhook", "webhook_id", webhookPrefix},
	queue.ChoreExpunge: {(*Sender).expungeOn, "taking an event's content out of the store", "", ""},
	queue.ChoreAccount: {(*Sender).endAccountOn, "deleting an account", "account", ""},
	queue.ChoreFanout:  {(*Sender).finishPublish, "finishing a publish that was cut off", "", ""},
}

// cancelAllWaiting ends all of a deleted webhook's waiting deliveries.
func (s *Sender) cancelAllWaiting(ctx context.Context, shard int, lane string) error {
	return s.cancelWaiting(ctx, shard, lane, -1)
}

// retryChores is how long a chore that failed waits.
const retryChores = time.Second

func (s *Sender) wakeChoresLater(ctx context.Context, shard int) {
	time.AfterFunc(retryChores, func() {
		if ctx.Err() == nil {
			s.wakeChores(shard)
		}
	})
}

// cancelWaiting ends a deleted webhook's waiting deliveries in so many steps, or all of them where steps is negative.
func (s *Sender) cancelWaiting(ctx context.Context, shard int, lane string, steps int) error {
	for ; steps != 0; steps-- {
		left, ended, err := s.queue.Cancel(ctx, shard, lane)
		if err != nil {
			return err
		}
		if ended > 0 {
			s.cancelled(ctx, lane, ended)
		}
		if left == 0 {
			return nil
		}
	}
	s.wakeChores(shard)
	return nil
}
