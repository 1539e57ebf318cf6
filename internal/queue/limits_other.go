//go:build !unix

package queue

func fileLimit() uint64 { return 0 }
