package queue

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLesson73_SlotsFollowTheProcessor: the number grows while all are taken and the processor has time, and shrinks when
// goroutines wait for it; it stays within its bounds, and a fixed one stays as it is.
func TestLesson73_SlotsFollowTheProcessor(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		from, most int
		full       bool
		wait       time.Duration
		looks      int
		want       int
	}{
		"grows":                        {256, 8192, true, 0, 1, 320},
		"grows up to its bound":        {256, 8192, true, idleWait - 1, 30, 8192},
		"up to a lower bound":          {256, 300, true, 0, 30, 300},
		"not while slots are free":     {256, 8192, false, 0, 30, 256},
		"not while goroutines wait":    {1000, 8192, true, idleWait, 30, 1000},
		"shrinks":                      {1000, 8192, true, busyWait + 1, 1, 875},
		"shrinks with free slots":      {1000, 8192, false, time.Second, 1, 875},
		"shrinks down to its bound":    {8192, 8192, true, time.Second, 100, LeastSlots},
		"fixed, with time":             {16, 0, true, 0, 30, 16},
		"fixed, with a busy processor": {10_000, 0, true, time.Second, 30, 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := slots{current: c.from, ceiling: c.most, wait: func() time.Duration { return c.wait }}
			for i := range c.looks {
				s.full = c.full
				s.resize(now.Add(time.Duration(i) * resizeInterval))
			}
			require.Equal(t, c.want, s.current)
		})
	}
	s := slots{current: 256, ceiling: 8192, full: true, wait: func() time.Duration { return 0 }}
	s.resize(now)
	s.full = true
	s.resize(now.Add(resizeInterval - 1))
	require.Equal(t, 320, s.current, "not looked at more often")
}

func TestSlotCeiling(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		memory, files uint64
		want          int
	}{
		"not known": {0, 0, MostSlots}, "much": {1 << 40, 1 << 20, MostSlots}, "little memory": {512 << 20, 1 << 20, 1365},
		"few files": {1 << 40, 4096, 1024}, "next to nothing": {1 << 20, 64, LeastSlots},
	} {
		require.Equal(t, c.want, slotCeiling(c.memory, c.files), name)
	}
	require.GreaterOrEqual(t, SlotCeiling(), LeastSlots)
}

// Where goroutines wait is told, in the mean.
func TestProcessorWaits(t *testing.T) {
	t.Parallel()
	waits := processorWaits()
	waits()
	done := make(chan struct{})
	for range 2_000 {
		go func() { done <- struct{}{} }()
	}
	for range 2_000 {
		<-done
	}
	require.Positive(t, waits())
}

// A claim takes less of each lane where many lanes have work.
func TestDepth(t *testing.T) {
	t.Parallel()
	for lanes, want := range map[int]int{0: 16, 32: 16, 48: 16, 96: 8, 400: 2, 10_000: 2} {
		d := &Dispatcher{o: Options{PerLane: 16}, lanes: map[string]*laneLoad{}}
		for i := range lanes {
			d.lanes[string(rune(i+'0'))] = nil
		}
		require.Equal(t, want, d.laneDepth(), lanes)
	}
	require.Equal(t, 1, (&Dispatcher{o: Options{PerLane: 1}}).laneDepth())
}
