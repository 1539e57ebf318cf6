package queue

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// LeastSlots and MostSlots bound how many attempts a process has in flight, where it finds out by itself how many pay.
const (
	LeastSlots = 256
	MostSlots  = 8192
	// slotMemory is what an attempt in flight holds: its payload, two goroutines of a connection, TLS.
	slotMemory = 96 << 10
	// slotFiles is how many files an attempt in flight needs: its connection, and one that is kept beside it.
	slotFiles = 2
	// resizeInterval is how often the number is looked at.
	resizeInterval = 100 * time.Millisecond
	// idleWait and busyWait are for how long goroutines that could run wait for a processor, in the mean: below the
	// first there is time for more attempts, above the second there are too many.
	idleWait = 300 * time.Microsecond
	busyWait = 3 * time.Millisecond
)

// slots is how many attempts may be in flight. With endpoints that are far away a processor has time for thousands;
// with such as answer at once more than a few hundred only make each other wait. How long attempts take says nothing
// of which it is, as hosts differ; for how long goroutines wait for a processor does.
type slots struct {
	current, ceiling int // most 0: fixed
	full             bool
	resized          time.Time
	wait             func() time.Duration // the mean since it was asked last
}

func newSlots(fixed int) slots {
	if fixed > 0 {
		return slots{current: fixed}
	}
	return slots{current: LeastSlots, ceiling: SlotCeiling(), wait: processorWaits()}
}

// resize changes the number, by what happened since it last did.
func (s *slots) resize(now time.Time) {
	if s.ceiling == 0 || now.Sub(s.resized) < resizeInterval {
		return
	}
	s.resized = now
	switch wait := s.wait(); {
	case wait > busyWait:
		s.current = max(s.current-s.current/8, LeastSlots)
	case wait < idleWait && s.full:
		s.current = min(s.current+s.current/4, s.ceiling)
	}
	s.full = false
}

// SlotCeiling is how many attempts a process has in flight at most, where their number is not given.
func SlotCeiling() int { return slotCeiling(memoryLimit(), fileLimit()) }

// slotCeiling is how many slots memory and files allow: a quarter and a half of them are for attempts. 0 is no limit.
func slotCeiling(memory, files uint64) int {
	most := uint64(MostSlots)
	if memory > 0 {
		most = min(most, memory/4/slotMemory)
	}
	if files > 0 {
		most = min(most, files/2/slotFiles)
	}
	return int(max(most, LeastSlots))
}

// memoryLimit is how much memory this process may use, as far as it is known.
func memoryLimit() uint64 {
	limit := machineMemory()
	if n := debug.SetMemoryLimit(-1); n > 0 && n < math.MaxInt64 && (limit == 0 || uint64(n) < limit) {
		limit = uint64(n)
	}
	return limit
}

// processorWaits returns a function that tells for how long goroutines waited for a processor since its last call.
func processorWaits() func() time.Duration {
	sample := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	var before []uint64
	return func() time.Duration {
		metrics.Read(sample)
		if sample[0].Value.Kind() != metrics.KindFloat64Histogram {
			return 0
		}
		h := sample[0].Value.Float64Histogram()
		var sum float64
		var count uint64
		for i, n := range h.Counts {
			if before != nil {
				n -= before[i]
			}
			low, high := h.Buckets[i], h.Buckets[i+1]
			if n == 0 || math.IsInf(low, 0) {
				continue
			}
			if math.IsInf(high, 0) {
				high = low
			}
			count += n
			sum += float64(n) * (low + high) / 2
		}
		before = append(before[:0], h.Counts...)
		if count == 0 {
			return 0
		}
		return time.Duration(sum / float64(count) * float64(time.Second))
	}
}
