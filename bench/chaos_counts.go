package main

import (
	"cmp"
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
	mu   sync.Mutex
	list []fault
}

// record notes a fault, which lasts as long as do.
func (f *faults) record(cause string, do func()) {
	from := time.Now()
	do()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, fault{cause, from, time.Now()})
}

func (f *faults) count(cause string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.list {
		if fault.cause == cause {
			n++
		}
	}
	return n
}

// nearestCause is the cause of the fault that was nearest to a time, at most 5 seconds away, and of several the shortest: what
// most likely kept an answer of then from being recorded.
func (f *faults) nearestCause(t time.Time) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	nearest, shortest, cause := 5*time.Second, time.Hour, "unexplained"
	for _, fault := range f.list {
		away, lasted := max(fault.from.Sub(t), t.Sub(fault.to), 0), fault.to.Sub(fault.from)
		if away < nearest || away == nearest && lasted < shortest {
			nearest, shortest, cause = away, lasted, fault.cause
		}
	}
	return cause
}

// arrivals counts answers of 2xx by webhook and event.
type arrivals struct {
	mu     sync.Mutex
	first  map[string]time.Time
	copies []arrivalCopy // every arrival of an event but its first
}

// arrivalCopy is a duplicate. Its cause is "" where it is to be found by the time of the first arrival.
type arrivalCopy struct{ key, cause string }

func newArrivals() *arrivals { return &arrivals{first: map[string]time.Time{}} }

func (a *arrivals) add(key, cause string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, exists := a.first[key]; exists {
		a.copies = append(a.copies, arrivalCopy{key, cause})
		return
	}
	a.first[key] = time.Now()
}

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.first)
}

// byCause counts the copies by their cause.
func (a *arrivals) byCause(f *faults) map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	causes := map[string]int{}
	for _, c := range a.copies {
		causes[cmp.Or(c.cause, f.nearestCause(a.first[c.key]))]++
	}
	return causes
}

// arrivalKey names the delivery of a request by webhook and event.
func arrivalKey(r *http.Request) string { return r.URL.Path + " " + r.Header.Get("webhook-id") }

// statusWriter keeps the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
