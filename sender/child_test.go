package sender

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redistest"
	"github.com/videocloud/webhooks/store"
)

// childStore names the variable that makes the test binary a sender on that store, to be killed.
const childStore = "SENDER_TEST_CHILD_STORE"

// childMail names the variable with the server by which such a process mails the operator, at childMailTo.
const (
	childMail   = "SENDER_TEST_CHILD_MAIL"
	childMailTo = "ops@example.com"
)

// childLease names the variable with the lease of such a process, a second without it. One that holds what it claimed for as long as a test wants to is
// not overtaken by itself, however slow the machine is: see leasesEnd.
const childLease = "SENDER_TEST_CHILD_LEASE"

// childSteps names the variable with how many steps of replays such a process makes at most. Without it, as many as there are.
const childSteps = "SENDER_TEST_CHILD_STEPS"

// child delivers until the process is killed, or its parent has gone.
func child() {
	store, err := store.Open(config.Redis{URL: os.Getenv(childStore), Timeout: redistest.Patience}, store.Options{})
	if err != nil {
		panic(err)
	}
	c := testConfig()
	c.Retry = []time.Duration{0}
	if c.SMTPURL = os.Getenv(childMail); c.SMTPURL != "" {
		c.SMTPFrom, c.NotifyEmail = "VideoCloud <webhooks@videocloud.example>", []string{childMailTo}
	}
	s, err := New(Options{Store: store, Config: c})
	if err != nil {
		panic(err)
	}
	lease := time.Second
	if text := os.Getenv(childLease); text != "" {
		if lease, err = time.ParseDuration(text); err != nil {
			panic(err)
		}
	}
	b := (&bundle{Sender: s}).quick(lease, time.Second)
	b.pace = childPace
	if most, err := strconv.Atoi(os.Getenv(childSteps)); err == nil {
		steps := &stepping{}
		steps.allow(most)
		b.store.Client().AddHook(steps)
	}
	if err := b.Start(context.Background()); err != nil {
		panic(err)
	}
	_, _ = os.Stdin.Read(make([]byte, 1)) // ends with the parent
}

// startChild starts a process that delivers from a store, and returns how to kill it.
func startChild(t *testing.T, storeURL string, environment ...string) (kill func()) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(append(os.Environ(), childStore+"="+storeURL), environment...)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			_ = in.Close()
		}
	}
	t.Cleanup(kill)
	return kill
}

// leasesEnd has the time of all leases of an account's shard run out, as if the processes that hold them had been gone for long. It returns how many
// there were.
func (b *bundle) leasesEnd(account string) int {
	b.t.Helper()
	shard, err := b.shard(b.t.Context(), account)
	require.NoError(b.t, err)
	key, c := b.queue.Tag(shard)+"leases", b.store.Client()
	members, err := c.ZRange(b.t.Context(), key, 0, -1).Result()
	require.NoError(b.t, err)
	for _, member := range members {
		require.NoError(b.t, c.ZAddXX(b.t.Context(), key, redis.Z{Member: member}).Err())
	}
	return len(members)
}
