//go:build unix

package queue

import "syscall"

// fileLimit is how many files this process may have open, 0 if unknown. At start Go raises the soft limit, which this is, to the hard one.
func fileLimit() uint64 {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil || int64(r.Cur) < 0 {
		return 0
	}
	return uint64(r.Cur)
}
