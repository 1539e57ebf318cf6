package queue

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"
)

var expungeScript = Script(source("expunge"))

// Bounds of one call of the expunge script, so that none holds Redis for long.
const (
	expungeLanes   = 100
	expungeEntries = 5000 // entries of logs that are read
)

// Expunged says how far the content of an event has been deleted.
type Expunged struct {
	Job       string
	Left      int      // lanes that may still hold something of it
	Cancelled []string // lanes in which this step cancelled a waiting delivery
}

// Expunge begins to delete an event's content and the logged answers to it. When it returns, the payload is deleted and the event is
// not found any more. idJob is the job that id stands for where it has the form of our own IDs, "" otherwise. It returns nil
// where the account has no such event. While Left is not 0, [Queue.ExpungeOn] has to go on; the task expunge:<job> stays until nothing is
// left.
func (q *Queue) Expunge(ctx context.Context, shard int, account, id, idJob string) (*Expunged, error) {
	return q.expunge(ctx, shard, account, id, idJob, "")
}

// ExpungeOn does the next step of an expunging that [Queue.Expunge] began.
func (q *Queue) ExpungeOn(ctx context.Context, shard int, job string) (*Expunged, error) {
	return q.expunge(ctx, shard, "", "", "", job)
}

func (q *Queue) expunge(ctx context.Context, shard int, account, id, idJob, job string) (*Expunged, error) {
	v, err := q.RunDurable(ctx, shard, expungeScript, account, id, idJob, job, expungeLanes, expungeEntries)
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	r := newReply(v, err)
	e := &Expunged{Job: r.text(), Left: int(r.number())}
	lanes := r.list()
	for range len(lanes.values) {
		e.Cancelled = append(e.Cancelled, lanes.text())
	}
	return e, r.err
}
