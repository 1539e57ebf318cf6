package queue

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

var statsScript = Script(source("stats"))

// Window is a stretch of time up to now, in buckets of equal length.
type Window struct {
	Bucket  time.Duration
	Buckets int

	kept int // its place among what is kept
}

// The windows that attempts are counted for.
var (
	LastHour    = Window{Bucket: time.Minute, Buckets: 60, kept: 0}
	LastDay     = Window{Bucket: 30 * time.Minute, Buckets: 48, kept: 1}
	LastWeek    = Window{Bucket: 3 * time.Hour, Buckets: 56, kept: 2}
	keptWindows = [...]Window{LastHour, LastDay, LastWeek}
)

// Bucket is what was attempted in a part of a window.
type Bucket struct {
	At                time.Time
	Succeeded, Failed int64
	P50, P95          time.Duration // within which half and 95 in 100 of the attempts ended; zero where there were none
}

// Figures are what was attempted in a window, oldest bucket first, and what waits.
type Figures struct {
	Buckets []Bucket
	Waiting int
	// OldestDue is for how long the oldest job has been due that only its lane's own limits keep from being attempted: neither a pause nor
	// what its endpoint asked for.
	OldestDue time.Duration
	// FilterErrors is on how many events the filter of a lane failed, since it was set; of a lane only.
	FilterErrors int
}

// LaneFigures are those of one lane.
func (q *Queue) LaneFigures(ctx context.Context, shard int, lane string, w Window) (Figures, error) {
	return q.figures(ctx, w, false, q.statsCall(shard, "lane", lane))
}

// AccountFigures are those of all lanes of an account, deleted ones included.
func (q *Queue) AccountFigures(ctx context.Context, shard int, account string, w Window) (Figures, error) {
	return q.figures(ctx, w, false, q.statsCall(shard, "account", account))
}

// AllFigures sums up so many shards. What waits is in [Queue.Gauges].
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

// figures adds up what the calls answer. whole says that what is over still has its steps.
func (q *Queue) figures(ctx context.Context, w Window, whole bool, calls ...redisstore.Call) (f Figures, err error) {
	var now int64
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
		if err := addTallies(parts, w, whole, open, kept); err != nil {
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

// firstMinute is 2020-01-01, from which figures.lua counts.
const firstMinute = 26_297_280

// steps of how long attempts took, as figures.lua describes them.
const (
	steps        = 48
	stepsADouble = 3
	firstStep    = '0'
)

// durationStep is how long an attempt took, as settle.lua reads it.
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

// attemptTally is what was attempted in some stretch of time. Once that is over, only two figures are left of how long the attempts took.
type attemptTally struct {
	number            int64
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

// quantile is the time within which a share of the attempts ended, evenly spread within a step.
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
	text      string
	truncated bool
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

func (p *packed) tally(whole bool) *attemptTally {
	out := &attemptTally{number: p.number(3), succeeded: p.number(4), failed: p.number(4)}
	if !whole {
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

// addTallies adds to parts what a window has, by its number: of what is open, and of what is kept.
func addTallies(parts map[int64]*attemptTally, w Window, whole bool, open, kept string) error {
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
			add(list.tally(whole))
		}
		in.truncated = in.truncated || list.truncated
	}
	if in.truncated {
		return errFigures
	}
	return nil
}
