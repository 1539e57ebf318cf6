package main

import (
	"net/http"
	"sync"
	"time"
)

// fault is one thing that was done to the system.
type fault struct {
	cause    string
	from, to time.Time
}

// faults are what was done so far.
type faults struct {
	mu  sync.Mutex
	all []fault
}

// during runs a fault and remembers it.
func (f *faults) during(cause string, do func()) {
	from := time.Now()
	do()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, fault{cause, from, time.Now()})
}

func (f *faults) count(cause string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range f.all {
		if one.cause == cause {
			n++
		}
	}
	return n
}

// near names the fault that was nearest to a time, of several the shortest: what most likely kept an answer of then from
// being recorded.
func (f *faults) near(t time.Time) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	best, length, cause := 5*time.Second, time.Hour, "unexplained"
	for _, one := range f.all {
		away, lasted := max(one.from.Sub(t), t.Sub(one.to), 0), one.to.Sub(one.from)
		if away < best || away == best && lasted < length {
			best, length, cause = away, lasted, one.cause
		}
	}
	return cause
}

// arrivals counts answers of 2xx by webhook and event.
type arrivals struct {
	mu     sync.Mutex
	first  map[string]time.Time
	copies []arrival // one for each copy too many
}

func newArrivals() *arrivals { return &arrivals{first: map[string]time.Time{}} }

// arrival is a copy too many, with its cause where that is known.
type arrival struct{ key, cause string }

func (a *arrivals) add(key string, now time.Time, cause string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, again := a.first[key]; again {
		a.copies = append(a.copies, arrival{key, cause})
		return
	}
	a.first[key] = now
}

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.first)
}

// byCause sorts the copies by the fault that was nearest to the first delivery.
func (a *arrivals) byCause(f *faults) map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	causes := map[string]int{}
	for _, copied := range a.copies {
		cause := copied.cause
		if cause == "" {
			cause = f.near(a.first[copied.key])
		}
		causes[cause]++
	}
	return causes
}

func arrivalKey(r *http.Request) string { return r.URL.Path + " " + r.Header.Get("webhook-id") }

// statusWriter sees the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
