package sender

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/sender/internal/registry"
)

// A replay walks through the index of a webhook in steps. Each step finds the deliveries that match, makes them due and moves the
// replay's cursor, all in one script. Any process continues an interrupted replay at its cursor; it skips none of the deliveries,
// and makes none due twice.

const (
	// replayScan is how many deliveries one step reads, so that a step gets on also where few match.
	replayScan = 2000
	// replayKept is how long a replay can be read after it ended.
	replayKept = 72 * time.Hour
)

// States of a replay.
const (
	replayRunning   = "running"
	replayDone      = "done"
	replayCancelled = "cancelled" // it was cancelled, or its webhook was deleted
	replayDryRun    = "dry_run"
)

// replayEnd is the cursor of a replay that has made its last step.
const replayEnd = "end"

// selection says which deliveries a replay sends again.
type selection struct {
	Lane  string   `json:"lane"`
	Until string   `json:"until"` // an ID of the index
	Types []string `json:"types,omitempty"`
	All   bool     `json:"all,omitempty"` // the succeeded ones too
}

func (sel selection) matches(st queue.Standing) bool {
	if len(sel.Types) > 0 && !slices.ContainsFunc(config.Patterns(st.Type), func(p string) bool { return slices.Contains(sel.Types, p) }) {
		return false
	}
	return st.State == queue.StateFailed || sel.All && st.State == queue.StateSucceeded
}

// StartReplay selects deliveries of a webhook and starts to queue them again, 100 a second. With DryRun it only counts them.
func (s *Sender) StartReplay(ctx context.Context, account, webhookID string, r ReplayRequest) (Replay, error) {
	sel, since, err := s.selection(r)
	if err != nil {
		return Replay{}, err
	}
	shard, hook, err := s.record(ctx, account, webhookID)
	if err != nil {
		return Replay{}, err
	}
	if Status(hook.Status) == StatusDisabled && !r.DryRun {
		return Replay{}, errDisabled
	}
	sel.Lane = hook.Lane
	// Until now by the clock of Redis, so that what the replay itself causes is not part of it.
	now, err := s.registry.Now(ctx)
	if err != nil {
		return Replay{}, s.unavailable("replay", err)
	}
	if sel.Until == "" {
		sel.Until = strconv.FormatInt(now.UnixMilli(), 10)
	}
	out := Replay{WebhookID: webhookID, State: replayDryRun, CreatedAt: now.UTC()}
	id := replayPrefix + queue.NewJobID(newUUID())
	place := since
	err = s.scanInSteps(ctx, account, func() (bool, error) {
		step, err := s.replayStep(ctx, shard, sel, place, replayScan)
		if err != nil {
			return false, err
		}
		out.Matched += len(step.jobs) + step.unavailable
		out.Unavailable += step.unavailable
		place = step.next
		if sel.All && !r.DryRun {
			if err := s.registry.ExcludeJobs(ctx, shard, id, step.open); err != nil {
				return false, s.unavailable("replay", err)
			}
		}
		return place != "", nil
	})
	if err != nil {
		return Replay{}, err
	}
	if r.DryRun {
		return out, nil
	}
	out.ID, out.State = id, replayRunning
	selected, _ := json.Marshal(sel) // strings only
	err = s.registry.StartReplay(ctx, shard, out.ID, sel.Lane, registry.Replay{
		Account: account, Cursor: since, State: replayRunning, Matched: out.Matched, Unavailable: out.Unavailable,
		Created: now, Selection: string(selected),
	})
	if err != nil {
		return Replay{}, s.writeError("replay", err)
	}
	s.wakeTasks(shard)
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
		if e != "*" && e != config.EventTest && !s.isSubscribable(e) {
			return sel, "", unknownSubscription(e)
		}
	}
	sel.Types = r.Events
	return sel, strconv.FormatInt(max(r.Since.UnixMilli(), 0), 10), nil
}

// replayFound is what one step of a replay found.
type replayFound struct {
	jobs        []string
	open        []string // jobs that wait or are under way
	unavailable int
	next        string // where the next step begins; "" where this was the last
}

// replayStep finds at most so many deliveries that can be sent again, from a place of the index on.
func (s *Sender) replayStep(ctx context.Context, shard int, sel selection, from string, most int) (replayFound, error) {
	var st replayFound
	for scanned, count := 0, min(most, inspectBatch); ; count = inspectBatch {
		entries, err := s.queue.History(ctx, shard, sel.Lane, false, from, sel.Until, count)
		if err != nil {
			return replayFound{}, s.unavailable("read", err)
		}
		standings, err := s.inspectEntries(ctx, shard, sel.Lane, entries)
		if err != nil {
			return replayFound{}, err
		}
		for i, e := range entries {
			from = "(" + e.ID
			switch {
			case standings[i].State.Open():
				st.open = append(st.open, e.Job)
			case !sel.matches(standings[i]):
			case !standings[i].Payload:
				st.unavailable++
			default:
				if st.jobs = append(st.jobs, e.Job); len(st.jobs) == most {
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

// Replay returns a replay of an account with its progress.
func (s *Sender) Replay(ctx context.Context, account, id string) (Replay, error) {
	shard, err := s.shard(ctx, account)
	if err != nil {
		return Replay{}, err
	}
	r, sel, err := s.readReplay(ctx, shard, id)
	if err != nil {
		return Replay{}, err
	}
	if r.Account != account {
		return Replay{}, errNotFound
	}
	return Replay{
		ID: id, WebhookID: webhookPrefix + sel.Lane, State: r.State, Matched: r.Matched, Unavailable: r.Unavailable, Sent: r.Sent, NotSent: notSent(r.NotSent),
		CreatedAt: r.Created,
	}, nil
}

// endReplay ends a replay, unless it has ended already.
func (s *Sender) endReplay(ctx context.Context, shard int, id, state string) error {
	return s.registry.EndReplay(ctx, shard, id, state, replayKept)
}

// ListReplays returns the replays of an account that can still be read, newest first, and the cursor of the next page, "" where
// there is none.
func (s *Sender) ListReplays(ctx context.Context, account, cursor string, limit int) (items []Replay, next string, err error) {
	page, err := s.listPage(ctx, account, cursor, limit, isNumber)
	if err != nil {
		return nil, "", err
	}
	ids, place, err := s.registry.ListReplays(ctx, page.shard, account, page.after, page.limit)
	if err != nil {
		return nil, "", s.unavailable("replays", err)
	}
	items = make([]Replay, 0, len(ids))
	for _, id := range ids {
		r, err := s.Replay(ctx, account, id)
		if errors.Is(err, errNotFound) {
			continue // it ended long ago
		}
		if err != nil {
			return nil, "", err
		}
		items = append(items, r)
	}
	return items, writeCursor(place), nil
}

// CancelReplay ends a replay. The deliveries that it has not queued yet stay as they are.
func (s *Sender) CancelReplay(ctx context.Context, account, id string) (Replay, error) {
	if _, err := s.Replay(ctx, account, id); err != nil {
		return Replay{}, err
	}
	shard, err := s.shard(ctx, account)
	if err != nil {
		return Replay{}, err
	}
	if err := s.endReplay(ctx, shard, id, replayCancelled); err != nil {
		return Replay{}, s.unavailable("replay", err)
	}
	return s.Replay(ctx, account, id)
}

// earliestSince is the Since of a replay of everything that is kept.
var earliestSince = time.UnixMilli(1)

// RetryWebhook is [Sender.StartReplay], but for a Since that is zero, which stands for all deliveries that are kept.
func (s *Sender) RetryWebhook(ctx context.Context, account, id string, r ReplayRequest) (Replay, error) {
	if r.Since.IsZero() {
		r.Since = earliestSince
	}
	return s.StartReplay(ctx, account, id, r)
}
