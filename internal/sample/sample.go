// Package sample thins out log lines under a flood, before they cost anything: each line of a quiet system is
// written, and of a busy one enough to see what goes on. Metrics count everything all the same.
//
//	var failures sample.Lines
//	...
//	if leftOut, ok := failures.Take(time.Now()); ok {
//		log.Warn("delivery.attempted", "left_out", leftOut)
//	}
package sample

import (
	"sync/atomic"
	"time"
)

const (
	// First is how many lines of each second are all written.
	First = 100
	// Every is how many lines one stands for from then on.
	Every = 100
)

// Lines decides about the lines of one kind. The zero value is ready; it is safe for concurrent use.
type Lines struct {
	second  atomic.Int64 // that count belongs to
	count   atomic.Int64 // of lines in it
	dropped atomic.Int64 // since the last line that was written
}

// Take reports whether a line is to be written now, and how many were left out since the last one.
func (l *Lines) Take(now time.Time) (leftOut int64, ok bool) {
	if second, was := now.Unix(), l.second.Load(); was != second && l.second.CompareAndSwap(was, second) {
		l.count.Store(0)
	}
	if n := l.count.Add(1); n > First && n%Every != 0 {
		l.dropped.Add(1)
		return 0, false
	}
	return l.dropped.Swap(0), true
}
