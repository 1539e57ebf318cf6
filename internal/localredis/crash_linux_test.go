package localredis_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
)

// machine is a server over a layer that knows what the disk was told to keep.
type machine struct {
	*testing.T
	c         config.LocalRedis
	log, slow string
	other     *other
	client    *redis.Client
}

func startMachine(t *testing.T, policy string) *machine {
	t.Helper()
	redistest.Need(t, "redis-server")
	redistest.Need(t, "cc")
	dir := t.TempDir()
	layer := filepath.Join(dir, "layer.so")
	out, err := exec.Command("cc", "-shared", "-fPIC", "-O1", "-o", layer, "testdata/synclayer.c", "-ldl").CombinedOutput()
	require.NoError(t, err, "%s", out)
	m := &machine{T: t, log: filepath.Join(dir, "log"), slow: filepath.Join(dir, "slow")}
	program, err := exec.LookPath("redis-server")
	require.NoError(t, err)
	m.c = config.LocalRedis{Dir: folder(t), Fsync: policy,
		Server: script(t, fmt.Sprintf("export LD_PRELOAD=%s SYNC_LOG=%s SYNC_SLOW=%s\nexec %s \"$@\"", layer, m.log, m.slow, program))}
	m.other = startOther(t, m.c)
	m.client = patient(t, m.c)
	return m
}

// write writes keys by several connections at once until ctx ends or the server dies, and returns those that were answered.
func (m *machine) write(ctx context.Context, enough func(answered int)) (answered []string) {
	var mu sync.Mutex
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprintf("key-%d-%d", w, i)
				if m.client.Set(ctx, key, strings.Repeat("v", 500), 0).Err() != nil {
					return
				}
				mu.Lock()
				answered = append(answered, key)
				n := len(answered)
				mu.Unlock()
				enough(n)
			}
		})
	}
	writers.Wait()
	return answered
}

// cutPower kills the program and its server, and drops from the folder what the disk was not told to keep.
func (m *machine) cutPower() {
	m.Helper()
	m.other.kill(m.T)
	require.NoError(m, syscall.Kill(m.other.pid, syscall.SIGKILL))
	require.Eventually(m, func() bool { return syscall.Kill(m.other.pid, 0) != nil }, 2*time.Minute, time.Millisecond)
	kept := map[uint64]int64{}
	for line := range strings.Lines(m.synced()) {
		var what string
		var inode uint64
		var size int64
		_, err := fmt.Sscan(line, &what, &inode, &size)
		require.NoError(m, err)
		if what == "end" {
			kept[inode] = max(kept[inode], size)
		}
	}
	require.NoError(m, filepath.WalkDir(m.c.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		size := kept[info.Sys().(*syscall.Stat_t).Ino]
		return os.Truncate(path, min(info.Size(), size))
	}))
}

func (m *machine) synced() string {
	text, err := os.ReadFile(m.log)
	require.NoError(m, err)
	return string(text)
}

// missing counts the keys that a server on what is left does not have.
func (m *machine) missing(keys []string) (n int) {
	m.Helper()
	u := use(m.T, config.LocalRedis{Dir: m.c.Dir})
	u.eventually()
	for _, key := range keys {
		got, err := u.c.Exists(m.Context(), key).Result()
		require.NoError(m, err)
		n += 1 - int(got)
	}
	return n
}

// slowDown makes the disk slow and returns once it is at it. It stays at it for longer than a test takes to cut the power, on any machine.
func (m *machine) slowDown() {
	m.Helper()
	require.NoError(m, os.WriteFile(m.slow, []byte("120"), 0o600))
	before := strings.Count(m.synced(), "begin")
	require.Eventually(m, func() bool {
		_ = m.client.Set(m.Context(), "more", "1", 0).Err()
		return strings.Count(m.synced(), "begin") > before
	}, 2*time.Minute, time.Millisecond)
}

// TestPowerCut: with fsync always nothing that was answered is missing after a loss of the machine. That the layer drops
// something shows everysec, which loses what it had not synced.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for policy, all := range map[string]bool{config.FsyncAlways: true, config.FsyncEverySec: false} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			m := startMachine(t, policy)
			ctx, stop := context.WithCancel(t.Context())
			if !all {
				m.slowDown()
			}
			answered := m.write(ctx, func(n int) {
				if n >= 1000 {
					stop()
				}
			})
			m.cutPower()
			missing := m.missing(answered)
			if all {
				require.Zero(t, missing, "of %d", len(answered))
			} else {
				require.NotZero(t, missing, "of %d", len(answered))
			}
		})
	}
}

// TestServerKilledWhileTheDiskIsSlow: everysec may lose answered writes also when the server alone is killed, as it holds
// them back while an fsync is under way; always loses none.
func TestServerKilledWhileTheDiskIsSlow(t *testing.T) {
	t.Parallel()
	t.Run(config.FsyncEverySec, func(t *testing.T) {
		t.Parallel()
		m := startMachine(t, config.FsyncEverySec)
		m.slowDown()
		var kill sync.Once
		answered := m.write(t.Context(), func(n int) {
			if n >= 500 {
				kill.Do(func() {
					require.NoError(t, m.other.cmd.Process.Kill())
					require.NoError(t, syscall.Kill(m.other.pid, syscall.SIGKILL))
				})
			}
		})
		require.NotZero(t, m.missing(answered), "of %d", len(answered))
	})
	t.Run(config.FsyncAlways, func(t *testing.T) {
		t.Parallel()
		m := startMachine(t, config.FsyncAlways)
		require.NoError(t, os.WriteFile(m.slow, []byte("3"), 0o600))
		var kill sync.Once
		answered := m.write(t.Context(), func(n int) {
			if n >= 8 {
				kill.Do(func() {
					require.NoError(t, m.other.cmd.Process.Kill())
					require.NoError(t, syscall.Kill(m.other.pid, syscall.SIGKILL))
				})
			}
		})
		require.NoError(t, os.Remove(m.slow))
		require.Zero(t, m.missing(answered), "of %d", len(answered))
	})
}
