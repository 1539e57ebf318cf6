package localredis_test

import "syscall"

// mount puts a small disk on a folder.
func mount(dir, options string) error { return syscall.Mount("tmpfs", dir, "tmpfs", 0, options) }
