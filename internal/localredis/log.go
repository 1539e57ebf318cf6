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
	followInterval = 200 * time.Millisecond // between two reads of the server's log file
	maxLogSize     = 1 << 20                // bytes of that file, before it is renamed and a new one begins
	maxWarnings    = 8                      // last warnings that are kept, to tell why the server ended
)

// logFollower copies the lines of the server's log file into our log. The server writes to a file because a pipe would break
// when this process ends, and the server goes on. It opens the file again for every line, so the file can be renamed.
type logFollower struct {
	path, offsetFile string
	log              *slog.Logger
	file             *os.File
	renamed          bool     // file was renamed: the server writes to a new one
	offset           int64    // bytes of file that have been read
	rest             []byte   // the beginning of a line that is not complete yet
	lastWarnings     []string // read it only once follow has returned
}

// open forgets the warnings. Where no file is open, it opens the log file to go on where the last follower ended.
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
	l.file, l.rest, l.renamed = f, nil, false
}

// follow copies lines until ctx ends, and then those that are left.
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
		l.file, l.offset, l.rest, l.renamed = f, 0, nil, false
	}
	before := l.offset
	text, _ := io.ReadAll(io.NewSectionReader(l.file, l.offset, maxLogSize))
	l.offset += int64(len(text))
	text = append(l.rest, text...)
	end := bytes.LastIndexByte(text, '\n') + 1
	for line := range bytes.Lines(text[:end]) {
		l.logLine(string(line))
	}
	l.rest = bytes.Clone(text[end:])
	switch {
	case l.renamed && l.offset == before:
		_ = l.file.Close()
		l.file = nil
	case !l.renamed && l.offset > maxLogSize:
		l.renamed = os.Rename(l.path, l.path+".old") == nil
	}
	if l.offset != before {
		seen := l.offset - int64(len(l.rest))
		if l.renamed {
			seen = 0 // of the new file
		}
		_ = os.WriteFile(l.offsetFile, strconv.AppendInt(nil, seen, 10), 0o600)
	}
}

// linePattern matches a line as Redis writes it: process and role, time, level, words.
var linePattern = regexp.MustCompile(`^\d+:[A-Z] \d+ \w+ \d+ [\d:.]+ ([.\-*#]) (.*)$`)

var lineLevels = map[string]slog.Level{".": slog.LevelDebug, "-": slog.LevelDebug, "*": slog.LevelInfo, "#": slog.LevelWarn}

// routine matches what Redis 7 and older log as warnings, to have it shown always, although nothing is wrong.
var routine = regexp.MustCompile(`Redis is starting|^Redis version=|^Configuration loaded|^Server initialized|^User requested shutdown|ready to exit, bye bye`)

func (l *logFollower) logLine(line string) {
	line = strings.TrimRight(line, "\r\n ")
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
