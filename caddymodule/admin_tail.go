package caddymodule

import (
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/videocloud/webhooks/receiver"
)

// tailFilter says which lines are asked for. Empty fields ask for any.
type tailFilter struct {
	webhook, account, name, event string
	failed                        bool
}

func (f *tailFilter) matches(w *watched) bool {
	switch {
	case w.attempt != nil:
		a := w.attempt
		return f.name == "" && matches(f.webhook, a.WebhookID) && matches(f.account, a.Account) && matches(f.event, a.Type, a.EventID) &&
			!(f.failed && a.Outcome == "success")
	case w.received != nil:
		o := w.received
		return f.webhook == "" && f.account == "" && matches(f.name, o.Name) && matches(f.event, o.Event, o.ID) && !(f.failed && receivedWell[o.Outcome])
	case w.delivered != nil:
		d := w.delivered
		return f.webhook == "" && f.account == "" && matches(f.name, d.Name, d.Name+"/"+d.Deliver) && matches(f.event, d.Event, d.ID) && !(f.failed && d.Error == "")
	}
	return true
}

var receivedWell = map[string]bool{
	receiver.ResultAccepted: true, receiver.ResultQueued: true, receiver.ResultDuplicate: true, receiver.ResultChallenge: true,
	receiver.ReasonInFlight: true,
}

// matches reports whether what matches wanted matches one of the values; nothing in particular matches any.
func matches(wanted string, values ...string) bool {
	return wanted == "" || slices.Contains(values, wanted)
}

// tail answers GET /webhooks/tail: a JSON object a line, as it happens in this process, until the client goes or the
// configuration ends.
func tail(w http.ResponseWriter, r *http.Request, a *App) error {
	query, err := parameters(r, "webhook", "account", "name", "event", "failed")
	if err != nil {
		return err
	}
	f := tailFilter{query.Get("webhook"), query.Get("account"), query.Get("name"), query.Get("event"), query.Get("failed") == "true"}
	stream := http.NewResponseController(w)
	// Caddy's admin endpoint gives a request 10 s; this one lasts.
	if err := stream.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	watcher := feed.view()
	defer feed.remove(watcher)
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	lines := json.NewEncoder(w)
	for {
		if err := stream.Flush(); err != nil {
			return nil // the client is gone
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-a.ends:
			return nil
		case line := <-watcher.lines:
			f.write(lines, watcher, line)
		}
	}
}

// write writes a line and what has gathered behind it, with an end to it. Whether the client is still there says the flush that follows.
func (f *tailFilter) write(to *json.Encoder, from *feedWatcher, line watched) {
	for range feedSize {
		if n := from.leftOut.Swap(0); n > 0 {
			_ = to.Encode(watched{leftOut: n})
		}
		if f.matches(&line) {
			_ = to.Encode(line)
		}
		select {
		case line = <-from.lines:
		default:
			return
		}
	}
}
