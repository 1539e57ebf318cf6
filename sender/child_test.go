package sender

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/store"
)

// childStore names the variable that makes the test binary a sender on that store, to be killed.
const childStore = "SENDER_TEST_CHILD_STORE"

// childMail names the variable with the server by which such a process mails the operator, at childMailTo.
const (
	childMail   = "SENDER_TEST_CHILD_MAIL"
	childMailTo = "ops@example.com"
)

// child delivers until the process is killed, or its parent has gone.
func child() {
	store, err := store.Open(config.Redis{URL: os.Getenv(childStore)}, store.Options{})
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
	b := (&bundle{Sender: s}).quick(time.Second, time.Second)
	b.pace = childPace
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
