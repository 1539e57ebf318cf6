package queue

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

var expungeScript = Script(source("expunge"))

// Bounds of one call of the expunge script.
const (
	expungeLanes   = 100
	expungeEntries = 5000
)

// Expunged says how far the content of an event is taken out.
type Expunged struct {
	Job       string
	Left      int      // lanes in which there may still be something
	Cancelled []string // lanes in which a delivery waited, which this step ended
}

// Expunge begins to take an event's content and the answers to it out of the store: its payload is gone and the event is
// not found any more when it returns. It returns nil where the account has no such event. idJob is the job that an ID of
// our own form stands for. Where Left is not 0, [Queue.ExpungeOn] goes on; the chore expunge:<job> is written down until
// it has done so to the end.
func (q *Queue) Expunge(ctx context.Context, shard int, account, id, idJob string) (*Expunged, error) {
	return q.expunge(ctx, shard, account, id, idJob, "")
}

// ExpungeOn does the next step of what [Queue.Expunge] began.
func (q *Queue) ExpungeOn(ctx context.Context, shard int, job string) (*Expunged, error) {
	return q.expunge(ctx, shard, "", "", "", job)
}

func (q *Queue) expunge(ctx context.Context, shard int, account, id, idJob, job string) (*Expunged, error) {
	v, err := q.RunDurable(ctx, shard, expungeScript, account, id, idJob, job, expungeLanes, expungeEntries)
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := newReply(v, nil)
	e := &Expunged{Job: r.text(), Left: int(r.number())}
	lanes := r.list()
	for range len(lanes.values) {
		e.Cancelled = append(e.Cancelled, lanes.text())
	}
	return e, r.err
}
