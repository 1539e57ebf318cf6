package sample

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestQuietLinesAreAllWritten(t *testing.T) {
	t.Parallel()
	var l Lines
	now := time.Unix(1_700_000_000, 0)
	for i := range 5 * First {
		leftOut, ok := l.Allow(now.Add(time.Duration(i) * time.Second / First))
		require.True(t, ok)
		require.Zero(t, leftOut)
	}
}

func TestLinesOfAFloodAreLeftOut(t *testing.T) {
	t.Parallel()
	var l Lines
	now := time.Unix(1_700_000_000, 0)
	written, accounted := 0, int64(0)
	for range 10_000 {
		if leftOut, ok := l.Allow(now); ok {
			written++
			accounted += leftOut + 1
		}
	}
	require.Equal(t, First+(10_000-First)/Every, written)
	require.EqualValues(t, 10_000, accounted)

	_, ok := l.Allow(now.Add(time.Second))
	require.True(t, ok, "each second is counted by itself")
}

func TestEveryLineIsWrittenOrCounted(t *testing.T) {
	t.Parallel()
	var l Lines
	var accounted atomic.Int64
	var writers sync.WaitGroup
	now := time.Unix(1_700_000_000, 0)
	for range 4 {
		writers.Go(func() {
			for range 5_000 {
				if leftOut, ok := l.Allow(now); ok {
					accounted.Add(leftOut + 1)
				}
			}
		})
	}
	writers.Wait()
	leftOut := l.dropped.Load()
	require.EqualValues(t, 20_000, accounted.Load()+leftOut)
}
