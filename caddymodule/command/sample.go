package command

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/adminapi"
)

// exampleTime is how long a running Caddy that nobody named is waited for. It may be anything that listens there.
const exampleTime = time.Second

// exampleOf returns data for a test of an event type: what was given for it at run time, which only a running Caddy knows, otherwise the
// documented one. made is whether a running Caddy had one. Where nobody said which Caddy to ask, none needs to be there.
func exampleOf(ctx context.Context, f *adminFlags, event string) (data string, made bool, err error) {
	if !f.given() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, exampleTime)
		defer cancel()
	}
	found, err := fetch[adminapi.Example](ctx, f, http.MethodGet, pathOf("/webhooks/example", map[string]string{"event": event}), nil)
	switch {
	case err == nil:
		return cmp.Or(found.value.Example, config.Example(event)), found.value.Made, nil
	case f.given():
		return "", false, err
	default:
		return config.Example(event), false, nil
	}
}
