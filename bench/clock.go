package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// spent is what a process used for what it did.
type spent struct {
	Seconds  float64 `json:"seconds"`
	CPUMS    float64 `json:"cpu_ms"`
	Commands int64   `json:"commands"`
	Memory   uint64  `json:"memory"`

	Resident   uint64 `json:"resident"`
	Goroutines int    `json:"goroutines"`
	InFlight   int    `json:"in_flight"`

	KiB float64 `json:"kib"` // for each attempt in flight, where it was weighed
}

// clock runs from the moment from which a process counts what it uses.
type clock struct {
	began time.Time
	used  time.Duration // of CPU before
}

func startClock() clock { return clock{time.Now(), cpu()} }

func (c clock) spent() spent {
	return spent{
		Seconds: time.Since(c.began).Seconds(), CPUMS: float64((cpu() - c.used).Microseconds()) / 1000,
		Memory: memory(), Resident: resident(), Goroutines: runtime.NumGoroutine(),
	}
}

// parallel calls do with 0 to n-1 from c goroutines, until one call fails.
func parallel(n, c int, do func(i int) error) error {
	var next atomic.Int64
	var workers sync.WaitGroup
	var failed errorOnce
	for range c {
		workers.Go(func() {
			for failed.get() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				failed.set(do(i))
			}
		})
	}
	workers.Wait()
	return failed.get()
}

// errorOnce keeps the first error.
type errorOnce struct{ first atomic.Pointer[error] }

func (e *errorOnce) set(err error) {
	if err != nil {
		e.first.CompareAndSwap(nil, &err)
	}
}

func (e *errorOnce) get() error {
	if err := e.first.Load(); err != nil {
		return *err
	}
	return nil
}
