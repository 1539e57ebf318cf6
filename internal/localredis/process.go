//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package localredis

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The oldest version of the server on which the scripts run.
const oldestMajor, oldestMinor = 6, 2

// maxSocketPath is the length of the longest path of a unix socket that every system accepts, in bytes.
const maxSocketPath = 103

// minFreeSpace is the free space on the disk, in bytes, below which no server is started: its first write would fail and end it.
const minFreeSpace = 256 << 10

// installHint names the packages that have the program.
const installHint = "apt install redis-server (or valkey-server), dnf install valkey, brew install valkey"

// programs are the names of server programs, the preferred one first.
var programs = []string{"valkey-server", "redis-server"}

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

// lockFolder creates the folder, makes sure that only our user may enter it, and takes the lock of this process unless it has
// it already.
func (w *supervisor) lockFolder() error {
	if n := len(w.socket()); n > maxSocketPath {
		return problemf("the path of the socket %s has %d characters and a system takes %d; name a folder with a shorter path: redis local <dir>", w.socket(), n, maxSocketPath)
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return folderProblem(w.dir, err)
	}
	if err := w.checkOwnership(); err != nil {
		return err
	}
	if w.lock != nil {
		return nil
	}
	f, err := os.OpenFile(w.path("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return folderProblem(w.dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return problemf("the folder %s can't be locked: %v; it has to be on a local disk", w.dir, err)
		}
		return &Problem{Waiting: true, Text: "the folder " + w.dir + " is in use by " + readHolder(f) + "; stop that one, or give this one a folder of its own: redis local <dir>"}
	}
	text, _ := json.Marshal(holder{PID: os.Getpid(), Program: filepath.Base(os.Args[0]), Since: time.Now().UTC().Truncate(time.Second)})
	if err := errors.Join(f.Truncate(0), writeAt(f, text)); err != nil {
		_ = f.Close()
		return folderProblem(w.dir, err)
	}
	w.lock = f
	return nil
}

func writeAt(f *os.File, text []byte) error {
	_, err := f.WriteAt(text, 0)
	return err
}

// holder is the content of the file lock: the process that holds it.
type holder struct {
	PID     int       `json:"pid"`
	Program string    `json:"program"`
	Since   time.Time `json:"since"`
}

func readHolder(f *os.File) string {
	var h holder
	if err := json.NewDecoder(f).Decode(&h); err != nil || h.PID == 0 {
		return "another process"
	}
	return "process " + strconv.Itoa(h.PID) + " (" + h.Program + ", since " + h.Since.Format(time.RFC3339) + ")"
}

// checkOwnership checks that the folder and what is in it belong to the user that we run as, and that nobody else may enter.
func (w *supervisor) checkOwnership() error {
	info, err := os.Stat(w.dir)
	if err != nil {
		return folderProblem(w.dir, err)
	}
	me := os.Geteuid()
	if owner := ownerOf(info); owner != me {
		return problemf("the folder %s belongs to user %d and this process runs as user %d; chown -R it, or name another folder", w.dir, owner, me)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return problemf("others may enter the folder %s (mode %04o), and who reaches the socket may do everything; chmod 700 it, or name another folder", w.dir, info.Mode().Perm())
	}
	for _, pattern := range []string{"*", "appendonlydir/*"} {
		files, _ := filepath.Glob(w.path(pattern))
		for _, name := range files {
			info, err := os.Lstat(name)
			if err == nil && ownerOf(info) != me {
				return problemf("%s belongs to user %d and this process runs as user %d; chown -R %s", name, ownerOf(info), me, w.dir)
			}
		}
	}
	return nil
}

func ownerOf(info os.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid)
	}
	return os.Geteuid()
}

func folderProblem(dir string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fullProblem(dir)
	case errors.Is(err, os.ErrPermission):
		return problemf("the folder %s can't be used by user %d: %v; chown it, or name another folder", dir, os.Geteuid(), err)
	}
	return problemf("the folder %s can't be used: %v", dir, err)
}

func fullProblem(dir string) *Problem {
	return problemf("the disk of %s is full; make room on it, and the server starts by itself", dir)
}

// takeServerLock takes the lock that a living server holds. It returns nil, without an error, while one does.
func (w *supervisor) takeServerLock() (*os.File, error) {
	f, err := os.OpenFile(w.path("server"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, folderProblem(w.dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, folderProblem(w.dir, err)
	}
	return f, nil
}

// alive reports whether a server, or a process that it forked, lives.
func (w *supervisor) alive() bool {
	f, err := w.takeServerLock()
	if f != nil {
		_ = f.Close()
	}
	return f == nil && err == nil
}

// startOrAdopt starts a server unless one runs already. adopted says that another process started that one.
func (w *supervisor) startOrAdopt() (adopted bool, err error) {
	lock, err := w.takeServerLock()
	if err != nil {
		return false, err
	}
	// A program that this process starts at this very moment has a copy of the lock until it runs. So where the lock is
	// held but nobody listens, it is tried again for 100 ms.
	for try := 0; lock == nil && try < 20 && !w.listens(); try++ {
		time.Sleep(5 * time.Millisecond)
		if lock, err = w.takeServerLock(); err != nil {
			return false, err
		}
	}
	if lock == nil {
		return w.child == nil || w.isExited(), nil
	}
	defer lock.Close() // the server has inherited it by then
	return false, w.launch(lock)
}

// listens reports whether a server listens in the folder.
func (w *supervisor) listens() bool {
	c, err := w.dial()
	if err == nil {
		c.close()
	}
	return err == nil
}

func (w *supervisor) isExited() bool {
	select {
	case <-w.exited:
		return true
	default:
		return false
	}
}

// launch runs the server program.
func (w *supervisor) launch(lock *os.File) error {
	settings := w.currentSettings()
	program, err := findProgram(settings.Server)
	if err != nil {
		return err
	}
	if space, ok := freeSpace(w.dir); ok && space < minFreeSpace {
		return fullProblem(w.dir)
	}
	_ = os.Remove(w.socket())
	said, err := os.OpenFile(w.path("start.log"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return folderProblem(w.dir, err)
	}
	defer said.Close()
	w.lines.open() // before the start: the warnings that follow are this server's
	cmd := exec.Command(program,
		"--port", "0", "--unixsocket", w.socket(), "--unixsocketperm", "700", "--dir", w.dir, "--daemonize", "no",
		"--appendonly", "yes", "--appendfsync", settings.Fsync, "--save", "", "--maxmemory-policy", "noeviction",
		"--maxmemory", strconv.FormatInt(settings.MaxMemory, 10), "--logfile", w.path("log"), "--loglevel", "notice")
	cmd.Dir = w.dir
	cmd.Stdout, cmd.Stderr = said, said
	// The server gets these variables alone, as our environment may hold secrets.
	for _, name := range []string{"PATH", "HOME", "TZ", "LANG", "LC_ALL"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.ExtraFiles = []*os.File{lock}
	// A process group of its own: an interrupt in the terminal must not end the server while it is still needed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return problemf("%s can't be run: %v", program, err)
	}
	exited := make(chan struct{})
	w.child, w.exited = cmd, exited
	go func() {
		defer close(exited)
		_ = cmd.Wait()
	}()
	return w.writePID(cmd.Process.Pid)
}

var versionPattern = regexp.MustCompile(`v=(\d+)\.(\d+)(\S*)`)

// findProgram finds the server program, and makes sure that it is new enough.
func findProgram(name string) (string, error) {
	program := ""
	if name != "" {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", problemf("the server program %s can't be run: %v; install it (%s), or correct the option server", name, err, installHint)
		}
		program = path
	}
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil && program == "" {
			program = path
		}
	}
	if program == "" {
		return "", problemf("there is no server program: neither valkey-server nor redis-server is on PATH; %s, or name it with the option server", installHint)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", problemf("%s --version: %v; is it a Redis or Valkey server?", program, err)
	}
	m := versionPattern.FindStringSubmatch(string(out))
	if m == nil {
		return "", problemf("%s does not say its version as Redis and Valkey do; correct the option server", program)
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	if cmp.Or(cmp.Compare(major, oldestMajor), cmp.Compare(minor, oldestMinor)) < 0 {
		return "", problemf("%s is version %s.%s%s and has to be %d.%d or newer; %s", program, m[1], m[2], m[3], oldestMajor, oldestMinor, installHint)
	}
	return program, nil
}

// writePID writes the server's process ID to a file, for a process that finds the lock held and nobody listening.
func (w *supervisor) writePID(pid int) error {
	if err := os.WriteFile(w.path("server.pid"), strconv.AppendInt(nil, int64(pid), 10), 0o600); err != nil {
		return folderProblem(w.dir, err)
	}
	return nil
}

func (w *supervisor) readPID() int {
	text, _ := os.ReadFile(w.path("server.pid"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// exitReason returns a [*Problem] with the reason why the server ended, found in its last warnings.
func (w *supervisor) exitReason() error {
	if space, ok := freeSpace(w.dir); ok && space < minFreeSpace {
		return fullProblem(w.dir) // it had no room to log that either
	}
	last := w.lines.lastWarnings
	for _, line := range last {
		switch {
		case strings.Contains(line, "No space left on device"), strings.Contains(line, "Disk quota exceeded"):
			return fullProblem(w.dir)
		case strings.Contains(line, "Bad file format reading the append only file"),
			strings.Contains(line, "Unexpected end of file reading the append only file"),
			strings.Contains(line, "Unrecoverable error reading the append only file"),
			strings.Contains(line, "reading the RDB preamble"),
			strings.Contains(line, "AOF manifest"), strings.Contains(line, "AOF file doesn't exist"),
			strings.Contains(line, "Wrong signature trying to load DB"), strings.Contains(line, "Short read or OOM loading DB"):
			return problemf("the append-only file in %s is damaged (%s); copy the folder, then mend it with redis-check-aof --fix, or restore a backup into an empty folder", w.dir, line)
		case strings.Contains(line, "Permission denied"):
			return problemf("the server may not use its files in %s (%s); chown -R the folder to user %d", w.dir, line, os.Geteuid())
		}
	}
	why := ""
	if w.child != nil {
		select { // its connection ends a moment before its exit status is known
		case <-w.exited:
			why = " (" + w.child.ProcessState.String() + ")"
		case <-time.After(time.Second):
		}
	}
	if len(last) > 0 {
		why += ", its last words: " + last[len(last)-1]
	} else if text, _ := os.ReadFile(w.path("start.log")); len(bytes.TrimSpace(text)) > 0 {
		why += ", its last words: " + strings.Join(strings.Fields(string(text[max(0, len(text)-500):])), " ")
	}
	return problemf("the server in %s ended%s", w.dir, why)
}
