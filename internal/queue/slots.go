package queue

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// LeastSlots and MostSlots bound how many attempts a process has in flight when [Options].Concurrency is 0.
const (
	LeastSlots = 256
	MostSlots  = 8192
	// slotMemory is how many bytes an attempt in flight uses: its payload, the two goroutines of a connection, TLS.
	slotMemory = 96 << 10
	// slotFiles is how many open files an attempt in flight uses: its connection, and an idle one that is kept for later.
	slotFiles = 2
	// resizeInterval is the shortest time between two changes of the number of slots.
	resizeInterval = 100 * time.Millisecond
	// idleWait and busyWait are mean times that runnable goroutines wait for a processor: below idleWait there is room for more
	// attempts, above busyWait there are too many.
	idleWait = 300 * time.Microsecond
	busyWait = 3 * time.Millisecond
)

// slots is how many attempts may be in flight. With distant endpoints a processor has time for thousands; with
// endpoints that answer at once, more than a few hundred only make each other wait. How long attempts take can't tell the two apart,
// as hosts differ; how long goroutines wait for a processor can.
type slots struct {
	current int
	ceiling int  // 0: current never changes
	full    bool // a claim since the latest resize got all the jobs that it asked for
	resized time.Time
	wait    func() time.Duration // mean wait for a processor since its last call
}

func newSlots(fixed int) slots {
	if fixed > 0 {
		return slots{current: fixed}
	}
	return slots{current: LeastSlots, ceiling: SlotCeiling(), wait: processorWaits()}
}

// resize raises the number by a quarter while processors are idle and all slots are in use, and lowers it by an eighth while goroutines
// wait too long for a processor.
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

// SlotCeiling returns how many attempts this process may ever have in flight when [Options].Concurrency is 0: as many as its
// memory and its limit of open files allow, between [LeastSlots] and [MostSlots].
func SlotCeiling() int { return slotCeiling(memoryLimit(), fileLimit()) }

// slotCeiling is how many slots fit into a quarter of memory, in bytes, and half of the open files. 0 stands for no limit of either.
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

// memoryLimit is how many bytes of memory this process may use: the machine's, its control group's or Go's limit. 0: unknown.
func memoryLimit() uint64 {
	limit := machineMemory()
	if n := debug.SetMemoryLimit(-1); n > 0 && n < math.MaxInt64 && (limit == 0 || uint64(n) < limit) {
		limit = uint64(n)
	}
	return limit
}

// processorWaits returns a function that returns how long goroutines waited for a processor since its last call, in the mean.
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
