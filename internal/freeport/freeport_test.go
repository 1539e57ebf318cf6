package freeport

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Two servers of one test once got one port: it was handed out again before the first of them listened.
func TestFindGivesNoPortTwice(t *testing.T) {
	var mu sync.Mutex
	seen := map[int]bool{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 250 {
				port, err := Find()
				mu.Lock()
				if err != nil || seen[port] || port < first || port > last {
					t.Errorf("port %d: %v", port, err)
				}
				seen[port] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	require.Len(t, seen, 2000)
}
