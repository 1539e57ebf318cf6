//go:build !unix

package redistest

// Freeze skips the test: processes can't be stopped here.
func (s *Server) Freeze() { s.t.Skip("this system has no SIGSTOP") }

// Thaw ends a [Server.Freeze].
func (s *Server) Thaw() {}
