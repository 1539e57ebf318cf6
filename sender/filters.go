package sender

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"time"

	"github.com/videocloud/webhooks/internal/filter"
	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/signature"
)

const (
	// filterBudget is how long the filters of one request may take. After that events pass, and are counted as those on which a
	// filter failed.
	filterBudget = 50 * time.Millisecond
	// filterLeast is how many steps a request may always take: a process that was put aside in the middle of a few evaluations has
	// not used up anything. They take about as long as the dearest evaluation.
	filterLeast = filter.MaxCost

	// What a process remembers of filters at most: it is forgotten as a whole, and found out again.
	maxFilters  = 4096   // by their version
	maxDeciding = 50_000 // over all types of events in all accounts
)

// filterVersion names a filter's text in the store.
func filterVersion(source string) string {
	if source == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(source))
	return hex.EncodeToString(sum[:10])
}

// filters are what this process knows of the filters of webhooks. It is no cache of settings: the store has the last word on which
// filters decide, see [queue.Asked].
type filters struct {
	compiled filter.Cache

	mu        sync.RWMutex
	byVersion map[string]*filter.Filter // nil: it does not compile any more
	deciding  map[string]queue.Asked    // by account and type
	size      int                       // of deciding
}

func (f *filters) of(account, kind string) queue.Asked {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.deciding[account+" "+kind]
}

// unknown are those of the filters whose text has not been read.
func (f *filters) unknown(all []queue.Filter) []queue.Filter {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var unknown []queue.Filter
	for _, one := range all {
		if _, known := f.byVersion[one.Version]; !known {
			unknown = append(unknown, one)
		}
	}
	return unknown
}

func (f *filters) decide(account, kind string, asked queue.Asked) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := account + " " + kind
	f.size -= len(f.deciding[key].Filters)
	delete(f.deciding, key)
	if len(asked.Filters) == 0 {
		return
	}
	if f.deciding == nil || f.size+len(asked.Filters) > maxDeciding {
		f.deciding, f.size = map[string]queue.Asked{}, 0
	}
	f.deciding[key] = asked
	f.size += len(asked.Filters)
}

func (f *filters) read(source string) {
	compiled, err := f.compiled.Get(source)
	if err != nil {
		compiled = nil // of a version with other rules: it fails on every event
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byVersion == nil || len(f.byVersion) >= maxFilters {
		f.byVersion = map[string]*filter.Filter{}
	}
	f.byVersion[filterVersion(source)] = compiled
}

// learn finds out what the store asked for of some of the events: the texts of filters that this process has not met.
func (s *Sender) learn(ctx context.Context, shard int, answers []queue.Pushed, events []*queue.Event, which []int) error {
	learnt := map[string]bool{}
	for _, i := range which {
		e, asked := events[i], answers[i].Asked
		if learnt[e.Type] || answers[i].Outcome != queue.PushAsked {
			continue
		}
		learnt[e.Type] = true
		if err := s.readFilters(ctx, shard, s.filters.unknown(asked.Filters)); err != nil {
			return err
		}
		s.filters.decide(e.Account, e.Type, asked)
	}
	return nil
}

// readFilters reads the texts of filters. One that is another by now is asked for again.
func (s *Sender) readFilters(ctx context.Context, shard int, unknown []queue.Filter) error {
	if len(unknown) == 0 {
		return nil
	}
	lanes := make([]string, len(unknown))
	for i, one := range unknown {
		lanes[i] = one.Lane
	}
	webhooks, err := s.registry.Webhooks(ctx, shard, lanes)
	if err != nil {
		return err
	}
	for _, w := range webhooks {
		if r, err := readRecord(w); err == nil && r.public.Filter != "" { // else it is gone
			s.filters.read(r.public.Filter)
		}
	}
	return nil
}

// filtering is the work on filters of one request, which has a budget.
type filtering struct {
	known *filters
	now   func() time.Time
	took  time.Duration
	steps int
}

func (s *Sender) newFiltering() *filtering { return &filtering{known: &s.filters, now: time.Now} }

// verdicts are those of the filters that decide on an event as far as this process knows. It returns none where it knows of none,
// or not all of them: then the store asks.
func (f *filtering) verdicts(q *queue.Event) string {
	if q.Lane != "" || q.Verdicts == queue.VerdictsTaken {
		return q.Verdicts
	}
	asked := f.known.of(q.Account, q.Type)
	if len(asked.Filters) == 0 {
		return ""
	}
	began := f.now()
	used := f.took
	p, _ := decodePayload(q.Payload, q.Job)
	e := &filter.Event{Type: q.Type, ID: q.ID, Timestamp: time.Unix(q.Timestamp, 0), Data: []byte(p.data)}
	said := make(map[string]byte, len(asked.Filters))
	text := make([]byte, 0, len(asked.Signature)+len(asked.Filters))
	text = append(text, asked.Signature...)
	f.known.mu.RLock()
	compiled := make([]*filter.Filter, len(asked.Filters))
	for i, one := range asked.Filters {
		var known bool
		if compiled[i], known = f.known.byVersion[one.Version]; !known {
			f.known.mu.RUnlock()
			return ""
		}
	}
	f.known.mu.RUnlock()
	for i, one := range asked.Filters {
		verdict, known := said[one.Version]
		if !known {
			verdict = f.ask(compiled[i], e)
			f.took = used + f.now().Sub(began)
			said[one.Version] = verdict
		}
		text = append(text, verdict)
	}
	return string(text)
}

// ask is the verdict of one filter. One that can't be told lets the event through.
func (f *filtering) ask(compiled *filter.Filter, e *filter.Event) byte {
	if compiled == nil || f.steps >= filterLeast && f.took >= filterBudget {
		return queue.VerdictFail
	}
	before := e.Steps()
	matches, err := compiled.Match(e)
	f.steps += e.Steps() - before
	switch {
	case err != nil:
		return queue.VerdictFail
	case matches:
		return queue.VerdictTake
	}
	return queue.VerdictDrop
}

// checkFilter refuses an expression that is none, with the place.
func (s *Sender) checkFilter(source string) error {
	if source == "" {
		return nil
	}
	_, err := s.compileFilter(source)
	return err
}

func (s *Sender) compileFilter(source string) (*filter.Filter, error) {
	compiled, err := s.filters.compiled.Get(source)
	if err != nil {
		return nil, &Error{Code: CodeInvalidField, Field: "filter", Message: "filter is a CEL expression, such as data.size > 1000000: " + clip(err.Error(), maxError), Err: err}
	}
	return compiled, nil
}

// TestFilter says whether an event would pass a filter. problem is why that can't be told: then it would.
func (s *Sender) TestFilter(source string, e Event) (matches bool, problem string, err error) {
	if source == "" {
		return false, "", invalid("filter", "filter is a CEL expression, such as data.size > 1000000")
	}
	compiled, err := s.compileFilter(source)
	if err != nil {
		return false, "", err
	}
	if s.lastCatalogue().entries[e.Type] == nil {
		return false, "", unknownType(e.Type)
	}
	if err := CheckEvent(e); err != nil {
		return false, "", err
	}
	if e.ID == "" {
		e.ID = signature.EventID(newUUID())
	}
	if e.Timestamp.IsZero() {
		e.Timestamp = time.Now()
	}
	matches, failed := compiled.Match(&filter.Event{Type: e.Type, ID: e.ID, Timestamp: e.Timestamp.Truncate(time.Second), Data: e.Data})
	if failed != nil {
		return true, clip(failed.Error(), maxError), nil
	}
	return matches, "", nil
}
