package queue

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// run attempts one job in a worker.
func (d *Dispatcher) run(ctx context.Context, j *Job) (out Outcome) {
	defer func() {
		if p := recover(); p != nil {
			d.o.Logger.Error("attempt panicked", "lane", j.Lane, "job", j.ID, "panic", p, "stack", string(debug.Stack()))
			out = Outcome{Kind: Retry, Delay: time.Minute}
		}
	}()
	return d.o.Handler(ctx, j)
}

func (d *Dispatcher) worker(ctx context.Context, j *Job) {
	for ok := true; ok; j, ok = d.next() {
		out := d.run(ctx, j)
		d.mu.Lock()
		d.done = append(d.done, &outcome{Job: j, Outcome: out})
		n := len(d.done)
		d.mu.Unlock()
		if d.underWay.Load() == 0 || n == d.overlap() { // else whoever takes the answer looks
			d.signal()
		}
	}
}

// next waits for a job.
func (d *Dispatcher) next() (*Job, bool) {
	d.idle.Add(1)
	j, ok := <-d.work
	d.idle.Add(-1)
	return j, ok
}

// start hands a job to an idle worker, or makes one, or lets it wait for the next that ends an attempt.
func (d *Dispatcher) start(ctx context.Context, helpers *sync.WaitGroup, j *Job) {
	d.inFlight[j] = struct{}{}
	d.count()
	l := d.lanes[j.Lane]
	if l == nil {
		l = &laneLoad{shard: j.Shard}
		d.lanes[j.Lane] = l
	}
	l.inFlight++
	if d.workers >= d.slots.now || d.waiting() < 0 {
		select {
		case d.work <- j:
			return
		default:
		}
	}
	d.workers++
	helpers.Go(func() { d.worker(ctx, j) })
}

// ended takes an attempt off the books of this process.
func (d *Dispatcher) ended(j *Job) {
	delete(d.inFlight, j)
	d.count()
	l := d.lanes[j.Lane]
	l.inFlight--
	if j.slow {
		l.slow--
		d.slow--
	}
	if l.inFlight == 0 {
		delete(d.lanes, j.Lane)
	}
}

// count publishes how many attempts are in flight.
func (d *Dispatcher) count() { d.busy.Store(int64(min(len(d.inFlight), d.slots.now))) }

// back settles a job without an attempt.
func (d *Dispatcher) back(j *Job) {
	d.settling[j.Shard] = append(d.settling[j.Shard], &outcome{Job: j, Outcome: Outcome{Kind: Back}})
	d.unsent++
}

// lookSlowEvery bounds how often the attempts in flight are looked through.
const lookSlowEvery = 100 * time.Millisecond

// findSlow marks the attempts that take long, and their lanes.
func (d *Dispatcher) findSlow(now time.Time) {
	if now.Sub(d.lookSlow) < lookSlowEvery {
		return
	}
	d.lookSlow = now
	for j := range d.inFlight {
		if !j.slow && now.Sub(j.began) >= slowAfter {
			j.slow = true
			d.slow++
			d.lanes[j.Lane].slow++
		}
	}
}
