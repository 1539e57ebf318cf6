package sender

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/queue"
)

// A replay goes through a webhook's index from its place on, in steps: each step finds the deliveries that match, makes
// them due and moves the place, all in one script. A replay that was interrupted is gone on with at its place, by any
// process; none of its deliveries is skipped, and none is made due twice.

// pace is how fast replays go.
type pace struct {
	step  int           // deliveries made due by one step
	pause time.Duration // between steps
	hold  time.Duration // nobody else works on a replay for so long after a step: how late it goes on after a crash
}

// replayPace keeps a replay at 100 deliveries a second.
var replayPace = pace{step: 10, pause: 100 * time.Millisecond, hold: 5 * time.Second}

const (
	// replayScan bounds how many deliveries one step looks at: where few match, a step still gets on.
	replayScan = 2000
	// replayKept is how long a replay that ended can be looked at.
	replayKept = 72 * time.Hour
)

// States of a replay.
const (
	replayRunning   = "running"
	replayDone      = "done"
	replayCancelled = "cancelled" // its webhook was deleted
	replayDryRun    = "dry_run"
)

// selection is what a replay sends again.
type selection struct {
	Lane  string   `json:"lane"`
	Until string   `json:"until"` // an ID of the index
	Types []string `json:"types,omitempty"`
	All   bool     `json:"all,omitempty"` // the succeeded ones too
}

func (sel selection) matches(st queue.Standing) bool {
	if len(sel.Types) > 0 && !slices.Contains(sel.Types, st.Type) {
		return false
	}
	return st.State == "dead" || st.State == "dropped" || sel.All && st.State == "done"
}

func replayKey(id string) string { return "replay:" + id }

// StartReplay selects deliveries of a webhook and queues them again, at 100 a second. With DryRun it only counts.
func (s *Sender) StartReplay(ctx context.Context, account, webhookID string, r ReplayRequest) (Replay, error) {
	sel, since, err := s.selection(r)
	if err != nil {
		return Replay{}, err
	}
	shard, hook, err := s.record(ctx, account, webhookID)
	if err != nil {
		return Replay{}, err
	}
	sel.Lane = hook.lane
	// Until now by Redis' clock, so that what the replay itself causes is not part of it.
	now, err := s.store.Client().Time(ctx).Result()
	if err != nil {
		return Replay{}, s.unavailable("replay", err)
	}
	if sel.Until == "" {
		sel.Until = strconv.FormatInt(now.UnixMilli(), 10)
	}
	out := Replay{WebhookID: webhookID, State: replayDryRun, CreatedAt: now.UTC()}
	place := since
	for place != "" {
		step, err := s.replayStep(ctx, shard, sel, place, replayScan)
		if err != nil {
			return Replay{}, err
		}
		out.Matched += len(step.jobs) + step.unavailable
		out.Unavailable += step.unavailable
		place = step.next
	}
	if r.DryRun {
		return out, nil
	}
	out.ID, out.State = replayPrefix+queue.NewJobID(newUUID()), replayRunning
	selected, _ := json.Marshal(sel) // strings only
	key := s.queue.Tag(shard) + replayKey(out.ID)
	pipe := s.store.Client().TxPipeline()
	pipe.HSet(ctx, key, "account", account, "cursor", since, "state", replayRunning, "matched", out.Matched, "unavailable", out.Unavailable,
		"sent", 0, "created", now.UnixMilli(), "selection", string(selected))
	pipe.SAdd(ctx, s.queue.Tag(shard)+"chores", "replay:"+out.ID)
	if _, err := pipe.Exec(ctx); err != nil {
		return Replay{}, s.unavailable("replay", err)
	}
	s.look(shard)
	return out, nil
}

func (s *Sender) selection(r ReplayRequest) (sel selection, since string, err error) {
	switch r.State {
	case "", string(StateFailed):
	case "all":
		sel.All = true
	default:
		return sel, "", invalid("state", "state is failed or all")
	}
	if r.Since.IsZero() {
		return sel, "", invalid("since", "since is missing; give the time from which deliveries are sent again, such as 2024-03-31T12:00:00Z")
	}
	if !r.Until.IsZero() {
		if r.Until.Before(r.Since) {
			return sel, "", invalid("until", "until is before since")
		}
		sel.Until = strconv.FormatInt(r.Until.UnixMilli(), 10)
	}
	for _, e := range r.Events {
		if !s.types[e] {
			return sel, "", &Error{Code: CodeUnknownEventType, Field: "events", Message: "unknown event type " + quote(e) + "; GET /event-types lists them"}
		}
	}
	sel.Types = r.Events
	return sel, strconv.FormatInt(max(r.Since.UnixMilli(), 0), 10), nil
}

// step is what one step of a replay found.
type step struct {
	jobs        []string
	unavailable int
	next        string // where the next step begins; "" where this was the last
}

// replayStep looks for at most so many deliveries that can be sent again, from a place of the index on.
func (s *Sender) replayStep(ctx context.Context, shard int, sel selection, from string, most int) (step, error) {
	var st step
	for scanned, count := 0, min(most, inspectBatch); ; count = inspectBatch {
		entries, err := s.history(ctx, shard, sel.Lane, false, from, sel.Until, count)
		if err != nil {
			return step{}, err
		}
		standings, err := s.inspectEntries(ctx, shard, sel.Lane, entries)
		if err != nil {
			return step{}, err
		}
		for i, e := range entries {
			from = "(" + e.ID
			switch {
			case !sel.matches(standings[i]):
			case !standings[i].Payload:
				st.unavailable++
			default:
				job, _ := e.Values["j"].(string)
				if st.jobs = append(st.jobs, job); len(st.jobs) == most {
					st.next = from
					return st, nil
				}
			}
		}
		if len(entries) < count {
			return st, nil
		}
		if scanned += count; scanned >= replayScan {
			st.next = from
			return st, nil
		}
	}
}

// Replay returns how a replay of an account stands.
func (s *Sender) Replay(ctx context.Context, account, id string) (Replay, error) {
	shard, err := s.shard(ctx, account)
	if err != nil {
		return Replay{}, err
	}
	r, sel, err := s.readReplay(ctx, shard, id)
	if err != nil {
		return Replay{}, err
	}
	if r.account != account {
		return Replay{}, errNotFound
	}
	return Replay{
		ID: id, WebhookID: webhookPrefix + sel.Lane, State: r.state, Matched: r.matched, Unavailable: r.unavailable, Sent: r.sent,
		CreatedAt: time.UnixMilli(r.created).UTC(),
	}, nil
}

// replayRecord is a replay as it stands in the store.
type replayRecord struct {
	account, cursor, state     string
	matched, unavailable, sent int
	created                    int64
}

func (s *Sender) readReplay(ctx context.Context, shard int, id string) (r replayRecord, sel selection, err error) {
	if len(id) > 64 {
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
		case errors.Is(err, queue.ErrCursorMoved), errors.Is(err, queue.ErrBacklog):
			pause(ctx, s.pace.hold/5) // another process is at it, or the webhook has enough to do
		case err != nil && ctx.Err() == nil:
			s.log.Error("replaying; trying again", "replay_id", id, "error", err)
			pause(ctx, time.Second)
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
	st, err := s.replayStep(ctx, shard, sel, r.cursor, s.pace.step)
	if err != nil {
		return false, err
	}
	to := st.next
	if to == "" {
		to = "end"
	}
	if r.cursor != "end" {
		c := queue.Cursor{Key: replayKey(id), From: r.cursor, To: to, Owner: owner, Hold: s.pace.hold}
		if _, err := s.queue.ResendMoving(ctx, shard, c, sel.Lane, st.jobs); err != nil {
			return false, err
		}
		s.dispatcher.Wake(shard)
	}
	if to != "end" {
		return false, nil
	}
	return true, s.endReplay(ctx, shard, id, replayDone)
}

func (s *Sender) endReplay(ctx context.Context, shard int, id, state string) error {
	pipe := s.store.Client().TxPipeline()
	key := s.queue.Tag(shard) + replayKey(id)
	pipe.HSet(ctx, key, "state", state)
	pipe.PExpire(ctx, key, replayKept)
	pipe.SRem(ctx, s.queue.Tag(shard)+"chores", "replay:"+id)
	_, err := pipe.Exec(ctx)
	return err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
