//go:build unix

package redistest

import (
	"errors"
	"syscall"

	"github.com/stretchr/testify/require"
)

// Freeze stops the server with SIGSTOP: connections stay open and nothing is answered until [Server.Thaw]. It returns once
// the server has stopped, a moment after the signal was sent.
func (s *Server) Freeze() {
	require.NoError(s.t, s.Process().Signal(syscall.SIGSTOP))
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(s.Process().Pid, &status, syscall.WUNTRACED, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		require.NoError(s.t, err)
		require.True(s.t, status.Stopped(), "redis-server ended")
		return
	}
}

// Thaw lets the server go on after [Server.Freeze].
func (s *Server) Thaw() { require.NoError(s.t, s.Process().Signal(syscall.SIGCONT)) }
