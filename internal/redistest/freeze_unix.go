//go:build unix

package redistest

import (
	"syscall"

	"github.com/stretchr/testify/require"
)

// Freeze stops the server as SIGSTOP does: connections stand, and nothing answers. [Server.Thaw] lets it go on.
func (s *Server) Freeze() { require.NoError(s.t, s.Process().Signal(syscall.SIGSTOP)) }

// Thaw ends a [Server.Freeze].
func (s *Server) Thaw() { require.NoError(s.t, s.Process().Signal(syscall.SIGCONT)) }
