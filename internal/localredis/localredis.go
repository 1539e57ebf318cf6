// Package localredis runs a Redis or Valkey server for this program alone: a child process with a unix socket, an
// append-only file and no port, in a folder that nobody else may enter.
//
//	lease := localredis.Use(config.LocalRedis{Dir: "/var/lib/app/redis"}, log)   // starts nothing
//	conn, err := lease.Dial(ctx, "", "")                                         // starts it, or finds it running
//	lease.Release()                                                              // the last one stops it, its data on disk
//
// All leases of a folder share one server, so a reload, which opens the new configuration before it closes the old one, keeps
// the server. Two locked files in the folder make sure that a folder has one program and one server:
//
//	lock     held by this process, and names it: one program a folder.
//	server   held by the server itself, which inherits it: while it is held a server lives, whatever became of the
//	         program that started it, and nobody may start a second one on the same files.
//
// A server whose program was killed goes on, and the next program adopts it. The system is not asked to kill the server with
// its parent (Pdeathsig): that happens when the thread that forked ends, which in Go can be at any moment.
package localredis

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/videocloud/webhooks/config"
)

// Problem is the reason why there is no server, in words that say what to do about it.
type Problem struct {
	Text string
	// Waiting means that the problem may soon be over, so the server is tried again after a quarter of a second.
	Waiting bool
}

// Error implements error.
func (p *Problem) Error() string { return "redis local: " + p.Text }

func problemf(format string, args ...any) *Problem {
	return &Problem{Text: fmt.Sprintf(format, args...)}
}

// Info describes a running server.
type Info struct {
	Dir     string
	PID     int
	Version string
	Since   time.Time // when it was started, to the second
	Adopted bool      // it was started by another process, which is gone
}

// Lease is one user's share in the server of a folder, which runs until the last lease is released.
type Lease struct {
	server      *server
	settings    config.LocalRedis
	startOnce   sync.Once
	releaseOnce sync.Once
}

// server is the server of one folder, shared by all leases of this process.
type server struct {
	dir   string
	log   *slog.Logger
	users int // leases; guarded by folders
	start sync.Once
	stop  context.CancelFunc
	done  chan struct{} // closed when it has stopped

	mu       sync.Mutex
	settings config.LocalRedis
	up       bool
	problem  error         // why it isn't up; nil while it is being started
	changed  chan struct{} // closed when up or problem change
	info     Info
	apply    chan struct{} // has a value where the running server has to be given settings
}

// folders holds the servers of this process, by folder.
var folders = struct {
	sync.Mutex
	servers map[string]*server
}{servers: map[string]*server{}}

// Use returns a lease on the server of c.Dir. It neither starts a server nor fails: the first [Lease.Dial] does.
func Use(c config.LocalRedis, log *slog.Logger) *Lease {
	c.SetDefaults()
	dir := filepath.Clean(c.Dir)
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	c.Dir = dir
	folders.Lock()
	defer folders.Unlock()
	s := folders.servers[dir]
	if s == nil {
		s = &server{dir: dir, log: log, done: make(chan struct{}), changed: make(chan struct{}), apply: make(chan struct{}, 1)}
		folders.servers[dir] = s
	}
	s.users++
	return &Lease{server: s, settings: c}
}

// Dial connects to the server. The first Dial starts it where it does not run. Dial waits while the server is being started;
// where it can't be, or ctx ends first, the error is a [*Problem]. Network and address, which any dialer has, are ignored.
func (l *Lease) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	s := l.server
	l.startOnce.Do(func() { s.configure(l.settings) })
	for {
		up, changed, problem := s.state()
		if up {
			return new(net.Dialer).DialContext(ctx, "unix", s.socket())
		}
		if problem != nil {
			return nil, problem
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", &Problem{Text: "the server in " + s.dir + " is still being started", Waiting: true}, ctx.Err())
		}
	}
}

// Info returns what is known of the server; ok is false while none runs.
func (l *Lease) Info() (info Info, ok bool) {
	s := l.server
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info, s.up
}

// Release ends the lease. The last one of a folder stops the server, and returns when its data is on the disk, or after 30
// seconds. Further calls do nothing.
func (l *Lease) Release() {
	l.releaseOnce.Do(func() {
		l.startOnce.Do(func() {}) // a later Dial must not start it again
		s := l.server
		folders.Lock()
		s.users--
		last := s.users == 0
		if last {
			delete(folders.servers, s.dir)
		}
		folders.Unlock()
		if !last {
			return
		}
		s.start.Do(func() { close(s.done) }) // it never ran
		if s.stop != nil {
			s.stop()
		}
		<-s.done
		s.setState(false, problemf("it was let go"))
	})
}

// configure sets the settings that hold from now on, and starts the server where it does not run yet. Of several leases the
// one whose first Dial came last decides.
func (s *server) configure(c config.LocalRedis) {
	s.mu.Lock()
	before := s.settings
	s.settings = c
	s.mu.Unlock()
	if before.Dir != "" && before.Server != c.Server {
		s.log.Info("another server program is used from its next start on", "server", c.Server)
	}
	select {
	case s.apply <- struct{}{}:
	default:
	}
	s.start.Do(func() {
		var ctx context.Context
		// Not a caller's context: the server ends with the last lease, not with the call that happened to come first.
		ctx, s.stop = context.WithCancel(context.Background())
		go func() {
			defer close(s.done)
			s.run(ctx)
		}()
	})
}

func (s *server) currentSettings() config.LocalRedis {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings
}

func (s *server) state() (up bool, changed <-chan struct{}, problem error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.up, s.changed, s.problem
}

// setState sets whether the server can be dialled. Where it can't, calls fail with problem, or wait where that is nil.
func (s *server) setState(up bool, problem error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up, s.problem = up, problem
	close(s.changed)
	s.changed = make(chan struct{})
}

// socket returns the path of the unix socket on which the server listens.
func (s *server) socket() string { return filepath.Join(s.dir, "redis.sock") }
