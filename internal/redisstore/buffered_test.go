package redisstore

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A client asks again where a connection has ended, and only there: it has to hear of that also when the server closed it before the client came to
// use it, which was told in other words.
func TestAConnectionThatTheServerClosedHasEnded(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	c := newBuffered(near)
	defer c.Close()
	require.NoError(t, far.Close())
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Hour)))
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.EventuallyWithT(t, func(found *assert.CollectT) {
		_, err := c.Write([]byte("PING\r\n"))
		assert.ErrorIs(found, err, io.EOF)
	}, 2*time.Minute, time.Millisecond)
}
