package registry

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/queue"
)

var (
	replayMakeScript = script("replay_make")
	replayEndScript  = script("replay_end")
)

// Replay is a replay as it is stored.
type Replay struct {
	Account, State, Selection  string
	Cursor                     string // where its next step begins
	Matched, Unavailable, Sent int
	Created                    time.Time
	NotSent                    map[queue.Resent]int
}

// excludedSuffix ends the key of the deliveries that a replay of all excludes: those that waited or were under way when it began.
// Most of them will have succeeded by the time that the replay comes to them, and nobody asked to have them sent twice.
const excludedSuffix = ":left-out"

const (
	// unstartedLifetime is the expiry of that key until the replay has started.
	unstartedLifetime = time.Hour
	// maxListedReplays is how many replays of an account are listed: the latest.
	maxListedReplays = 1000
)

// Now returns the time by the store's clock.
func (r *Registry) Now(ctx context.Context) (time.Time, error) { return r.redis.Time(ctx).Result() }

// StartReplay stores a replay of a webhook, whose steps any process can then make. It returns [ErrGone] where the webhook was
// deleted meanwhile.
func (r *Registry) StartReplay(ctx context.Context, shard int, id, lane string, in Replay) error {
	record := []any{
		queue.FieldReplayCursor, in.Cursor, queue.FieldReplayState, in.State, queue.FieldReplayMatched, in.Matched,
		queue.FieldReplayUnavailable, in.Unavailable, queue.FieldReplaySent, 0, queue.FieldReplaySelection, in.Selection,
	}
	_, err := r.write(ctx, shard, replayMakeScript, append([]any{id, lane, in.Account, maxListedReplays, in.Created.UnixMilli()}, record...)...)
	return err
}

// ExcludeJobs stores which deliveries are excluded from a replay that is about to start.
func (r *Registry) ExcludeJobs(ctx context.Context, shard int, id string, jobs []string) error {
	if len(jobs) == 0 {
		return nil
	}
	key, pipe := r.queue.Key(shard, queue.KeyReplay, id)+excludedSuffix, r.redis.TxPipeline()
	pipe.SAdd(ctx, key, stringArgs(jobs)...)
	pipe.PExpire(ctx, key, unstartedLifetime)
	_, err := pipe.Exec(ctx)
	return err
}

// WithoutExcluded returns the jobs that are not excluded from a replay.
func (r *Registry) WithoutExcluded(ctx context.Context, shard int, id string, jobs []string) ([]string, error) {
	if len(jobs) == 0 {
		return jobs, nil
	}
	left, err := r.redis.SMIsMember(ctx, r.queue.Key(shard, queue.KeyReplay, id)+excludedSuffix, stringArgs(jobs)...).Result()
	if err != nil {
		return nil, err
	}
	kept := jobs[:0]
	for i, job := range jobs {
		if !left[i] {
			kept = append(kept, job)
		}
	}
	return kept, nil
}

// Replay reads a replay; nil where there is none.
func (r *Registry) Replay(ctx context.Context, shard int, id string) (*Replay, error) {
	h, err := r.redis.HGetAll(ctx, r.queue.Key(shard, queue.KeyReplay, id)).Result()
	if err != nil || len(h) == 0 {
		return nil, err
	}
	out := &Replay{
		Account: h[queue.FieldReplayAccount], Cursor: h[queue.FieldReplayCursor], State: h[queue.FieldReplayState], Selection: h[queue.FieldReplaySelection],
	}
	for field, n := range map[queue.Field]*int{
		queue.FieldReplayMatched: &out.Matched, queue.FieldReplayUnavailable: &out.Unavailable, queue.FieldReplaySent: &out.Sent,
	} {
		*n, _ = strconv.Atoi(h[field])
	}
	ms, _ := strconv.ParseInt(h[queue.FieldReplayCreated], 10, 64)
	out.Created = time.UnixMilli(ms).UTC()
	for field, value := range h {
		if reason, ok := strings.CutPrefix(field, queue.FieldReplayNotSent); ok {
			if out.NotSent == nil {
				out.NotSent = map[queue.Resent]int{}
			}
			out.NotSent[queue.Resent(reason)], _ = strconv.Atoi(value)
		}
	}
	return out, nil
}

// ReplayCursor returns the key of the cursor that a step of a replay moves, without its shard.
func (r *Registry) ReplayCursor(id string) string { return string(queue.KeyReplay) + id }

// EndReplay ends a replay in a state, unless it has ended already. It can be read for the given time after that.
func (r *Registry) EndReplay(ctx context.Context, shard int, id, state string, kept time.Duration) error {
	_, err := r.queue.Run(ctx, shard, replayEndScript, id, state, kept.Milliseconds())
	return err
}

// ListReplays returns at most limit replays of an account, newest first, that were created before a time in unix milliseconds, ""
// for the newest. next is where the next page begins.
func (r *Registry) ListReplays(ctx context.Context, shard int, account, before string, limit int) (ids []string, next string, err error) {
	place := "+inf"
	if before != "" {
		place = "(" + before
	}
	found, err := r.redis.ZRevRangeByScoreWithScores(ctx, r.queue.Key(shard, queue.KeyReplays, account), &redis.ZRangeBy{
		Min: "-inf", Max: place, Count: int64(limit) + 1,
	}).Result()
	if err != nil {
		return nil, "", err
	}
	if len(found) > limit {
		found = found[:limit]
		next = strconv.FormatInt(int64(found[limit-1].Score), 10)
	}
	for _, z := range found {
		ids = append(ids, text(z.Member))
	}
	return ids, next, nil
}

// AccountOfReplay returns the account of a replay in any shard; "" where there is none.
func (r *Registry) AccountOfReplay(ctx context.Context, shards int, id string) (string, error) {
	for shard := range shards {
		account, err := emptyIfNil(r.redis.HGet(ctx, r.queue.Key(shard, queue.KeyReplay, id), queue.FieldReplayAccount).Result())
		if err != nil || account != "" {
			return account, err
		}
	}
	return "", nil
}
