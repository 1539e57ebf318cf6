//go:build netbsd || openbsd

package localredis

// freeSpace is not told here.
func freeSpace(string) (bytes uint64, ok bool) { return 0, false }
