//go:build linux || darwin || freebsd || dragonfly

package localredis

import "syscall"

// freeSpace returns the free bytes on the disk of a folder; ok is false where they can't be found out.
func freeSpace(dir string) (bytes uint64, ok bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, false
	}
	return uint64(s.Bavail) * uint64(s.Bsize), true
}
