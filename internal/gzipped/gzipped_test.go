package gzipped_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/gzipped"
)

func TestAccepted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lines []string
		want  bool
	}{
		{nil, false},
		{[]string{""}, false},
		{[]string{"br"}, false},
		{[]string{"gzip"}, true},
		{[]string{"br, GZIP;q=0.5"}, true},
		{[]string{"br", "gzip"}, true},
		{[]string{"gzip; q=0.001"}, true},
		{[]string{"gzip ; Q = 0"}, false},
		{[]string{"gzip;q=0.000"}, false},
		{[]string{"gzip;q=none"}, false},
		{[]string{"x-gzip"}, false},
		{[]string{"identity, *;q=0"}, false},
	} {
		require.Equal(t, c.want, gzipped.Accepted(http.Header{"Accept-Encoding": c.lines}), "%q", c.lines)
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	for _, content := range [][]byte{{}, []byte("a"), bytes.Repeat([]byte("abc"), 100_000)} {
		z, err := gzip.NewReader(bytes.NewReader(gzipped.Bytes(content)))
		require.NoError(t, err)
		got, err := io.ReadAll(z)
		require.NoError(t, err)
		require.True(t, bytes.Equal(content, got))
	}
}
