package redisstore

import "time"

// ExpireEvery has an in-memory store expire its keys more often. Only before its first use.
func ExpireEvery(s *Store, d time.Duration) { s.memory.interval = d }

// WaitShortly has a store wait for its replicas for half of d, and its client for the server's answers as long as before.
func WaitShortly(s *Store, d time.Duration) { s.timeout = d }

// Waiting is how many wait for the check that is under way.
func Waiting(s *Store) int {
	s.checkMu.Lock()
	defer s.checkMu.Unlock()
	return len(s.waiting)
}

// AtLeast is atLeast.
var AtLeast = atLeast
