package redisstore

// The public type of a store, in package store, shows nothing of this package. Its init sets both functions, so that the
// packages of this module can look behind it.
var (
	// Inside returns what is behind a *store.Store; nil behind a nil one.
	Inside func(face any) *Store
	// Face returns a *store.Store for s.
	Face func(s *Store) any
)
