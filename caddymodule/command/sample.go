package command

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/adminapi"
)

// sample returns data for an event type: the documented one, or that of its group.
func sample(event string) string { return config.Example(event) }

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
	found, err := askExample(ctx, f, event)
	switch {
	case err == nil:
		return cmp.Or(found.Example, sample(event)), found.Made, nil
	case f.given():
		return "", false, err
	default:
		return sample(event), false, nil
	}
}

func askExample(ctx context.Context, f *adminFlags, event string) (adminapi.Example, error) {
	a, err := f.connect()
	if err != nil {
		return adminapi.Example{}, err
	}
	text, err := a.ask(ctx, http.MethodGet, pathOf("/webhooks/example", map[string]string{"event": event}), nil)
	if err != nil {
		return adminapi.Example{}, err
	}
	return decode[adminapi.Example](text)
}
