//go:build !unix

package topology

import "syscall"

// Processes can't be stopped here: sending these is an error.
const stopSignal, continueSignal = syscall.Signal(0x13), syscall.Signal(0x12)
