package main

import (
	"os"
	"syscall"
	"time"
)

// cpuTime is the CPU time that this process has used.
func cpuTime() time.Duration {
	var created, exited, kernel, user syscall.Filetime
	self, err := syscall.GetCurrentProcess()
	if err != nil || syscall.GetProcessTimes(self, &created, &exited, &kernel, &user) != nil {
		return 0
	}
	return fileTime(kernel) + fileTime(user)
}

// fileTime converts a duration, which Windows gives in units of 100 ns. Filetime.Nanoseconds would take it for a date.
func fileTime(t syscall.Filetime) time.Duration {
	return time.Duration(int64(t.HighDateTime)<<32|int64(t.LowDateTime)) * 100
}

// Windows has no signal that freezes a process, so chaos goes without that fault there.
func freeze(*os.Process) {}

func thaw(*os.Process) {}
