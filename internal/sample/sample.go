// Package sample leaves out log lines when there are very many, before they cost anything: a quiet system writes every
// line, and a busy one enough of them to see what goes on. Metrics count everything in any case.
//
//	var failures sample.Lines
//	...
//	if leftOut, ok := failures.Allow(time.Now()); ok {
//		log.Warn("delivery.attempted", "left_out", leftOut)
//	}
package sample

import (
	"sync/atomic"
	"time"
)

const (
	// First is how many lines of each second are written in any case.
	First = 100
	// Every is how many of the further lines of that second one written line stands for.
	Every = 100
)

// Lines decides which log lines of one kind are written. The zero value is ready; it is safe for concurrent use.
type Lines struct {
	second  atomic.Int64 // the Unix second of count
	count   atomic.Int64 // lines in that second
	dropped atomic.Int64 // lines left out since the last one written
}

// Allow reports whether a line is to be written now and, if so, how many were left out since the last one.
func (l *Lines) Allow(now time.Time) (leftOut int64, ok bool) {
	if second, last := now.Unix(), l.second.Load(); last != second && l.second.CompareAndSwap(last, second) {
		l.count.Store(0)
	}
	if n := l.count.Add(1); n > First && n%Every != 0 {
		l.dropped.Add(1)
		return 0, false
	}
	return l.dropped.Swap(0), true
}
