package filter

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCache(t *testing.T) {
	t.Parallel()
	var c Cache
	first, err := c.Get(`data.size > 1`)
	require.NoError(t, err)
	again, err := c.Get(`data.size > 1`)
	require.NoError(t, err)
	require.Same(t, first, again)
	_, err = c.Get(`data.size >`)
	require.Error(t, err)
	for i := range cacheSize + 10 {
		_, err := c.Get(fmt.Sprintf("data.size > %d", i))
		require.NoError(t, err)
	}
	require.LessOrEqual(t, len(c.compiled), cacheSize)
}
