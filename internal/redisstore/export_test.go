package redisstore

import "time"

// ExpireEvery has an in-memory store expire its keys more often. Only before its first use.
func ExpireEvery(s *Store, d time.Duration) { s.memory.every = d }

// AtLeast is atLeast.
var AtLeast = atLeast
