package redisstore

// The public type of a store, in package store, shows nothing of this package. Its init sets both functions, so that the
// packages of this module can look behind it.
var (
	// Unwrap returns what is behind a *store.Store; nil behind a nil one.
	Unwrap func(face any) *Store
	// Wrap returns a *store.Store for s.
	Wrap func(s *Store) any
)
