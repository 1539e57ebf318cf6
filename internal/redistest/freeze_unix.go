//go:build unix

package redistest

import (
	"errors"
	"syscall"

	"github.com/stretchr/testify/require"
)

// Freeze stops the server as SIGSTOP does: connections stand, and nothing answers. [Server.Thaw] lets it go on. It returns
// once the server stands still, for the signal itself is heard a moment later.
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

// Thaw ends a [Server.Freeze].
func (s *Server) Thaw() { require.NoError(s.t, s.Process().Signal(syscall.SIGCONT)) }
