package caddymodule

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/redistest"
)

// TestExplainOfAStoreThatHangs: explain gives up on a receiver's claims before the client of Redis does, which tries several times.
func TestExplainOfAStoreThatHangs(t *testing.T) {
	redis := redistest.Start(t) // first, so that it ends last
	s := newServer(t)
	s.load(fmt.Sprintf("webhooks {\nredis {\naddress %s\ntimeout 500ms\n}\n}", redis.Addr()), "webhook_receiver github "+testSecret+" {\nname shop\n}\nrespond 200")
	a, err := started.newest()
	require.NoError(t, err)
	require.NoError(t, a.store.Ready(t.Context()))
	require.NoError(t, redis.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err()) // only new connections are tried again
	redis.Freeze()
	defer redis.Thaw()

	gaveUp := make(chan string, 2)
	go func() {
		if _, err := a.receivers[0].Lookup(t.Context(), "evt_1"); err != nil {
			gaveUp <- "the client"
		}
	}()
	go func() {
		if _, err := a.atGateways(t.Context(), "evt_1"); err != nil {
			gaveUp <- "explain"
		}
	}()
	for _, who := range []string{"explain", "the client"} {
		select {
		case first := <-gaveUp:
			require.Equal(t, who, first)
		case <-time.After(2 * time.Minute):
			require.Fail(t, "nobody gives up")
		}
	}
}
