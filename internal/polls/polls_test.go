package polls_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/polls"
)

func says(text string) func() (any, error) {
	return func() (any, error) { return text, nil }
}

// asked counts when a question reached the store.
type asked struct {
	mu    sync.Mutex
	times []time.Time
}

func (a *asked) ask() (any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.times = append(a.times, time.Now())
	return len(a.times), nil
}

// TestAThousandTabsAskTwiceASecond: of one question or of as many as there are tabs, the store hears two a second.
func TestAThousandTabsAskTwiceASecond(t *testing.T) {
	t.Parallel()
	for name, question := range map[string]func(tab int) string{
		"the same":      func(int) string { return "stats" },
		"seven":         func(tab int) string { return fmt.Sprint(tab % 7) },
		"each another":  func(tab int) string { return fmt.Sprint(tab) },
		"half and half": func(tab int) string { return fmt.Sprint(max(0, tab-500)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var answers polls.Answers
				var store asked
				var tabs sync.WaitGroup
				for tab := range 1000 {
					tabs.Go(func() {
						time.Sleep(time.Duration(tab) * 7 * time.Millisecond)
						for range 10 {
							if _, err := answers.Poll(t.Context(), question(tab), store.ask); err != nil {
								require.ErrorIs(t, err, polls.ErrLater)
							}
							time.Sleep(3 * time.Second)
						}
					})
				}
				tabs.Wait()
				require.Greater(t, len(store.times), 40, "they are answered")
				for i := 1; i < len(store.times); i++ {
					require.GreaterOrEqual(t, store.times[i].Sub(store.times[i-1]), polls.Every)
				}
			})
		})
	}
}

// TestPollsTakeTheirTurn: a few questions are all asked, one after the other; whose turn would come too late is told so
// at once and holds up nobody.
func TestPollsTakeTheirTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var answers polls.Answers
		began := time.Now()
		var tabs sync.WaitGroup
		for tab := range 5 {
			tabs.Go(func() {
				time.Sleep(time.Duration(tab) * time.Millisecond)
				answer, err := answers.Poll(t.Context(), fmt.Sprint(tab), says("it"))
				require.NoError(t, err)
				require.Equal(t, "it", answer)
				require.Equal(t, time.Duration(tab)*polls.Every, time.Since(began))
			})
		}
		time.Sleep(10 * time.Millisecond)
		_, err := answers.Poll(t.Context(), "one more", says("it"))
		require.ErrorIs(t, err, polls.ErrLater)
		require.Equal(t, 10*time.Millisecond, time.Since(began))
		// Who just came is answered at once all the same.
		answer, err := answers.Now(t.Context(), "who just came", says("at once"))
		require.NoError(t, err)
		require.Equal(t, "at once", answer)
		require.Equal(t, 10*time.Millisecond, time.Since(began))
		tabs.Wait()
	})
}

// TestAnswersAreOfTheLastHalfSecond: an answer is given again for so long, and not after a change.
func TestAnswersAreOfTheLastHalfSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var answers polls.Answers
		var store asked
		ask := func() any {
			t.Helper()
			answer, err := answers.Poll(t.Context(), "stats", store.ask)
			require.NoError(t, err)
			return answer
		}
		require.Equal(t, 1, ask())
		time.Sleep(polls.Every - time.Nanosecond)
		require.Equal(t, 1, ask())
		time.Sleep(time.Nanosecond)
		require.Equal(t, 2, ask())
		answers.Forget()
		require.Equal(t, 3, ask())

		// What is an error is told to those who waited, and not kept.
		_, err := answers.Poll(t.Context(), "wrong", func() (any, error) { return nil, errors.New("wrong") })
		require.EqualError(t, err, "wrong")
		answer, err := answers.Poll(t.Context(), "wrong", says("right"))
		require.NoError(t, err)
		require.Equal(t, "right", answer)
	})
}

// TestTabsWaitTogether: while the store does not answer, one tab finds that out for all who ask the same, and nobody else
// waits: neither who asks something else, nor who hangs up, nor who makes a change.
func TestTabsWaitTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var answers polls.Answers
		down := errors.New("the store is down")
		never := func() (any, error) { return nil, errors.New("asked once more") }
		var tabs sync.WaitGroup
		goOn := make(chan struct{})
		tabs.Go(func() {
			_, err := answers.Poll(t.Context(), "stats", func() (any, error) { <-goOn; return nil, down })
			require.ErrorIs(t, err, down)
		})
		synctest.Wait()
		for range 20 {
			tabs.Go(func() {
				_, err := answers.Poll(t.Context(), "stats", never)
				require.ErrorIs(t, err, down)
			})
		}
		synctest.Wait()
		gone, hangUp := context.WithCancel(t.Context())
		hangUp()
		_, err := answers.Poll(gone, "stats", never)
		require.ErrorIs(t, err, context.Canceled)
		answer, err := answers.Poll(t.Context(), "gateways", says("other"))
		require.NoError(t, err)
		require.Equal(t, "other", answer)

		answers.Forget()
		answer, err = answers.Poll(t.Context(), "stats", says("after the change"))
		require.NoError(t, err)
		require.Equal(t, "after the change", answer)
		close(goOn)
		tabs.Wait()
		answer, err = answers.Poll(t.Context(), "stats", never)
		require.NoError(t, err, "what failed before the change does not take away what came after it")
		require.Equal(t, "after the change", answer)
	})
}

// TestAPanicHoldsUpNobody: who waits is told, and the next one asks anew.
func TestAPanicHoldsUpNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var answers polls.Answers
		goOn := make(chan struct{})
		var tabs sync.WaitGroup
		tabs.Go(func() {
			require.Panics(t, func() {
				_, _ = answers.Poll(t.Context(), "stats", func() (any, error) { <-goOn; panic("a bug") })
			})
		})
		synctest.Wait()
		tabs.Go(func() {
			_, err := answers.Poll(t.Context(), "stats", says("never"))
			require.Error(t, err)
		})
		synctest.Wait()
		close(goOn)
		tabs.Wait()
		answer, err := answers.Poll(t.Context(), "stats", says("anew"))
		require.NoError(t, err)
		require.Equal(t, "anew", answer)
	})
}
