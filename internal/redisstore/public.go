package redisstore

// The public type of a store, in package store, shows nothing of this package. The init function of package store sets these
// two, so that other packages of this module can convert between both types.
var (
	// Unwrap returns the store in a *store.Store, and nil for a nil one.
	Unwrap func(public any) *Store
	// Wrap returns a *store.Store of s.
	Wrap func(s *Store) any
)
