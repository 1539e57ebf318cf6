package caddymodule

import (
	"context"
	"net/http"
	"time"

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
	param, err := known(r, "account", "status")
	if err != nil {
		return 0, nil, err
	}
	s, err := a.operated()
	if err != nil {
		return 0, nil, err
	}
	answer := listAnswer[sender.WebhookInfo]{Items: []sender.WebhookInfo{}}
	err = s.EachWebhook(r.Context(), param("account"), func(w sender.WebhookInfo) error {
		if is(param("status"), string(w.Status)) {
			answer.Items = append(answer.Items, w)
		}
		return nil
	})
	return http.StatusOK, answer, err
}

// one makes the handler of a GET for ?id=&account=: of one thing in one account.
func one[V any](find func(s *sender.Sender, ctx context.Context, account, id string) (V, error)) func(*http.Request, *App) (int, any, error) {
	return func(r *http.Request, a *App) (int, any, error) {
		param, err := known(r, "id", "account")
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
