//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package localredis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// Pauses between two tries to run a server. They double with every failure, from minPause to maxPause.
const (
	minPause     = 100 * time.Millisecond
	maxPause     = 10 * time.Second
	waitingPause = 250 * time.Millisecond // after a Problem with Waiting
	steadyAfter  = 30 * time.Second       // after a server that ran for so long the pauses begin anew
)

// stopTime is how long a server may take to write its data to the disk and end.
const stopTime = 30 * time.Second

// run keeps a server running until ctx ends, and then stops it.
func (s *server) run(ctx context.Context) {
	w := &supervisor{server: s, lines: logFollower{path: s.path("log"), offsetFile: s.path("log.seen"), log: s.log}}
	defer func() {
		if w.lock != nil && !w.stopping && w.alive() {
			w.shutdown() // ctx ended while a server ran that serve was not watching
		}
		w.close()
	}()
	pause, logged := time.Duration(0), "" // after the first failure the next try comes at once
	for {
		began := time.Now()
		err := w.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		if w.answered && time.Since(began) > steadyAfter {
			pause = 0
		}
		wait, lives := pause, errors.Is(err, errConnectionLost) // lives: only our connection ended, not the server
		var problem *Problem
		switch errors.As(err, &problem); {
		case lives:
			wait = 0
		case problem != nil && problem.Waiting:
			wait = waitingPause
		default:
			pause = min(max(2*pause, minPause), maxPause)
		}
		if !lives && err.Error() != logged {
			logged = err.Error()
			s.log.Error("the store's server is not there; it is tried again", "error", err, "pause", wait)
		}
		if wait > minPause {
			s.setState(false, err)
		} else {
			s.setState(false, nil) // the next try is so near that callers wait for it
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if w.answered {
			logged = ""
		}
	}
}

// supervisor starts and watches the server of a folder, one process after the other.
type supervisor struct {
	*server
	lines    logFollower
	lock     *os.File // of this process, held from the first try until run ends
	stopping bool     // shutdown was called
	answered bool     // the server of the last serve has answered

	child  *exec.Cmd     // the server, where this process started it
	exited chan struct{} // closed when child has ended
}

var errConnectionLost = errors.New("the connection that watches the server was closed")

// serve starts or adopts a server, watches it, and returns why it ended. When ctx ends it stops the server.
func (w *supervisor) serve(ctx context.Context) error {
	w.answered = false
	if err := w.lockFolder(); err != nil {
		return err
	}
	adopted, err := w.startOrAdopt()
	if err != nil {
		return err
	}
	w.lines.open()
	follow, stopFollowing := context.WithCancel(context.Background())
	following := make(chan struct{})
	go func() {
		defer close(following)
		w.lines.follow(follow)
	}()
	ended := func() error {
		stopFollowing()
		<-following
		return w.exitReason()
	}
	c, err := w.connect(ctx)
	if err != nil {
		if ctx.Err() != nil {
			w.shutdown()
			_ = ended()
			return ctx.Err()
		}
		if why := ended(); !w.alive() {
			return why
		}
		return err
	}
	defer c.close()
	if err := w.register(c, adopted); err != nil {
		_ = ended()
		return err
	}
	w.answered = true
	w.setState(true, nil)
	lost := make(chan struct{})
	go func() {
		defer close(lost)
		c.waitForClose()
	}()
	for {
		select {
		case <-w.apply:
			if err := w.configureRunning(); err != nil {
				w.log.Warn("the store's server did not take its settings", "error", err)
			}
		case <-lost:
			w.waitForExit(ctx)
			if w.alive() {
				_ = ended()
				return errConnectionLost
			}
			return ended()
		case <-ctx.Done():
			w.shutdown()
			_ = ended()
			return ctx.Err()
		}
	}
}

// waitForExit gives a server whose connection broke up to 2 seconds to end, unless it still listens.
func (w *supervisor) waitForExit(ctx context.Context) {
	for end := time.Now().Add(2 * time.Second); w.alive() && time.Now().Before(end) && ctx.Err() == nil; {
		if w.listens() {
			return // only the connection broke
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// register stores what the server at the other end of c says about itself, and sends it its settings.
func (w *supervisor) register(c *conn, adopted bool) error {
	info, err := c.info()
	if err != nil {
		return problemf("the server in %s does not say who it is: %v", w.dir, err)
	}
	up, _ := strconv.Atoi(info["uptime_in_seconds"])
	pid, _ := strconv.Atoi(info["process_id"])
	version := info["redis_version"]
	if v := info["valkey_version"]; v != "" {
		version = v
	}
	w.mu.Lock()
	w.info = Info{Dir: w.dir, PID: pid, Version: version, Since: time.Now().Add(-time.Duration(up) * time.Second).Truncate(time.Second), Adopted: adopted}
	w.mu.Unlock()
	if err := w.writePID(pid); err != nil {
		return err
	}
	if err := w.configureRunning(); err != nil && !errors.Is(err, errClosed) { // where it has ended, serve notices
		w.log.Warn("the store's server did not take its settings", "error", err)
	}
	w.log.Info("the store's server runs", "dir", w.dir, "pid", pid, "version", version, "adopted", adopted, "fsync", w.currentSettings().Fsync)
	return nil
}

// configureRunning sends the running server the settings that can be changed without a restart.
func (w *supervisor) configureRunning() error {
	c, err := w.dial()
	if err != nil {
		return err
	}
	defer c.close()
	settings := w.currentSettings()
	for _, set := range [][]string{
		{"CONFIG", "SET", "appendfsync", settings.Fsync},
		{"CONFIG", "SET", "maxmemory", strconv.FormatInt(settings.MaxMemory, 10)},
		{"CONFIG", "SET", "maxmemory-policy", "noeviction"},
	} {
		if _, err := c.do(set...); err != nil {
			return fmt.Errorf("%s: %w", set[2], err)
		}
	}
	return nil
}

// shutdown stops the server, which first writes and syncs its append-only file, and removes its socket.
//
// Failure policy: a server that does not end in time is left running, as killing it could cost data. The next program
// on this folder adopts it.
func (w *supervisor) shutdown() {
	w.stopping = true
	w.setState(false, problemf("the server in %s is being stopped", w.dir))
	began := time.Now()
	for w.alive() && time.Since(began) < stopTime {
		if c, err := w.dial(); err == nil {
			if _, err := c.do("SHUTDOWN", "NOSAVE"); err != nil && w.alive() && !errors.Is(err, errClosed) {
				w.log.Warn("the store's server does not stop yet", "error", err)
			}
			c.close()
		} else {
			w.endOrphans()
		}
		time.Sleep(10 * time.Millisecond)
	}
	if w.alive() {
		w.log.Error("the store's server did not stop in time and was left running; the next start adopts it", "dir", w.dir, "pid", w.info.PID)
		return
	}
	w.log.Info("the store's server stopped, its data is on the disk", "dir", w.dir)
}

// endOrphans kills what is left of a server that is gone: a process that it forked to rewrite its file, which still holds the
// lock and would keep the next server waiting. That hits no other process: the system does not reuse the ID of a process group
// that has members, and the held lock says that it has.
func (w *supervisor) endOrphans() {
	pid := w.readPID()
	if pid <= 1 || !w.alive() || syscall.Kill(pid, 0) == nil {
		return
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
}

func (w *supervisor) close() {
	if w.lock != nil {
		_ = w.lock.Close() // gives up the lock
	}
}
