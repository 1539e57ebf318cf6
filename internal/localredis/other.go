//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package localredis

import (
	"context"
	"runtime"
)

// run reports that this system can't run the server.
func (s *server) run(ctx context.Context) {
	problem := problemf("it can't run on %s, which lacks what it is made of; write redis redis://host:6379/0 instead", runtime.GOOS)
	s.log.Error("the store's server can't be started", "error", problem)
	s.setState(false, problem)
	<-ctx.Done()
}
