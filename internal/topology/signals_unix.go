//go:build unix

package topology

import "syscall"

const stopSignal, continueSignal = syscall.SIGSTOP, syscall.SIGCONT
