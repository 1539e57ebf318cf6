package receiver

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tests := map[string]MemoryOptions{
		"in entries": {MaxEntries: 100},
		"in bytes":   {MaxBytes: 100 * entryCost},
	}
	for name, o := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := NewMemory(o)
			working := requireClaim(t, Claimed, m, event("working", "working"))
			for i := range 1000 {
				c := requireClaim(t, Claimed, m, event(fmt.Sprint(i), fmt.Sprint("body ", i)))
				require.NoError(t, m.Done(ctx, c))
				require.LessOrEqual(t, m.Len(), 102)
			}
			requireClaim(t, Duplicate, m, event("999", "x"))
			requireClaim(t, Duplicate, m, event("960", "x"))
			requireClaim(t, Claimed, m, event("0", "new"))
			// However old, an event in work is never forgotten.
			requireClaim(t, InFlight, m, event("working", "working"))
			require.NoError(t, m.Done(ctx, working))
		})
	}
}

func TestMemoryMayHoldMoreThanItsBoundInWork(t *testing.T) {
	t.Parallel()
	m := NewMemory(MemoryOptions{MaxEntries: 10})
	var claims []*Claim
	for i := range 100 {
		claims = append(claims, requireClaim(t, Claimed, m, event(fmt.Sprint(i), "")))
	}
	for i, c := range claims {
		requireClaim(t, InFlight, m, event(fmt.Sprint(i), ""))
		require.NoError(t, m.Release(context.Background(), c))
	}
	require.Zero(t, m.Len())
}

func TestMemoryForgetsWhatExpired(t *testing.T) {
	t.Parallel()
	c := newClock()
	m := NewMemory(MemoryOptions{Now: c.now})
	for i := range 5000 {
		require.NoError(t, m.Done(context.Background(), requireClaim(t, Claimed, m, event(fmt.Sprint(i), fmt.Sprint("body ", i)))))
	}
	require.Equal(t, 10000, m.Len())
	c.advance(2 * time.Hour)
	for i := range 1000 { // calls come by every shard
		require.NoError(t, m.Release(context.Background(), requireClaim(t, Claimed, m, event(fmt.Sprint("new ", i), ""))))
	}
	require.Zero(t, m.Len())
}

func TestMemoryKeepsNoMarkersOfWhatWasDropped(t *testing.T) {
	t.Parallel()
	m := NewMemory(MemoryOptions{MaxEntries: 32})
	require.Len(t, m.partitions, 1)
	stuck := event("stuck", "") // stands at the head of the line
	requireClaim(t, Claimed, m, stuck)
	require.NoError(t, m.Done(context.Background(), stuck))
	for i := range 100_000 {
		c := event(fmt.Sprint(i), "")
		_, _ = m.Claim(context.Background(), c)
		_ = m.Done(context.Background(), c)
		m.drop(c)
	}
	require.Equal(t, 1, m.Len())
	require.Less(t, len(m.partitions[0].done), 5000)
	requireClaim(t, Duplicate, m, event("stuck", ""))
}

func TestMemoryLocksNeverCross(t *testing.T) {
	t.Parallel()
	m := NewMemory(MemoryOptions{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 2000 {
				c := event(fmt.Sprint(j%17), fmt.Sprint((i+j)%19))
				s, _ := m.Claim(context.Background(), c)
				if s == Claimed && j%3 == 0 {
					_ = m.Done(context.Background(), c)
				} else {
					_ = m.Release(context.Background(), c)
				}
				_, _ = m.Forget(context.Background(), c.ID)
				_ = m.Renew(context.Background(), c)
				m.drop(c)
			}
		})
	}
	wg.Wait()
	_, err := m.ForgetSince(context.Background(), time.Time{})
	require.NoError(t, err)
	require.Zero(t, m.Len())
}

func TestFinishedClaimsKeepTheirIdentity(t *testing.T) {
	t.Parallel()
	m := NewMemory(MemoryOptions{})
	want := map[string]*Claim{}
	for _, c := range []*Claim{
		event("1", "body"), event("2", "other", signedEvent), event("3", ""), event("4", "", signedEvent), event("", "bare"),
	} {
		requireClaim(t, Claimed, m, c)
		require.NoError(t, m.Done(context.Background(), c))
		want[c.Value()] = c
	}
	requireClaim(t, Claimed, m, event("working", "working"))
	got := m.finished(100)
	require.Len(t, got, len(want))
	for _, c := range got {
		w := want[c.Value()]
		require.NotNil(t, w, "the value tells the store whose claim it is")
		require.Equal(t, w.ID, c.ID)
		require.Equal(t, w.Digest, c.Digest)
		require.Equal(t, w.Signed, c.Signed)
		require.InDelta(t, time.Hour, c.TTL, float64(time.Minute))
	}
	require.Len(t, m.finished(2), 2)
}
