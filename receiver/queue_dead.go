package receiver

import (
	"context"
	_ "embed"

	"github.com/videocloud/webhooks/internal/queue"
)

var (
	//go:embed lua/purge.lua
	purgeLua    string
	purgeScript = queue.Script(purgeLua)
)

// Retry makes events due now, with a fresh retry table: dead ones and waiting ones. It reports how many; one that is being delivered
// right now is left alone.
func (q *Queue) Retry(ctx context.Context, jobs ...string) (int, error) {
	return inSteps(jobs, func(some []string) (int, error) {
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

// RetryAll is [Queue.Retry] of all that are selected, the oldest first.
func (q *Queue) RetryAll(ctx context.Context, s Selection) (int, error) {
	return q.each(ctx, s, func(jobs []string) (int, error) { return q.Retry(ctx, jobs...) })
}

// Purge drops events for good: dead ones and waiting ones. It reports how many; one that is being delivered right now is left alone.
func (q *Queue) Purge(ctx context.Context, jobs ...string) (int, error) {
	return inSteps(jobs, func(some []string) (int, error) {
		args := append(make([]any, 0, 1+len(some)), q.o.Name)
		for _, j := range some {
			args = append(args, j)
		}
		n, err := q.queue.Run(ctx, 0, purgeScript, args...)
		count, _ := n.(int64)
		return int(count), queueError(err)
	})
}

// PurgeAll is [Queue.Purge] of all that are selected.
func (q *Queue) PurgeAll(ctx context.Context, s Selection) (int, error) {
	return q.each(ctx, s, func(jobs []string) (int, error) { return q.Purge(ctx, jobs...) })
}

// inSteps calls do with some of the jobs at a time, as no script writes without bound.
func inSteps(jobs []string, do func([]string) (int, error)) (int, error) {
	for total := 0; ; {
		some := jobs[:min(len(jobs), contentsStep)]
		if len(some) == 0 {
			return total, nil
		}
		n, err := do(some)
		if total += n; err != nil {
			return total, err
		}
		jobs = jobs[len(some):]
	}
}

// each calls do with the jobs of all events that are selected now, some at a time. Retried ones that are due again behind the last one are
// not met twice: what is dead or due after the beginning is another time's.
func (q *Queue) each(ctx context.Context, s Selection, do func([]string) (int, error)) (total int, err error) {
	head := headBytes
	if s.everything() {
		head = 0
	}
	left, err := q.count(ctx, s.State)
	if err != nil {
		return 0, err
	}
	for cursor := ""; left > 0; left -= contentsStep {
		items, next, err := q.page(ctx, &s, cursor, min(contentsStep, left), head)
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
