package sender

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redisstore"
)

// pace is how fast replays go.
type pace struct {
	step  int           // deliveries made due by one step
	pause time.Duration // between steps of one webhook's replays
	hold  time.Duration // nobody else works on a replay for so long after a step: how late it goes on after a crash
}

// replayPace keeps a replay at 100 deliveries a second.
var replayPace = pace{step: 10, pause: 100 * time.Millisecond, hold: 5 * time.Second}

// withoutLeftOut returns the jobs that a replay doesn't leave out.
func (s *Sender) withoutLeftOut(ctx context.Context, shard int, id string, jobs []string) ([]string, error) {
	if len(jobs) == 0 {
		return jobs, nil
	}
	members := make([]any, len(jobs))
	for i, job := range jobs {
		members[i] = job
	}
	left, err := s.store.Client().SMIsMember(ctx, s.queue.Tag(shard)+replayKey(id)+leftOut, members...).Result()
	if err != nil {
		return nil, s.unavailable("replay", err)
	}
	kept := jobs[:0]
	for i, job := range jobs {
		if !left[i] {
			kept = append(kept, job)
		}
	}
	return kept, nil
}

// replayRecord is a replay as it stands in the store.
type replayRecord struct {
	account, cursor, state     string
	matched, unavailable, sent int
	created                    int64
	notSent                    map[string]int
}

// notSentReasons are the API's words for why a delivery was not queued again.
var notSentReasons = map[queue.Resent]string{
	queue.ResentUnderWay: "underWay", queue.ResentUnavailable: "unavailable", queue.ResentUnknown: "unavailable",
	queue.ResentBacklog: ReasonBacklog, queue.ResentDisabled: ReasonDisabled,
}

func (s *Sender) readReplay(ctx context.Context, shard int, id string) (r replayRecord, sel selection, err error) {
	if !strings.HasPrefix(id, replayPrefix) || len(id) != len(replayPrefix)+queue.JobIDLength {
		return r, sel, errNotFound
	}
	h, err := s.store.Client().HGetAll(ctx, s.queue.Tag(shard)+replayKey(id)).Result()
	if err != nil {
		return r, sel, s.unavailable("replay", err)
	}
	if len(h) == 0 {
		return r, sel, errNotFound
	}
	r = replayRecord{account: h["account"], cursor: h["cursor"], state: h["state"]}
	for field, n := range map[string]*int{"matched": &r.matched, "unavailable": &r.unavailable, "sent": &r.sent} {
		*n, _ = strconv.Atoi(h[field])
	}
	r.created, _ = strconv.ParseInt(h["created"], 10, 64)
	for field, value := range h {
		if outcome, ok := strings.CutPrefix(field, "not:"); ok {
			if r.notSent == nil {
				r.notSent = map[string]int{}
			}
			n, _ := strconv.Atoi(value)
			r.notSent[notSentReasons[queue.Resent(outcome)]] += n
		}
	}
	return r, sel, json.Unmarshal([]byte(h["selection"]), &sel)
}

// replays are those that this process works on.
type replays struct {
	mu      sync.Mutex
	running map[string]bool
	wait    sync.WaitGroup
}

// run works on a replay in the background, unless it does so already.
func (rs *replays) run(ctx context.Context, s *Sender, shard int, id string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.running[id] {
		return
	}
	if rs.running == nil {
		rs.running = map[string]bool{}
	}
	rs.running[id] = true
	rs.wait.Add(1)
	go func() {
		defer rs.wait.Done()
		s.runReplay(ctx, shard, id)
		rs.mu.Lock()
		defer rs.mu.Unlock()
		delete(rs.running, id)
	}()
}

// runReplay makes steps until the replay or ctx ends. Steps of one webhook's replays follow each other at the pace of
// one, whoever makes them: each step holds the webhook's place.
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
			redisstore.Pause(ctx, s.pace.hold/5) // another process is at it, or the webhook has enough to do
		case err != nil && ctx.Err() == nil:
			s.log.Error("replaying; trying again", "replay_id", id, "error", err)
			redisstore.Pause(ctx, time.Second)
		}
	}
}

func (s *Sender) stepReplay(ctx context.Context, shard int, id, owner string) (done bool, err error) {
	r, sel, err := s.readReplay(ctx, shard, id)
	if errors.Is(err, errNotFound) {
		return true, nil
	}
	if err != nil || r.state != replayRunning {
		return r.state != "" && r.state != replayRunning, err
	}
	if status, err := s.store.Client().HGet(ctx, s.queue.Tag(shard)+"conf:"+sel.Lane, "st").Result(); err == redis.Nil || status == "deleted" {
		return true, s.endReplay(ctx, shard, id, replayCancelled)
	}
	if r.cursor == replayEnd { // whoever made the last step died before it said so
		return true, s.endReplay(ctx, shard, id, replayDone)
	}
	st, err := s.replayStep(ctx, shard, sel, r.cursor, min(s.pace.step, s.c.MaxPending))
	if err != nil {
		return false, err
	}
	if sel.All {
		if st.jobs, err = s.withoutLeftOut(ctx, shard, id, st.jobs); err != nil {
			return false, err
		}
	}
	to := st.next
	if to == "" {
		to = replayEnd
	}
	c := queue.Cursor{Key: replayKey(id), From: r.cursor, To: to, Owner: owner, Hold: s.pace.hold, Pace: s.pace.pause}
	if _, err := s.queue.ResendMoving(ctx, shard, c, sel.Lane, st.jobs); err != nil {
		return false, err
	}
	s.dispatcher.Wake(shard)
	if to != replayEnd {
		return false, nil
	}
	return true, s.endReplay(ctx, shard, id, replayDone)
}
