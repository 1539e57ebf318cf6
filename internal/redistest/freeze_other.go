//go:build !unix

package redistest

// Freeze skips the test: this system can't stop processes.
func (s *Server) Freeze() { s.t.Skip("this system has no SIGSTOP") }

// Thaw does nothing, as [Server.Freeze] stopped nothing.
func (s *Server) Thaw() {}
