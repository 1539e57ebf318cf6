package queue

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

var statsScript = Script(source("stats"))

// Window is a stretch of time that ends now, in buckets of equal length. Only [LastHour], [LastDay] and [LastWeek] are counted.
type Window struct {
	Bucket  time.Duration
	Buckets int

	kept int // its place in keptWindows, which is that of its list in the store
}

// The windows for which attempts are counted.
var (
	LastHour    = Window{Bucket: time.Minute, Buckets: 60, kept: 0}
	LastDay     = Window{Bucket: 30 * time.Minute, Buckets: 48, kept: 1}
	LastWeek    = Window{Bucket: 3 * time.Hour, Buckets: 56, kept: 2}
	keptWindows = [...]Window{LastHour, LastDay, LastWeek}
)

// Bucket holds what was attempted in one part of a window.
type Bucket struct {
	At                time.Time     // when the part begins, in UTC
	Succeeded, Failed int64         // attempts
	P50, P95          time.Duration // half, and 95 of 100, of the attempts took no longer; zero without attempts
}

// Figures say what was attempted in a window, oldest bucket first, and what waits now.
type Figures struct {
	Buckets []Bucket
	Waiting int // jobs; 0 from [Queue.AllFigures]
	// OldestDue is for how long the oldest waiting job has been due, 0 where none is, and always from [Queue.AllFigures]. Jobs are not due
	// while their lane is paused or disabled, or its endpoint has asked for a pause. Those of a lane at its own limits are.
	OldestDue time.Duration
	// FilterErrors counts the events on which the lane's filter failed since it was set; 0 but from [Queue.LaneFigures].
	FilterErrors int
}

// LaneFigures returns the figures of one lane.
func (q *Queue) LaneFigures(ctx context.Context, shard int, lane string, w Window) (Figures, error) {
	return q.figures(ctx, w, false, q.statsCall(shard, "lane", lane))
}

// AccountFigures returns the figures of an account: attempts of all its lanes, also of deleted ones, and the jobs that wait in those that exist.
func (q *Queue) AccountFigures(ctx context.Context, shard int, account string, w Window) (Figures, error) {
	return q.figures(ctx, w, false, q.statsCall(shard, "account", account))
}

// AllFigures returns the attempts of all accounts. shards is the number of shards. For what waits see [Queue.Gauges].
func (q *Queue) AllFigures(ctx context.Context, shards int, w Window) (Figures, error) {
	calls := make([]redisstore.Call, shards)
	for i := range calls {
		calls[i] = q.statsCall(i, "all", "")
	}
	return q.figures(ctx, w, true, calls...)
}

func (q *Queue) statsCall(shard int, kind, name string) redisstore.Call {
	return q.call(shard, statsScript, q.argv([]any{kind, name}))
}

// figures adds up the answers to calls. endedSteps says that in these, parts that are over still have their steps, as those of a shard do.
func (q *Queue) figures(ctx context.Context, w Window, endedSteps bool, calls ...redisstore.Call) (f Figures, err error) {
	var now int64 // unix milliseconds
	parts := map[int64]*attemptTally{}
	for _, cmd := range q.store.RunAll(ctx, calls) {
		r := newReply(cmd.Result())
		at, open, kept := r.number(), r.text(), r.text()
		waiting, late := int(r.number()), time.Duration(r.number())*time.Millisecond
		failing := int(r.number())
		if r.err != nil {
			return f, r.err
		}
		now = max(now, at)
		f.FilterErrors += failing
		f.Waiting += waiting
		f.OldestDue = max(f.OldestDue, late)
		if err := addTallies(parts, w, endedSteps, open, kept); err != nil {
			return f, err
		}
	}
	length := int64(w.Bucket / time.Minute)
	last := (now/60_000 - firstMinute) / length
	for number := last - int64(w.Buckets) + 1; number <= last; number++ {
		b := Bucket{At: time.Unix((number*length+firstMinute)*60, 0).UTC()}
		if p := parts[number]; p != nil {
			b.Succeeded, b.Failed, b.P50, b.P95 = p.succeeded, p.failed, p.quantile(0.5), p.quantile(0.95)
		}
		f.Buckets = append(f.Buckets, b)
	}
	return f, nil
}

// firstMinute is 2020-01-01 in minutes since 1970. figures.lua counts from there.
const firstMinute = 26_297_280

// Attempts are counted by the step that their duration falls into, see figures.lua.
const (
	steps        = 48
	stepsADouble = 3   // steps from one duration to twice as much
	firstStep    = '0' // character of the first step, below 1 ms; those of the others follow it
)

// durationStep is the character of an attempt's duration, as settle.lua reads it: "-" where there was no attempt, or it is not counted.
func (o *outcome) durationStep() string {
	if o.Took < 0 || o.Kind == Back || o.Reason == ReasonExpired {
		return "-"
	}
	ms := float64(o.Took) / float64(time.Millisecond)
	if ms < 1 {
		return string(rune(firstStep))
	}
	return string(rune(firstStep + min(1+int(stepsADouble*math.Log2(ms)), steps-1)))
}

// attemptTally counts the attempts of one part: a minute, half an hour or three hours. How long they took is in steps or, of a lane's or an
// account's part that is over, only in p50 and p95.
type attemptTally struct {
	number            int64 // of the part, from firstMinute
	succeeded, failed int64
	steps             [steps]int64
	p50, p95          time.Duration
}

func (p *attemptTally) add(other *attemptTally) {
	p.succeeded += other.succeeded
	p.failed += other.failed
	for i, n := range other.steps {
		p.steps[i] += n
	}
	p.p50, p.p95 = max(p.p50, other.p50), max(p.p95, other.p95)
}

// quantile is the duration that a share of the attempts did not exceed, where those of a step are evenly spread over it. Without steps, it is
// p50 or p95.
func (p *attemptTally) quantile(share float64) time.Duration {
	left, from := share*float64(p.succeeded+p.failed), 0.0
	for i, n := range p.steps {
		to := math.Exp2(float64(i) / stepsADouble)
		if n := float64(n); n > 0 && left <= n {
			return time.Duration(from+(to-from)*left/n+0.5) * time.Millisecond
		}
		left, from = left-float64(n), to
	}
	if share == 0.5 {
		return p.p50
	}
	return p.p95
}

var errFigures = errors.New("figures are not as they are written")

// packed reads what figures.lua packed.
type packed struct {
	text      string // the rest
	truncated bool   // it ended early, or holds what can't be; everything read since is empty
}

func (p *packed) bytes(n int) string {
	if len(p.text) < n {
		p.truncated = true
		p.text = ""
		return ""
	}
	text := p.text[:n]
	p.text = p.text[n:]
	return text
}

func (p *packed) number(bytes int) (n int64) {
	for _, b := range []byte(p.bytes(bytes)) {
		n = n<<8 | int64(b)
	}
	return n
}

// tally reads one part, with its steps or with p50 and p95.
func (p *packed) tally(withSteps bool) *attemptTally {
	out := &attemptTally{number: p.number(3), succeeded: p.number(4), failed: p.number(4)}
	if !withSteps {
		out.p50, out.p95 = time.Duration(p.number(2))*time.Millisecond, time.Duration(p.number(2))*time.Millisecond
		return out
	}
	for range p.number(1) {
		if step, n := p.number(1), p.number(4); step < steps {
			out.steps[step] = n
		} else {
			p.truncated = true
		}
	}
	return out
}

// addTallies adds the parts of a window to parts, by their number. open is the minute that is not over. kept holds the half hour and the three
// hours that are not over, and then a list for each of keptWindows.
func addTallies(parts map[int64]*attemptTally, w Window, endedSteps bool, open, kept string) error {
	add := func(p *attemptTally) {
		if parts[p.number] == nil {
			parts[p.number] = &attemptTally{number: p.number}
		}
		parts[p.number].add(p)
	}
	if open != "" {
		in := packed{text: open}
		p := in.tally(true)
		p.number /= int64(w.Bucket / time.Minute)
		add(p)
		if in.truncated {
			return errFigures
		}
	}
	if kept == "" {
		return nil
	}
	in := packed{text: kept}
	for i := 1; i < len(keptWindows); i++ {
		if p := in.tally(true); i == w.kept {
			add(p)
		}
	}
	for i := range keptWindows {
		list := packed{text: in.bytes(int(in.number(3)))}
		for i == w.kept && list.text != "" {
			add(list.tally(endedSteps))
		}
		in.truncated = in.truncated || list.truncated
	}
	if in.truncated {
		return errFigures
	}
	return nil
}
