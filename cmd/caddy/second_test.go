//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// The kernel lets a second Caddy share the ports of the first, so nothing fails: it has to be told.
func TestLesson75ASecondCaddyIsTold(t *testing.T) {
	t.Parallel()
	const told = "another process listens on the same address"
	first := newGateway(t, "memory", "", "respond ok")
	text, err := os.ReadFile(filepath.Join(first.dir, "Caddyfile"))
	require.NoError(t, err)
	admin := redistest.FreePort(t)
	dir := t.TempDir()
	second := filepath.Join(dir, "Caddyfile")
	text = []byte(strings.NewReplacer(fmt.Sprint("admin 127.0.0.1:", first.admin), fmt.Sprint("admin 127.0.0.1:", admin), first.dir, dir).Replace(string(text)))
	require.NoError(t, os.WriteFile(second, text, 0o600))

	log := filepath.Join(dir, "log")
	out, err := os.Create(log)
	require.NoError(t, err)
	defer out.Close()
	cmd := exec.Command(os.Args[0], "run", "--config", second, "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), asCaddy+"=1")
	cmd.Stdout, cmd.Stderr = out, out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	logged := func() string {
		text, err := os.ReadFile(log)
		require.NoError(t, err)
		return string(text)
	}
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", admin))
		return err == nil && conn.Close() == nil && strings.Contains(logged(), told)
	}, 2*time.Minute, 10*time.Millisecond, "%s", logged)
	require.Contains(t, logged(), fmt.Sprintf(`"address":"127.0.0.1:%d"`, first.port))

	// A Caddy that is alone is told nothing.
	alone := newGateway(t, "memory", "", "respond ok")
	alone.kill()
	require.NotContains(t, alone.out.String(), told)
}
