//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package localredis

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	followInterval = 200 * time.Millisecond
	maxLogSize     = 1 << 20 // of the server's file, before it begins anew
	maxWarnings    = 8       // warnings that are remembered, for why it ended
)

// logFollower brings the lines that the server writes into its file to our log. A file, as a pipe would break with us, and
// the server goes on; the server opens it anew for every line.
type logFollower struct {
	path, offsetFile string
	log              *slog.Logger
	file             *os.File
	old              bool // file was renamed: it ends with what is in it
	offset           int64
	rest             []byte
	lastWarnings     []string
}

// open begins where the last follower ended, or goes on.
func (l *logFollower) open() {
	l.lastWarnings = nil
	if l.file != nil {
		return
	}
	f, err := os.Open(l.path)
	if err != nil {
		return
	}
	text, _ := os.ReadFile(l.offsetFile)
	l.offset, _ = strconv.ParseInt(string(text), 10, 64)
	if info, err := f.Stat(); err != nil || info.Size() < l.offset {
		l.offset = 0
	}
	l.file, l.rest, l.old = f, nil, false
}

// follow brings lines until ctx ends, and then what is left.
func (l *logFollower) follow(ctx context.Context) {
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			l.readLines()
			if l.file != nil {
				_ = l.file.Close()
				l.file = nil
			}
			return
		case <-tick.C:
			l.readLines()
		}
	}
}

func (l *logFollower) readLines() {
	if l.file == nil {
		f, err := os.Open(l.path)
		if err != nil {
			return
		}
		l.file, l.offset, l.rest, l.old = f, 0, nil, false
	}
	before := l.offset
	text, _ := io.ReadAll(io.NewSectionReader(l.file, l.offset, maxLogSize))
	l.offset += int64(len(text))
	text = append(l.rest, text...)
	for {
		line, rest, ok := bytes.Cut(text, []byte("\n"))
		if !ok {
			break
		}
		l.logLine(string(line))
		text = rest
	}
	l.rest = append([]byte(nil), text...)
	switch {
	case l.old && l.offset == before:
		_ = l.file.Close()
		l.file = nil
	case !l.old && l.offset > maxLogSize:
		if os.Rename(l.path, l.path+".old") == nil {
			l.old = true
		}
	}
	if l.offset != before {
		seen := l.offset - int64(len(l.rest))
		if l.old {
			seen = 0
		}
		_ = os.WriteFile(l.offsetFile, strconv.AppendInt(nil, seen, 10), 0o600)
	}
}

// linePattern is a line as Redis writes it: process and role, time, level, words.
var linePattern = regexp.MustCompile(`^\d+:[A-Z] \d+ \w+ \d+ [\d:.]+ ([.\-*#]) (.*)$`)

var lineLevels = map[string]slog.Level{".": slog.LevelDebug, "-": slog.LevelDebug, "*": slog.LevelInfo, "#": slog.LevelWarn}

// routine is what Redis 7 and older write at the level of warnings, so that it is always seen, although all is well.
var routine = regexp.MustCompile(`Redis is starting|^Redis version=|^Configuration loaded|^Server initialized|^User requested shutdown|ready to exit, bye bye`)

func (l *logFollower) logLine(line string) {
	line = strings.TrimRight(line, "\r ")
	if line == "" {
		return
	}
	level, words := slog.LevelInfo, line
	if m := linePattern.FindStringSubmatch(line); m != nil {
		level, words = lineLevels[m[1]], m[2]
	}
	if level == slog.LevelWarn && routine.MatchString(words) {
		level = slog.LevelInfo
	}
	if level >= slog.LevelWarn {
		l.lastWarnings = append(l.lastWarnings, words)
		l.lastWarnings = l.lastWarnings[max(0, len(l.lastWarnings)-maxWarnings):]
	}
	l.log.Log(context.Background(), level, "redis: "+words)
}

// warnings are the last lines of this server that warn. Only once it is followed no more.
func (l *logFollower) warnings() []string { return l.lastWarnings }
