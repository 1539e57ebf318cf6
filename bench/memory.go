package main

import "runtime"

// memory is what this process holds of the operating system's memory.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}
