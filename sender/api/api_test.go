package api_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/videocloud/webhooks/internal/apitest"
	"github.com/videocloud/webhooks/sender/api"
)

func TestAPI(t *testing.T) {
	t.Parallel()
	apitest.Run(t, func(t *testing.T, o api.Options) http.Handler {
		o.Service = newFake()
		h, err := api.New(o)
		require.NoError(t, err)
		return h
	})
}
