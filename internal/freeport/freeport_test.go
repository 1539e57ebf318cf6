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

// elsewhereEnv has this program be another one that finds so many ports, says which, and ends with its input.
const elsewhereEnv = "FREEPORT_ELSEWHERE"

func TestMain(m *testing.M) {
	if n, err := strconv.Atoi(os.Getenv(elsewhereEnv)); err == nil {
		for range n {
			fmt.Println(Find())
		}
		fmt.Println()
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	os.Exit(m.Run())
}

// Two servers of one test once got one port: it was handed out again before the first of them listened.
func TestFindGivesNoPortTwice(t *testing.T) {
	var mu sync.Mutex
	seen := map[int]bool{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
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
	all.Wait()
	require.Len(t, seen, 800)
}

// The tests of several packages run at once, each in a process of its own: none gets a port that another one's server has left for a moment.
func TestFindGivesNoPortOfAnotherProcess(t *testing.T) {
	const theirs, ours = 200, 800 // of 11,000: some would be the same by chance
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), elsewhereEnv+"="+strconv.Itoa(theirs))
	stop, err := other.StdinPipe()
	require.NoError(t, err)
	says, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	taken := map[int]bool{}
	for lines := bufio.NewScanner(says); lines.Scan() && lines.Text() != ""; {
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
	require.NoError(t, stop.Close())
	require.NoError(t, other.Wait())
}
