package receiver

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/videocloud/webhooks/internal/queue"
)

// Dead is an event whose retry table was used up.
type Dead struct {
	Job      string    `json:"job"` // names it for RetryDead and PurgeDead
	ID       string    `json:"id,omitempty"`
	Event    string    `json:"event,omitempty"`
	Scheme   string    `json:"scheme,omitempty"`
	Received time.Time `json:"received"`
	Failed   time.Time `json:"failed"`
	Attempts int       `json:"attempts"`
	Error    string    `json:"error,omitempty"` // of the last attempt
	Size     int       `json:"size"`            // of the body, in bytes
}

// deadPage is how many dead events one step looks at.
const deadPage = 100

// Dead lists dead events, the oldest first: at most limit, from the offset on.
func (q *Queue) Dead(ctx context.Context, offset, limit int) ([]Dead, error) {
	tag, c := q.queue.Tag(0), q.store.Client()
	found, err := c.ZRangeWithScores(ctx, tag+"dead:"+q.o.Name, int64(offset), int64(offset+limit-1)).Result()
	if err != nil || len(found) == 0 {
		return nil, deadError(err)
	}
	pipe := c.Pipeline()
	bodies, records := make([]*redis.StringCmd, len(found)), make([]*redis.SliceCmd, len(found))
	for i, z := range found {
		job := z.Member.(string)
		bodies[i] = pipe.Get(ctx, tag+"body:"+job)
		records[i] = pipe.HMGet(ctx, tag+"job:"+q.o.Name+job, "n", "r")
	}
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
		return nil, deadError(err)
	}
	all := make([]Dead, len(found))
	for i, z := range found {
		d := Dead{Job: z.Member.(string), Failed: time.UnixMilli(int64(z.Score)).UTC()}
		if j, err := DecodeJob([]byte(queue.PayloadOf(bodies[i].Val()))); err == nil {
			d.ID, d.Event, d.Scheme, d.Received, d.Size = j.ID, j.Event, j.Scheme, j.Received, len(j.Body)
		}
		if v := records[i].Val(); len(v) == 2 {
			n, _ := v[0].(string)
			d.Attempts, _ = strconv.Atoi(n)
			d.Error, _ = v[1].(string)
		}
		all[i] = d
	}
	return all, nil
}

func deadError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reading dead events: %w: %w", ErrStore, err)
}

// RetryDead delivers dead events again, with a fresh retry table: those named, or all where none is. It reports how many.
func (q *Queue) RetryDead(ctx context.Context, jobs ...string) (int, error) {
	return q.eachDead(ctx, jobs, func(some []string) (int, error) {
		outcomes, err := q.queue.Resend(ctx, 0, q.o.Name, some...)
		n := 0
		for _, o := range outcomes {
			if o == queue.ResentQueued {
				n++
			}
		}
		return n, err
	})
}

// PurgeDead drops dead events for good: those named, or all where none is. It reports how many.
func (q *Queue) PurgeDead(ctx context.Context, jobs ...string) (int, error) {
	return q.eachDead(ctx, jobs, func(some []string) (int, error) {
		args := make([]any, 0, 1+len(some))
		args = append(args, q.o.Name)
		for _, j := range some {
			args = append(args, j)
		}
		n, err := q.queue.Run(ctx, 0, purgeScript, args...)
		count, _ := n.(int64)
		return int(count), err
	})
}

// eachDead calls do with the named jobs, or with all dead ones, some at a time, until it gets no further.
func (q *Queue) eachDead(ctx context.Context, jobs []string, do func([]string) (int, error)) (int, error) {
	all := len(jobs) == 0
	for total, passed := 0, 0; ; {
		some := jobs[:min(len(jobs), deadPage)]
		if all {
			var err error
			some, err = q.store.Client().ZRange(ctx, q.queue.Tag(0)+"dead:"+q.o.Name, int64(passed), int64(passed+deadPage-1)).Result()
			if err != nil {
				return total, deadError(err)
			}
		} else {
			jobs = jobs[len(some):]
		}
		if len(some) == 0 {
			return total, nil
		}
		n, err := do(some)
		total, passed = total+n, passed+len(some)-n // what was not taken stays in front
		if err != nil {
			return total, deadError(err)
		}
	}
}

// Depth is how many events wait, are being delivered and are dead.
type Depth struct {
	Waiting  int `json:"waiting"`
	InFlight int `json:"inFlight"`
	Dead     int `json:"dead"`
	// Oldest is for how long the earliest waiting event has been due. Negative: it is not due yet.
	Oldest time.Duration `json:"-"`
}

// Depth says how full the queue is, in one round trip.
func (q *Queue) Depth(ctx context.Context) (d Depth, err error) {
	tag := q.queue.Tag(0)
	pipe := q.store.Client().Pipeline()
	waiting := pipe.ZCard(ctx, tag+"lane:"+q.o.Name)
	leased := pipe.ZCard(ctx, tag+"leases")
	dead := pipe.ZCard(ctx, tag+"dead:"+q.o.Name)
	head := pipe.ZRangeWithScores(ctx, tag+"lane:"+q.o.Name, 0, 0)
	now := pipe.Time(ctx)
	if _, err := pipe.Exec(ctx); err != nil {
		return d, deadError(err)
	}
	d = Depth{Waiting: int(waiting.Val()), InFlight: int(leased.Val()), Dead: int(dead.Val())}
	if z := head.Val(); len(z) == 1 {
		d.Oldest = now.Val().Sub(time.UnixMilli(int64(z[0].Score)))
	}
	return d, nil
}
