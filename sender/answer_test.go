package sender

import (
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What an answer says of its length decides about the room for it, and about nothing else: it may say anything.
func TestAnswersOfAnyLength(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"ok", strings.Repeat("x", maxResponse-1), strings.Repeat("x", maxResponse), strings.Repeat("x", 3*maxResponse)} {
		for _, length := range []int64{int64(len(text)), -1, maxResponse - 1, maxResponse, math.MaxInt64} {
			if length >= 0 && length < int64(len(text)) {
				continue // net/http ends a body at its length
			}
			got, err := readAnswer(io.NopCloser(strings.NewReader(text)), length)
			require.NoError(t, err)
			require.Equal(t, text[:min(len(text), maxResponse)], got)
		}
	}
}

func BenchmarkReadAnswer(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = readAnswer(strings.NewReader(`{"ok":true}`), 11)
	}
}
