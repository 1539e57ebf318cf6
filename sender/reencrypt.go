package sender

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/videocloud/webhooks/internal/seal"
)

// ErrNoKey means that there is no encryption_key to encrypt with.
var ErrNoKey = errors.New("encryption_key is not set; make a key with: caddy webhook keygen --type encryption")

// ErrUnopened means that a stored secret could not be opened: its key is not among those of encryption_key, or it was changed.
var ErrUnopened = errors.New("some stored secrets can't be opened; put the key that they were encrypted with behind the first one of encryption_key")

// Reencrypt encrypts all stored secrets (signing secrets and keys, header values, auth, those of accounts) with the first
// encryption key: those in the clear, and those encrypted with an older key, which can be removed from the configuration
// afterwards. It returns how many webhooks it changed. Call it once all processes have the new key first.
//
// It may run while events are delivered and webhooks are changed, and be interrupted and run again. A secret that it can't open
// it leaves as it is, goes on with the others, and returns an error that wraps [ErrUnopened] and names the first such webhook.
func (s *Sender) Reencrypt(ctx context.Context) (n int, err error) {
	if !s.sealer.Encrypts() {
		return 0, ErrNoKey
	}
	failed := 0
	var first error
	err = s.EachWebhook(ctx, "", func(w WebhookInfo) error {
		changed, err := s.reseal(ctx, w.Account, w.ID)
		switch {
		case changed:
			n++
		case isUnopened(err):
			if failed++; first == nil {
				first = fmt.Errorf("webhook %s of account %s: %w", w.ID, w.Account, err)
			}
		case err != nil && !errors.Is(err, errNotFound): // deleted in between
			return err
		}
		return nil
	})
	if err == nil {
		err = s.resealAccounts(ctx)
	}
	if err == nil && failed > 0 {
		howMany := fmt.Sprintf("%d webhooks", failed)
		if failed == 1 {
			howMany = "1 webhook"
		}
		err = fmt.Errorf("%w: those of %s, %d encrypted anew, the first of %w", ErrUnopened, howMany, n, first)
	}
	return n, err
}

// isUnopened reports whether err says that a value could not be opened.
func isUnopened(err error) bool {
	return errors.Is(err, seal.ErrUnknownKey) || errors.Is(err, seal.ErrAuthentication) || errors.Is(err, seal.ErrFormat)
}

// reseal encrypts the secrets of a webhook that are not encrypted with the first key, and reports whether there were any.
func (s *Sender) reseal(ctx context.Context, account, id string) (changed bool, err error) {
	err = retryChanged("webhook "+id, func() error {
		shard, r, err := s.record(ctx, account, id)
		if err != nil {
			return err
		}
		m, err := r.decodeMeta()
		if err != nil {
			return err
		}
		stale, err := s.resealMeta(r, &m, time.Now())
		if r.public.Auth != nil && r.public.Auth.Type == AuthOAuth2 {
			s.forgetStaleToken(ctx, shard, account, r.Lane)
		}
		if err != nil || !stale {
			return err
		}
		if err := s.storeUpdate(ctx, shard, r, m, "", &r.public); err != nil {
			return s.writeError("update", err)
		}
		changed = true
		return nil
	})
	return changed, err
}

// resealer encrypts values of one account and lane again, where their key is not the first.
type resealer struct {
	s             *Sender
	account, lane string
	stale         bool  // some were
	err           error // of all that could not be opened or sealed
}

// reseal returns what takes the place of a sealed value.
func (r *resealer) reseal(sealed string) string {
	value, current, err := r.s.sealer.Open(sealed, seal.AssociatedData(r.account, r.lane))
	if err != nil || current {
		r.err = errors.Join(r.err, err)
		return sealed
	}
	r.stale = true
	anew, err := r.s.seal(r.account, r.lane, string(value))
	r.err = errors.Join(r.err, err)
	return anew
}

// resealMeta encrypts the values in m again where their key is not the first, and reports whether it changed any.
func (s *Sender) resealMeta(r *record, m *meta, now time.Time) (stale bool, err error) {
	if m.OldSecret != "" && now.Unix() >= m.OldSecretUntil {
		m.OldSecret, m.OldSecretUntil, stale = "", 0, true // it signs nothing any more, and must not keep an old key in use
	}
	ended := func(k oldKey) bool { return now.Unix() >= k.Until }
	if slices.ContainsFunc(m.OldKeys, ended) {
		m.OldKeys, stale = slices.DeleteFunc(m.OldKeys, ended), true
	}
	again := resealer{s: s, account: r.Account, lane: r.Lane}
	m.eachSealed(again.reseal)
	return stale || again.stale, again.err
}

// resealAccounts encrypts the secrets of accounts again: those that sign notices, and those that make the links in mails.
func (s *Sender) resealAccounts(ctx context.Context) error {
	names, err := s.accountNames(ctx, "", 0)
	if err != nil {
		return err
	}
	for _, name := range names {
		shard, r, err := s.accountRecord(ctx, name)
		if err != nil {
			return err
		}
		if err := s.resealRegistrations(ctx, shard, name); err != nil {
			return err
		}
		if stale, err := s.resealAccount(r); err != nil || !stale {
			if err != nil {
				return fmt.Errorf("%w: those of account %s: %w", ErrUnopened, name, err)
			}
			continue
		}
		_, err = s.changeAccount(ctx, name, func(r *accountRecord) error {
			_, err := s.resealAccount(r)
			return err
		})
		if err != nil && !errors.Is(err, errEnding) {
			return err
		}
	}
	return nil
}

// resealRegistrations encrypts again what idempotency keys were used to ask for, also of webhooks that are deleted.
func (s *Sender) resealRegistrations(ctx context.Context, shard int, account string) error {
	webhooks, err := s.registry.ListWebhooks(ctx, shard, account)
	if err != nil {
		return s.unavailable("list", err)
	}
	lanes, err := s.registry.DeletedLanes(ctx, shard, account)
	if err != nil {
		return s.unavailable("list", err)
	}
	for _, w := range webhooks {
		lanes = append(lanes, w.Lane)
	}
	for _, lane := range lanes {
		made, err := s.registry.AskedFor(ctx, shard, account, lane)
		if err != nil {
			return s.unavailable("read", err)
		}
		if made.Key == "" {
			continue
		}
		again := resealer{s: s, account: account, lane: lane}
		sealed := again.reseal(made.Asked)
		if again.err != nil {
			return fmt.Errorf("%w: that of an idempotency key of account %s: %w", ErrUnopened, account, again.err)
		}
		if !again.stale {
			continue
		}
		if err := s.registry.ResealRegistration(ctx, shard, account, made, sealed); err != nil {
			return s.unavailable("register", err)
		}
	}
	return nil
}

func (s *Sender) resealAccount(r *accountRecord) (stale bool, err error) {
	again := resealer{s: s, account: r.account, lane: accountLane}
	if r.Secret != "" {
		r.Secret = again.reseal(r.Secret)
	}
	for address, key := range r.Keys {
		r.Keys[address] = again.reseal(key)
	}
	return again.stale, again.err
}
