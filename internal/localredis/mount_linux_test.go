package localredis_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
)

// TestFullDisk: what was answered is there when there is room again; until then nothing is answered.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	c := config.LocalRedis{Dir: folder(t)}
	require.NoError(t, os.MkdirAll(c.Dir, 0o700))
	if err := mount(c.Dir, "size=4m,mode=0700"); err != nil {
		t.Skipf("a small disk can't be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(c.Dir, 0) })
	u := use(t, c)
	taken := 0
	for ; taken < 1000; taken++ {
		if u.c.Set(t.Context(), fmt.Sprint("key", taken), strings.Repeat("v", 20_000), 0).Err() != nil {
			break
		}
	}
	require.Greater(t, taken, 50)
	require.Less(t, taken, 1000)
	full := "the disk of " + c.Dir + " is full; make room on it"
	require.Eventually(t, func() bool { return strings.Contains(u.problem(), full) }, 2*time.Minute, 10*time.Millisecond)
	require.NoError(t, syscall.Mount("tmpfs", c.Dir, "tmpfs", syscall.MS_REMOUNT, "size=16m,mode=0700"))
	u.eventually()
	for i := range taken {
		n, err := u.c.StrLen(t.Context(), fmt.Sprint("key", i)).Result()
		require.NoError(t, err)
		require.Equal(t, int64(20_000), n, "key %d of %d", i, taken)
	}
	u.end() // before the disk goes
}

// mount puts a small disk on a folder.
func mount(dir, options string) error { return syscall.Mount("tmpfs", dir, "tmpfs", 0, options) }
