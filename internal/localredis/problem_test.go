//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package localredis_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
)

// script writes a program that is no server.
func script(t *testing.T, lines string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "some-server")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+lines+"\n"), 0o700))
	return path
}

// TestProblems: what keeps a server from running is said in one line, with what to do; and mended, it runs.
func TestProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		broken func(t *testing.T, c *config.LocalRedis)
		says   []string
		mended func(t *testing.T, c *config.LocalRedis) // nil where that takes another configuration
	}{
		"no such program": {
			broken: func(t *testing.T, c *config.LocalRedis) { c.Server = filepath.Join(c.Dir, "missing-server") },
			says:   []string{"missing-server", "apt install redis-server", "option server"},
		},
		"too old": {
			broken: func(t *testing.T, c *config.LocalRedis) {
				c.Server = script(t, `echo "Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=a3fdef44459b3ad6"`)
			},
			says: []string{"version 6.0.16", "6.2 or newer"},
		},
		"no server": {
			broken: func(t *testing.T, c *config.LocalRedis) { c.Server = script(t, "echo hello") },
			says:   []string{"some-server", "does not say its version"},
		},
		"ends at once": {
			broken: func(t *testing.T, c *config.LocalRedis) {
				c.Server = script(t, `if [ "$1" = --version ]; then echo "Valkey server v=8.0.1"; else echo 'no such luck' >&2; exit 3; fi`)
			},
			says: []string{"ended", "no such luck", "exit status 3"},
		},
		"open folder": {
			broken: func(t *testing.T, c *config.LocalRedis) {
				require.NoError(t, os.Mkdir(c.Dir, 0o755))
				require.NoError(t, os.Chmod(c.Dir, 0o755))
			},
			says:   []string{"others may enter", "chmod 700"},
			mended: func(t *testing.T, c *config.LocalRedis) { require.NoError(t, os.Chmod(c.Dir, 0o700)) },
		},
		"no folder": {
			broken: func(t *testing.T, c *config.LocalRedis) { require.NoError(t, os.WriteFile(c.Dir, nil, 0o600)) },
			says:   []string{"can't be used", "not a directory"},
			mended: func(t *testing.T, c *config.LocalRedis) { require.NoError(t, os.Remove(c.Dir)) },
		},
		"long path": {
			broken: func(t *testing.T, c *config.LocalRedis) { c.Dir = filepath.Join(c.Dir, strings.Repeat("x", 100)) },
			says:   []string{"shorter path", "103"},
		},
		"damaged file": {
			broken: func(t *testing.T, c *config.LocalRedis) {
				u := use(t, *c)
				for i := range 100 {
					u.set(fmt.Sprint("key", i), strings.Repeat("v", 100))
				}
				u.end()
				files, err := filepath.Glob(filepath.Join(c.Dir, "appendonlydir", "*.incr.aof"))
				require.NoError(t, err)
				require.Len(t, files, 1)
				text, err := os.ReadFile(files[0])
				require.NoError(t, err)
				copy(text[len(text)/2:], "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX")
				require.NoError(t, os.WriteFile(files[0], text, 0o600))
			},
			says: []string{"damaged", "redis-check-aof --fix"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config.LocalRedis{Dir: folder(t)}
			test.broken(t, &c)
			u := use(t, c)
			problem := u.problem()
			for _, words := range test.says {
				require.Contains(t, problem, words)
			}
			require.Eventually(t, func() bool { return strings.Contains(u.log.String(), "level=ERROR") }, 2*time.Minute, 10*time.Millisecond)
			if test.mended != nil {
				test.mended(t, &c)
				u.eventually()
			}
			require.Equal(t, 1, strings.Count(u.log.String(), "level=ERROR"), "one line: %s", u.log)
		})
	}
}

// TestWrongOwner: a folder, or a file in it, of another user is not used: what would be written there they could not use.
func TestWrongOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a folder away")
	}
	c := config.LocalRedis{Dir: folder(t)}
	require.NoError(t, os.Mkdir(c.Dir, 0o700))
	require.NoError(t, os.Chown(c.Dir, 65534, 65534))
	u := use(t, c)
	problem := u.problem()
	require.Contains(t, problem, "belongs to user 65534")
	require.Contains(t, problem, "chown")
	file := filepath.Join(c.Dir, "appendonlydir")
	require.NoError(t, os.Mkdir(file, 0o700))
	require.NoError(t, os.Chown(file, 65534, 65534))
	require.NoError(t, os.Chown(c.Dir, 0, 0))
	require.Eventually(t, func() bool { return strings.Contains(u.problem(), file+" belongs to user 65534") }, 2*time.Minute, 10*time.Millisecond)
	require.NoError(t, os.Chown(file, 0, 0))
	u.eventually()
}
