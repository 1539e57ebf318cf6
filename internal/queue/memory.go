package queue

import (
	"os"
	"strconv"
	"strings"
)

// machineMemory is the memory in bytes of the machine, or of the control group of this process where that is less. 0: unknown, as it is
// everywhere but on Linux.
func machineMemory() uint64 {
	var limit uint64
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "MemTotal:" {
				n, _ := strconv.ParseUint(f[1], 10, 64)
				limit = n << 10
			}
		}
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(file)
		if n, bad := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && bad == nil && n > 0 && (limit == 0 || n < limit) {
			limit = n
		}
	}
	return limit
}
