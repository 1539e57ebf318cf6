//go:build !unix

package queue

// fileLimit is 0, unknown: only Unix has such a limit.
func fileLimit() uint64 { return 0 }
