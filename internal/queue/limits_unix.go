//go:build unix

package queue

import "syscall"

// fileLimit is how many files this process may have open. Go raises it to the most that it may ask for.
func fileLimit() uint64 {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil || int64(r.Cur) < 0 {
		return 0
	}
	return uint64(r.Cur)
}
