package sender

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/sender/internal/registry"
)

// pace is the speed of replays.
type pace struct {
	step  int           // deliveries made due by one step
	pause time.Duration // between steps of one webhook's replays
	hold  time.Duration // no other process works on a replay for so long after a step; after a crash it continues that much later
}

// replayPace keeps a replay at 100 deliveries a second.
var replayPace = pace{step: 10, pause: 100 * time.Millisecond, hold: 5 * time.Second}

// notSentReasons are the API's names for the reasons why a delivery was not queued again.
var notSentReasons = map[queue.Resent]string{
	queue.ResentUnderWay: "underWay", queue.ResentUnavailable: "unavailable", queue.ResentUnknown: "unavailable",
	queue.ResentBacklog: ReasonBacklog, queue.ResentDisabled: ReasonDisabled,
}

func notSent(counts map[queue.Resent]int) map[string]int {
	if len(counts) == 0 {
		return nil
	}
	by := map[string]int{}
	for reason, n := range counts {
		by[notSentReasons[reason]] += n
	}
	return by
}

func isReplayID(id string) bool {
	return strings.HasPrefix(id, replayPrefix) && len(id) == len(replayPrefix)+queue.JobIDLength
}

func (s *Sender) readReplay(ctx context.Context, shard int, id string) (r *registry.Replay, sel selection, err error) {
	if !isReplayID(id) {
		return nil, sel, errNotFound
	}
	r, err = s.registry.Replay(ctx, shard, id)
	switch {
	case err != nil:
		return nil, sel, s.unavailable("replay", err)
	case r == nil:
		return nil, sel, errNotFound
	}
	return r, sel, json.Unmarshal([]byte(r.Selection), &sel)
}

// replays is the set of replays that this process works on.
type replays struct {
	running sync.Map // by ID
	wait    sync.WaitGroup
}

// run works on a replay in the background, unless this process does so already.
func (rs *replays) run(ctx context.Context, s *Sender, shard int, id string) {
	if _, running := rs.running.LoadOrStore(id, true); running {
		return
	}
	rs.wait.Go(func() {
		defer rs.running.Delete(id)
		s.runReplay(ctx, shard, id)
	})
}

// runReplay makes steps until the replay or ctx ends. All replays of one webhook together make no more steps than one would, in
// whichever processes they run: each step occupies the webhook for a pause.
func (s *Sender) runReplay(ctx context.Context, shard int, id string) {
	owner := id + queue.NewJobID(newUUID())
	tick := time.NewTicker(s.pace.pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		done, err := s.stepReplay(ctx, shard, id, owner)
		switch {
		case done:
			return
		case errors.Is(err, queue.ErrTooSoon): // another replay of the webhook had this turn
		case errors.Is(err, queue.ErrCursorMoved), errors.Is(err, queue.ErrBacklog):
			redisstore.Sleep(ctx, s.pace.hold/5) // another process works on it, or the webhook has max_pending deliveries waiting
		case err != nil && ctx.Err() == nil:
			s.log.Error("replaying; trying again", "replay_id", id, "error", err)
			redisstore.Sleep(ctx, time.Second)
		}
	}
}

func (s *Sender) stepReplay(ctx context.Context, shard int, id, owner string) (done bool, err error) {
	r, sel, err := s.readReplay(ctx, shard, id)
	if errors.Is(err, errNotFound) {
		return true, nil
	}
	if err != nil || r.State != replayRunning {
		return err == nil, err
	}
	if deleted, err := s.queue.LaneDeleted(ctx, shard, sel.Lane); err == nil && deleted {
		return true, s.endReplay(ctx, shard, id, replayCancelled)
	}
	if r.Cursor == replayEnd { // the process that made the last step died before it ended the replay
		return true, s.endReplay(ctx, shard, id, replayDone)
	}
	st, err := s.replayStep(ctx, shard, sel, r.Cursor, min(s.pace.step, s.c.MaxPending))
	if err != nil {
		return false, err
	}
	if sel.All {
		if st.jobs, err = s.registry.WithoutExcluded(ctx, shard, id, st.jobs); err != nil {
			return false, s.unavailable("replay", err)
		}
	}
	to := st.next
	if to == "" {
		to = replayEnd
	}
	c := queue.Cursor{Key: s.registry.ReplayCursor(id), From: r.Cursor, To: to, Owner: owner, Hold: s.pace.hold, Pace: s.pace.pause}
	if _, err := s.queue.ResendMoving(ctx, shard, c, sel.Lane, st.jobs); err != nil {
		return false, err
	}
	s.dispatcher.Wake(shard)
	if to != replayEnd {
		return false, nil
	}
	return true, s.endReplay(ctx, shard, id, replayDone)
}
