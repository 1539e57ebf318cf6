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
	// filterBudget is how long the filters of one request may take together. After that they count as failed, and their events pass.
	filterBudget = 50 * time.Millisecond
	// filterMinSteps is how many steps the filters of a request may take in any case, however long they last: a process that did not
	// get the CPU for a while has not used up its budget. It is the cost of the most expensive evaluation.
	filterMinSteps = filter.MaxCost

	// How much a process remembers of filters. Beyond that it forgets everything, and reads it again.
	maxFilters  = 4096   // by their version
	maxDeciding = 50_000 // filters in all entries of filters.deciding
)

// filterVersion returns the version by which the store refers to the text of a filter.
func filterVersion(source string) string {
	if source == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(source))
	return hex.EncodeToString(sum[:10])
}

// filters is what this process has read of the filters of webhooks. It can't make a stale filter decide: with each push the store
// checks which filters decide, see [queue.Asked].
type filters struct {
	compiled filter.Cache

	mu        sync.RWMutex
	byVersion map[string]*filter.Filter // nil where it does not compile any more
	deciding  map[string]queue.Asked    // by account and type
	size      int                       // of deciding
}

func (f *filters) decidingFor(account, kind string) queue.Asked {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.deciding[account+" "+kind]
}

// missing returns those of the filters whose text has not been read.
func (f *filters) missing(all []queue.Filter) []queue.Filter {
	f.mu.RLock()
	defer f.mu.RUnlock()
	var missing []queue.Filter
	for _, wanted := range all {
		if _, read := f.byVersion[wanted.Version]; !read {
			missing = append(missing, wanted)
		}
	}
	return missing
}

func (f *filters) setDeciding(account, kind string, asked queue.Asked) {
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

func (f *filters) compile(source string) {
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

// loadFilters reads the filters that the store asked for in its answers to the events with the indexes in which.
func (s *Sender) loadFilters(ctx context.Context, shard int, answers []queue.Pushed, events []*queue.Event, which []int) error {
	loaded := map[string]bool{}
	for _, i := range which {
		e, asked := events[i], answers[i].Asked
		if loaded[e.Type] || answers[i].Outcome != queue.PushAsked {
			continue
		}
		loaded[e.Type] = true
		if err := s.readFilters(ctx, shard, s.filters.missing(asked.Filters)); err != nil {
			return err
		}
		s.filters.setDeciding(e.Account, e.Type, asked)
	}
	return nil
}

// readFilters reads and compiles the texts of filters. The store asks again for one that has changed since.
func (s *Sender) readFilters(ctx context.Context, shard int, missing []queue.Filter) error {
	if len(missing) == 0 {
		return nil
	}
	lanes := make([]string, len(missing))
	for i, filter := range missing {
		lanes[i] = filter.Lane
	}
	webhooks, err := s.registry.Webhooks(ctx, shard, lanes)
	if err != nil {
		return err
	}
	for _, w := range webhooks {
		if r, err := readRecord(w); err == nil && r.public.Filter != "" { // else it is gone
			s.filters.compile(r.public.Filter)
		}
	}
	return nil
}

// evaluate returns the verdict of one filter. An event on which it fails passes.
type filterRun struct {
	cache   *filters
	now     func() time.Time
	elapsed time.Duration
	steps   int
}

func (s *Sender) newFilterRun() *filterRun { return &filterRun{cache: &s.filters, now: time.Now} }

// verdicts returns the verdicts of the filters that decide on an event, as the store takes them. It returns "" where this process
// has not read all of them: then the store asks for them.
func (f *filterRun) verdicts(q *queue.Event) string {
	if q.Lane != "" || q.Verdicts == queue.VerdictsTaken {
		return q.Verdicts
	}
	asked := f.cache.decidingFor(q.Account, q.Type)
	if len(asked.Filters) == 0 {
		return ""
	}
	began := f.now()
	used := f.elapsed
	p, _ := decodePayload(q.Payload, q.Job)
	e := &filter.Event{Type: q.Type, ID: q.ID, Timestamp: time.Unix(q.Timestamp, 0), Data: []byte(p.data)}
	verdicts := make(map[string]byte, len(asked.Filters))
	text := make([]byte, 0, len(asked.Signature)+len(asked.Filters))
	text = append(text, asked.Signature...)
	f.cache.mu.RLock()
	compiled := make([]*filter.Filter, len(asked.Filters))
	for i, deciding := range asked.Filters {
		var read bool
		if compiled[i], read = f.cache.byVersion[deciding.Version]; !read {
			f.cache.mu.RUnlock()
			return ""
		}
	}
	f.cache.mu.RUnlock()
	for i, deciding := range asked.Filters {
		verdict, evaluated := verdicts[deciding.Version]
		if !evaluated {
			verdict = f.evaluate(compiled[i], e)
			f.elapsed = used + f.now().Sub(began)
			verdicts[deciding.Version] = verdict
		}
		text = append(text, verdict)
	}
	return string(text)
}

// ask is the verdict of one filter. One that can't be told lets the event through.
func (f *filterRun) evaluate(compiled *filter.Filter, e *filter.Event) byte {
	if compiled == nil || f.steps >= filterMinSteps && f.elapsed >= filterBudget {
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

// checkFilter refuses a text that is not a valid expression; the error names the place.
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
		return nil, &Error{Code: CodeInvalidField, Field: "filter", Message: "filter is a CEL expression, such as data.size > 1000000: " + truncate(err.Error(), maxError), Err: err}
	}
	return compiled, nil
}

// TestFilter reports whether an event would pass a filter. problem is why the filter fails on the event, "" where it does not:
// then the event would pass.
func (s *Sender) TestFilter(source string, e Event) (matches bool, problem string, err error) {
	if source == "" {
		return false, "", invalid("filter", "filter is a CEL expression, such as data.size > 1000000")
	}
	compiled, err := s.compileFilter(source)
	if err != nil {
		return false, "", err
	}
	if s.cachedCatalogue().entries[e.Type] == nil {
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
		return true, truncate(failed.Error(), maxError), nil
	}
	return matches, "", nil
}
