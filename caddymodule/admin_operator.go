package caddymodule

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

// operated returns the sender of the running configuration.
func (a *App) operated() (*sender.Sender, error) {
	if a.running == nil {
		return nil, errNoSender
	}
	return a.running, nil
}

// accountOf returns the account that was named, or the one that id belongs to.
func accountOf(r *http.Request, s *sender.Sender, account, id string) (string, error) {
	switch {
	case id == "":
		return "", &badRequest{"id is missing"}
	case account != "":
		return account, nil
	}
	return s.AccountOf(r.Context(), id)
}

// listAnswer is a list.
type listAnswer[T any] struct {
	Items []T `json:"items"`
}

// listWebhooks answers GET /webhooks/webhooks?account=&status=.
func listWebhooks(r *http.Request, a *App) (int, any, error) {
	param, err := parameters(r, "account", "status")
	if err != nil {
		return 0, nil, err
	}
	s, err := a.operated()
	if err != nil {
		return 0, nil, err
	}
	answer := listAnswer[sender.WebhookInfo]{Items: []sender.WebhookInfo{}}
	err = s.EachWebhook(r.Context(), param("account"), func(w sender.WebhookInfo) error {
		if matches(param("status"), string(w.Status)) {
			answer.Items = append(answer.Items, w)
		}
		return nil
	})
	return http.StatusOK, answer, err
}

// eventAnswer is a page of an account's events.
type eventAnswer struct {
	Items      []sender.EventSummary `json:"items"`
	NextCursor string                `json:"nextCursor,omitempty"`
}

// listEvents answers GET /webhooks/events?account=&event=&since=&until=&limit=&cursor=, as the API's GET /events does.
func listEvents(r *http.Request, a *App) (int, any, error) {
	param, err := parameters(r, "account", "event", "since", "until", "limit", "cursor")
	if err != nil {
		return 0, nil, err
	}
	s, err := a.operated()
	if err != nil {
		return 0, nil, err
	}
	f := sender.EventFilter{Type: param("event"), Cursor: param("cursor")}
	for name, to := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if text := param(name); text != "" {
			if *to, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return 0, nil, &badRequest{name + " is not a time such as 2024-03-31T12:00:00Z"}
			}
		}
	}
	if text := param("limit"); text != "" {
		if f.Limit, err = strconv.Atoi(text); err != nil {
			return 0, nil, &badRequest{"limit is not a number"}
		}
	}
	account := cmp.Or(param("account"), config.DefaultAccount)
	items, next, err := s.Events(r.Context(), account, f)
	return http.StatusOK, eventAnswer{items, next}, err
}

// findOne makes the handler of a GET for ?id=&account=: of findOne thing in findOne account.
func findOne[V any](find func(s *sender.Sender, ctx context.Context, account, id string) (V, error)) func(*http.Request, *App) (int, any, error) {
	return func(r *http.Request, a *App) (int, any, error) {
		param, err := parameters(r, "id", "account")
		if err != nil {
			return 0, nil, err
		}
		s, err := a.operated()
		if err != nil {
			return 0, nil, err
		}
		account, err := accountOf(r, s, param("account"), param("id"))
		if err != nil {
			return 0, nil, err
		}
		found, err := find(s, r.Context(), account, param("id"))
		return http.StatusOK, found, err
	}
}

// retryDelivery answers POST /webhooks/retry.
func retryDelivery(r *http.Request, a *App) (int, any, error) {
	var q struct{ ID, Account string }
	s, err := a.operated()
	if err != nil {
		return 0, nil, err
	}
	if err := question(r, &q); err != nil {
		return 0, nil, err
	}
	account, err := accountOf(r, s, q.Account, q.ID)
	if err != nil {
		return 0, nil, err
	}
	d, err := s.RetryDelivery(r.Context(), account, q.ID)
	return http.StatusAccepted, d, err
}

// reencrypt answers POST /webhooks/reencrypt.
func reencrypt(r *http.Request, a *App) (int, any, error) {
	s, err := a.operated()
	if err != nil {
		return 0, nil, err
	}
	n, err := s.Reencrypt(r.Context())
	return http.StatusOK, changed{n}, err
}

// notifyTest answers POST /webhooks/notify-test.
func notifyTest(r *http.Request, a *App) (int, any, error) {
	s, err := a.operated()
	if err != nil {
		return 0, nil, err
	}
	list, err := s.TestNotices(r.Context())
	return http.StatusOK, listAnswer[sender.NotifyTest]{Items: list}, err
}

// startReplay answers POST /webhooks/replays.
func startReplay(r *http.Request, a *App) (int, any, error) {
	var q struct {
		WebhookID, Account string
		Since, Until       time.Time
		Events             []string
		State              string
		DryRun             bool
	}
	s, err := a.operated()
	if err != nil {
		return 0, nil, err
	}
	if err := question(r, &q); err != nil {
		return 0, nil, err
	}
	account, err := accountOf(r, s, q.Account, q.WebhookID)
	if err != nil {
		return 0, nil, err
	}
	replay, err := s.StartReplay(r.Context(), account, q.WebhookID, sender.ReplayRequest{
		Since: q.Since, Until: q.Until, Events: q.Events, State: q.State, DryRun: q.DryRun,
	})
	return http.StatusAccepted, replay, err
}
