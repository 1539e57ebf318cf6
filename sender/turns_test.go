package sender

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// TestLesson64ScansTakeTurns: sixty readers of long histories held every publisher up, and ten readers of short pages did so too. One
// step of all scans is under way at a time.
func TestLesson64ScansTakeTurns(t *testing.T) {
	t.Parallel()
	o := newBundle(t, redistest.Open(t, config.Redis{URL: config.Memory}), nil).o
	synctest.Test(t, func(t *testing.T) {
		s := &Sender{o: o, scans: newScanQueue()}
		const took, readers, steps = 10 * time.Millisecond, 8, 20
		var scanning, most atomic.Int32
		var all sync.WaitGroup
		began := time.Now()
		for range readers {
			all.Go(func() {
				made := 0
				assert.NoError(t, s.scanInSteps(t.Context(), "a", func() (bool, error) {
					made++
					most.Store(max(most.Load(), scanning.Add(1)))
					time.Sleep(took)
					scanning.Add(-1)
					return made < steps, nil
				}))
				assert.Equal(t, steps, made)
			})
		}
		// Another account's is not behind all of these, but behind one that has the turn and one that waits.
		time.Sleep(took / 2)
		assert.NoError(t, s.scanInSteps(t.Context(), "b", func() (bool, error) { return false, nil }))
		assert.LessOrEqual(t, time.Since(began), 4*took)
		all.Wait()
		require.EqualValues(t, 1, most.Load())
		require.Equal(t, (2*readers*steps-1)*took, time.Since(began), "the store was free half of the time")

		// A step that hangs gives its turn away; one that failed does as well.
		time.Sleep(took)
		hangs := make(chan struct{})
		go func() { _ = s.scanInSteps(t.Context(), "a", func() (bool, error) { <-hangs; return false, nil }) }()
		synctest.Wait()
		began = time.Now()
		broken := errors.New("broken")
		require.ErrorIs(t, s.scanInSteps(t.Context(), "a", func() (bool, error) { return true, broken }), broken)
		require.NoError(t, s.scanInSteps(t.Context(), "a", func() (bool, error) { return false, nil }))
		require.Equal(t, maxScanStep, time.Since(began))
		close(hangs)
		synctest.Wait()

		// Who leaves is not waited for, before others of its account or before others' accounts.
		end, err := s.scans.acquire(t.Context(), "a")
		require.NoError(t, err)
		ctx, leave := context.WithCancel(t.Context())
		leave()
		for _, account := range []string{"a", "b"} {
			var e *Error
			require.ErrorAs(t, s.scanInSteps(ctx, account, func() (bool, error) { return true, nil }), &e)
			require.Equal(t, CodeUnavailable, e.Code)
		}
		end()
		require.Empty(t, s.scans.slot)
		require.Empty(t, s.scans.accounts, "nothing of an account is kept")
	})
}
