package freeport

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// otherProcessEnv has this program find so many ports, print them, and end when its input does.
const otherProcessEnv = "FREEPORT_OTHER_PROCESS"

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(otherProcessEnv)); err == nil {
		for range n {
			fmt.Println(Find())
		}
		fmt.Println()
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	os.Exit(m.Run())
}

// No port is found again before its server listens, even by callers at the same time.
func TestFindGivesNoPortTwice(t *testing.T) {
	var mu sync.Mutex
	seen := map[int]bool{}
	var finders sync.WaitGroup
	for range 8 {
		finders.Go(func() {
			for range 100 {
				port, err := Find()
				mu.Lock()
				if err != nil || seen[port] || port < first || port > last {
					t.Errorf("port %d: %v", port, err)
				}
				seen[port] = true
				mu.Unlock()
			}
		})
	}
	finders.Wait()
	require.Len(t, seen, 800)
}

// The tests of several packages run at the same time, each in a process of its own: none gets a port that another one reserved, also
// while the server of that port is down.
func TestFindGivesNoPortOfAnotherProcess(t *testing.T) {
	const theirs, ours = 200, 800 // of 11,000: without reservations some would be the same
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), otherProcessEnv+"="+strconv.Itoa(theirs))
	stdin, err := other.StdinPipe()
	require.NoError(t, err)
	stdout, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	taken := map[int]bool{}
	for lines := bufio.NewScanner(stdout); lines.Scan() && lines.Text() != ""; {
		port, err := strconv.Atoi(strings.TrimSuffix(lines.Text(), " <nil>"))
		require.NoError(t, err)
		taken[port] = true
	}
	require.Len(t, taken, theirs)
	for range ours {
		port, err := Find()
		require.NoError(t, err)
		require.False(t, taken[port])
	}
	require.NoError(t, stdin.Close())
	require.NoError(t, other.Wait())
}
