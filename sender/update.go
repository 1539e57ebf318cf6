package sender

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender/internal/registry"
)

// updateTries is how often a change is tried again because somebody else's came first.
const updateTries = 10

// retryChanged calls change again where somebody else's change came first. After updateTries it returns a conflict, which says
// that what is being changed by others all the time.
func retryChanged(what string, change func() error) error {
	for range updateTries {
		if err := change(); !errors.Is(err, registry.ErrChanged) {
			return err
		}
	}
	return &Error{Code: CodeConflict, Message: what + " is being changed by others all the time; try again"}
}

// UpdateWebhook changes the given fields of a webhook. A new secret or URL counts from the next attempt on, also for deliveries
// that wait.
func (s *Sender) UpdateWebhook(ctx context.Context, account, id string, u WebhookUpdate) (Webhook, error) {
	_, _ = s.catalogue(ctx) // see CreateWebhook
	if err := s.checkUpdate(u); err != nil {
		return Webhook{}, err
	}
	var w Webhook
	err := retryChanged("the webhook", func() error {
		shard, r, err := s.record(ctx, account, id)
		if err != nil {
			return err
		}
		old := r.public
		m, err := s.applyUpdate(r, u)
		if err != nil {
			return err
		}
		status := ""
		if u.Status != nil {
			status = string(*u.Status)
		}
		if err := s.storeUpdate(ctx, shard, r, m, status, &old); err != nil {
			return s.writeError("update", err)
		}
		if status != "" {
			r.Status = status
		}
		if r.public.URL != old.URL {
			r.HeldUntil = time.Time{} // see update.lua
		}
		if r.public.Filter != old.Filter {
			r.FilterFails = 0 // as well
		}
		w = r.webhook()
		return nil
	})
	return w, err
}

// storeUpdate stores a changed webhook, if it is still stored as it was read. old is its public part as it was read.
func (s *Sender) storeUpdate(ctx context.Context, shard int, r *record, m meta, status string, old *publicPart) error {
	return s.registry.Update(ctx, shard, registry.Change{
		Lane: r.Lane, Account: r.Account, Version: r.Version, Status: status, URLChanged: r.public.URL != old.URL,
		Old: old.stored(r.Lane, r.Meta), New: r.stored(m),
	})
}

func (s *Sender) checkUpdate(u WebhookUpdate) error {
	if u.Secret != nil {
		if err := checkSecret("secret", *u.Secret); err != nil {
			return err
		}
	}
	if u.Headers != nil {
		if err := s.checkHeaders(*u.Headers); err != nil {
			return err
		}
	}
	if u.Status != nil {
		if err := checkStatus(*u.Status); err != nil {
			return err
		}
	}
	if u.SecretOverlap < 0 || u.SecretOverlap > config.MaxSecretOverlap {
		return invalid("secretOverlap", "an overlap is a duration up to %s, such as 24h", config.FormatDuration(config.MaxSecretOverlap))
	}
	return nil
}

// applyUpdate changes r as u says and returns its new meta.
func (s *Sender) applyUpdate(r *record, u WebhookUpdate) (meta, error) {
	m, err := r.decodeMeta()
	if err != nil {
		return m, err
	}
	if u.Change != nil {
		w := r.webhook()
		w.Settings = w.Settings.clone()
		if err := u.Change(&w); err != nil {
			return m, err
		}
		if err := s.checkSettings(&r.public.Settings, &w.Settings); err != nil {
			return m, err
		}
		r.public.Settings = w.Settings
		m.setFrom(&w.Settings)
	}
	now, hadKey := time.Now(), m.Key != ""
	changed, err := s.changeSigning(r, &m, &u, now)
	if err != nil {
		return m, err
	}
	switch {
	case u.Secret == nil && u.SecretOverlap > 0 && !changed:
		return m, invalid("secretOverlap", "an overlap goes with a new secret, with rotateKey or with another signing")
	case u.Secret == nil:
	case hadKey || m.Key != "": // the secret does not make webhook-signature, or did until now, which changeSigning has recorded
		sealed, err := s.seal(r.Account, r.Lane, *u.Secret)
		if err != nil {
			return m, err
		}
		m.Secret = sealed
	default:
		if err := s.rotateSecret(r, &m, *u.Secret, now, u.SecretOverlap); err != nil {
			return m, err
		}
	}
	if u.Headers != nil {
		sealed, err := s.sealHeaders(r.Account, r.Lane, *u.Headers)
		if err != nil {
			return m, err
		}
		m.Headers = sealed
		r.public.HeaderNames = slices.Sorted(maps.Keys(*u.Headers))
	}
	if err := s.setAuth(r, &m, u.Auth); err != nil {
		return m, err
	}
	return m, checkAuthConflicts(&r.public)
}

// rotateSecret changes the secret in m. The one before signs too until the overlap ends. A change to the secret that the webhook
// already has is the repetition of one whose answer was lost: it must not replace the one before.
func (s *Sender) rotateSecret(r *record, m *meta, secret string, now time.Time, overlap time.Duration) error {
	until := now.Add(overlap).Unix() + 1 // whole seconds: rather longer than shorter
	current, err := s.open(r.Account, r.Lane, m.Secret)
	switch {
	case overlap == 0:
		m.OldSecret, m.OldSecretUntil = "", 0
	case err != nil || current != secret:
		m.OldSecret, m.OldSecretUntil = m.Secret, until
	case now.Unix() < m.OldSecretUntil:
		m.OldSecretUntil = until
	}
	m.Secret, err = s.seal(r.Account, r.Lane, secret)
	return err
}
