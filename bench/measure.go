package main

import (
	"context"
	"iter"
	"math"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const mib = 1 << 20

// usage is what a process used since its clock started.
type usage struct {
	Seconds    float64 `json:"seconds"`
	CPUMS      float64 `json:"cpu_ms"`
	Commands   int64   `json:"commands"` // sent to Redis
	Resident   uint64  `json:"resident"` // bytes
	Goroutines int     `json:"goroutines"`
	InFlight   int     `json:"in_flight"`
	KiB        float64 `json:"kib"` // for each attempt in flight, where the question was "weigh"
}

// perSecond is how many of n things were done in a second.
func (u usage) perSecond(n int) float64 { return float64(n) / u.Seconds }

// cpuUS is the CPU time of each of n things, in microseconds.
func (u usage) cpuUS(n int) float64 { return u.CPUMS * 1000 / float64(n) }

// clock runs from the moment from which a process counts what it uses.
type clock struct {
	began   time.Time
	cpuTime time.Duration // used before
}

func startClock() clock { return clock{time.Now(), cpuTime()} }

func (c clock) usage() usage {
	return usage{
		Seconds: time.Since(c.began).Seconds(), CPUMS: milliseconds(cpuTime() - c.cpuTime), Resident: residentBytes(), Goroutines: runtime.NumGoroutine(),
	}
}

// usageInFlight is the usage of a process that makes attempts, as it answers a question with it. Only "weigh" looks at what each
// attempt in flight holds, beside the bytes that were live without any, as that collects garbage.
func (c clock) usageInFlight(question string, inFlight int, liveBefore uint64) usage {
	u := c.usage()
	u.InFlight = inFlight
	if question == "weigh" {
		u.KiB = float64(int64(liveBytes())-int64(liveBefore)) / 1024 / float64(max(inFlight, 1))
	}
	return u
}

func memStats() (m runtime.MemStats) {
	runtime.ReadMemStats(&m)
	return m
}

// residentBytes is the memory of this process that the operating system sees, or what the runtime holds of it where that can't
// be asked.
func residentBytes() uint64 {
	text, err := os.ReadFile("/proc/self/statm")
	if fields := strings.Fields(string(text)); err == nil && len(fields) > 1 {
		if pages, err := strconv.ParseUint(fields[1], 10, 64); err == nil {
			return pages * uint64(os.Getpagesize())
		}
	}
	m := memStats()
	return m.Sys - m.HeapReleased
}

// liveBytes is the memory that this process still uses after its garbage was collected.
func liveBytes() uint64 {
	runtime.GC()
	m := memStats()
	return m.HeapAlloc + m.StackInuse
}

func microseconds(d time.Duration) float64 { return float64(d.Microseconds()) }

func milliseconds(d time.Duration) float64 { return microseconds(d) / 1000 }

// percentile is the smallest value that p percent of the values do not exceed.
func percentile(values []float64, p float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[max(0, int(math.Ceil(p/100*float64(len(values))))-1)]
}

// parallel calls do with 0 to n-1 from c goroutines, whose numbers it passes too, until one call fails.
func parallel(n, c int, do func(goroutine, i int) error) error {
	var next atomic.Int64
	var workers sync.WaitGroup
	var failed firstError
	for goroutine := range c {
		workers.Go(func() {
			for failed.get() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				failed.set(do(goroutine, i))
			}
		})
	}
	workers.Wait()
	return failed.get()
}

// atRate calls do with 0 to n-1, so many a second, each call by a goroutine of its own, so that a slow one holds up no other.
func atRate(ctx context.Context, n, rate int, do func(i int)) error {
	var calls sync.WaitGroup
	defer calls.Wait()
	began := time.Now()
	for i := range n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate)))):
		}
		calls.Go(func() { do(i) })
	}
	return nil
}

// ticks yields 0, 1, 2 and so on, one at each tick, until the context ends.
func ticks(ctx context.Context, every time.Duration) iter.Seq[int] {
	return func(yield func(int) bool) {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if !yield(n) {
				return
			}
		}
	}
}

// waitUntil calls done, with a pause after each call, until it reports true or fails. When the time is over it returns nil: what
// is missing then shows in the figures.
func waitUntil(ctx context.Context, atMost, pause time.Duration, done func() (bool, error)) error {
	for deadline := time.Now().Add(atMost); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(pause) {
		if ok, err := done(); ok || err != nil {
			return err
		}
	}
	return ctx.Err()
}

// firstError keeps the first error that it is given.
type firstError struct{ first atomic.Pointer[error] }

func (e *firstError) set(err error) {
	if err != nil {
		e.first.CompareAndSwap(nil, &err)
	}
}

func (e *firstError) get() error {
	if err := e.first.Load(); err != nil {
		return *err
	}
	return nil
}

// serveHTTP serves on a free port of loopback until stop is called, which also ends the requests that are under way.
func serveHTTP(handler http.Handler) (addr string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(l) }()
	return l.Addr().String(), func() { _ = server.Close() }, nil
}
