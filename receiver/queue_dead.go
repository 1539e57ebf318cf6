package receiver

import (
	"context"
	_ "embed"
	"slices"

	"github.com/videocloud/webhooks/internal/queue"
)

var (
	//go:embed lua/purge.lua
	purgeLua    string
	purgeScript = queue.Script(purgeLua)
)

// Retry makes dead and waiting events due now, from the start of the retry table. It returns their number. An event that is being
// delivered at this moment is left as it is.
func (q *Queue) Retry(ctx context.Context, jobs ...string) (int, error) {
	return inBatches(jobs, func(some []string) (int, error) {
		outcomes, err := q.queue.Resend(ctx, 0, q.o.Name, some...)
		n := 0
		for _, o := range outcomes {
			if o == queue.ResentQueued {
				n++
			}
		}
		return n, queueError(err)
	})
}

// RetryAll is [Queue.Retry] of all selected events, the oldest first.
func (q *Queue) RetryAll(ctx context.Context, s Selection) (int, error) {
	return q.forSelected(ctx, s, func(jobs []string) (int, error) { return q.Retry(ctx, jobs...) })
}

// Purge removes dead and waiting events for good. It returns their number. An event that is being delivered at this moment is
// left as it is.
func (q *Queue) Purge(ctx context.Context, jobs ...string) (int, error) {
	return inBatches(jobs, func(some []string) (int, error) {
		args := append(make([]any, 0, 1+len(some)), q.o.Name)
		for _, j := range some {
			args = append(args, j)
		}
		n, err := q.queue.Run(ctx, 0, purgeScript, args...)
		count, _ := n.(int64)
		return int(count), queueError(err)
	})
}

// PurgeAll is [Queue.Purge] of all selected events.
func (q *Queue) PurgeAll(ctx context.Context, s Selection) (int, error) {
	return q.forSelected(ctx, s, func(jobs []string) (int, error) { return q.Purge(ctx, jobs...) })
}

// inBatches calls do with a limited number of jobs at a time, because the writes of one script are bounded.
func inBatches(jobs []string, do func([]string) (int, error)) (total int, err error) {
	for some := range slices.Chunk(jobs, pageSize) {
		n, err := do(some)
		if total += n; err != nil {
			return total, err
		}
	}
	return total, nil
}

// forSelected calls do with the jobs of all selected events, a page at a time. It visits no more events than there are when it begins,
// so that events which do puts back at the end of the queue are not visited again and again.
func (q *Queue) forSelected(ctx context.Context, s Selection, do func([]string) (int, error)) (total int, err error) {
	head := headerBytes
	if s.matchesAll() {
		head = 0
	}
	left, err := q.count(ctx, s.State)
	if err != nil {
		return 0, err
	}
	for cursor := ""; left > 0; left -= pageSize {
		items, next, err := q.page(ctx, &s, cursor, min(pageSize, left), head)
		if err != nil {
			return total, err
		}
		jobs := make([]string, len(items))
		for i := range items {
			jobs[i] = items[i].Job
		}
		n, err := do(jobs)
		if total += n; err != nil {
			return total, err
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return total, nil
}
