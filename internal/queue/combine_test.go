package queue

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Lesson 64: nobody waits for the whole of another's batch, and an account's own events keep their order.
func TestLesson64AccountsTakeTurns(t *testing.T) {
	t.Parallel()
	var waiting []*pushed
	for _, id := range []string{"loud 1", "loud 2", "loud 3", "loud 4", "quiet 1", "other 1", "other 2"} {
		waiting = append(waiting, &pushed{event: &Event{ID: id, Account: id[:len(id)-2]}})
	}
	interleaveAccounts(waiting)
	var order []string
	for _, p := range waiting {
		order = append(order, p.event.ID)
	}
	require.Equal(t, []string{"quiet 1", "other 1", "loud 1", "other 2", "loud 2", "loud 3", "loud 4"}, order)
}
