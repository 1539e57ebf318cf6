package sender

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/videocloud/webhooks/internal/queue"
	"github.com/videocloud/webhooks/internal/redisstore"
	"github.com/videocloud/webhooks/internal/seal"
)

const (
	// tokenLease is how long a process has to fetch a token before another process may. It is shorter than an attempt, so that those
	// who wait for a process that died still get their token.
	tokenLease = 8 * time.Second
	// tokenPoll is how often a process checks whether another has fetched the token.
	tokenPoll = 100 * time.Millisecond
	// renewWait is how long an attempt waits for a new token while the old one is still valid.
	renewWait = 2 * time.Second
	// defaultTokenLifetime is the lifetime of a token for which the authorization server states none.
	defaultTokenLifetime = time.Hour
)

// tokenSource provides the access tokens of one webhook. Every process that delivers to it shares one through the store, where it
// is sealed: the process that finds none there fetches one while the others wait. So neither a delivery nor a restart costs a
// request to the authorization server.
//
//	get ──► in this process ──► in the store ──► fetch, in one process ──► authorization server
type tokenSource struct {
	s       *Sender
	lane    string
	account string
	id      string // of the Auth that it is for: tokens for another can't be used
	config  clientcredentials.Config

	mu        sync.Mutex
	current   *token
	rejected  string // the record of a token that the endpoint refused
	search    *tokenSearch
	style     oauth2.AuthStyle
	renewWait time.Duration // see renewWait
}

// token is an access token as this process keeps it.
type token struct {
	tokenRecord
	record  string    // as it is in the store
	renewAt time.Time // when another is fetched, although this one is still valid
	expires time.Time
}

// tokenRecord is an access token as the store keeps it, sealed.
type tokenRecord struct {
	Token       string           `json:"t"`
	AuthID      string           `json:"f"` // the Auth that it is for
	RenewBefore int64            `json:"e"` // milliseconds before its expiry at which another is fetched
	Style       oauth2.AuthStyle `json:"s"` // how the authorization server takes the client's credentials
}

// tokenSearch is a search for a token that several attempts wait for.
type tokenSearch struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int
	token   *token
	err     error
}

func (s *Sender) newTokenSource(lane string, m *meta, a *Auth) *tokenSource {
	t := &tokenSource{s: s, lane: lane, account: m.Account, id: m.AuthID, style: oauth2.AuthStyleInHeader, renewWait: renewWait}
	t.config = clientcredentials.Config{ClientID: a.ClientID, ClientSecret: a.ClientSecret, TokenURL: a.TokenURL}
	if a.Scope != "" {
		t.config.Scopes = []string{a.Scope} // they are joined by spaces, as they were given
	}
	return t
}

// get returns a token that is valid now.
func (t *tokenSource) get(ctx context.Context) (*token, error) {
	t.mu.Lock()
	have, now := t.current, time.Now()
	if have != nil && !now.Before(have.expires) {
		have = nil
	}
	if have != nil && (now.Before(have.renewAt) || t.search != nil) {
		t.mu.Unlock()
		return have, nil
	}
	f := t.search
	if f == nil {
		f = t.startSearch(ctx)
	}
	f.waiting++
	t.mu.Unlock()
	var enough <-chan time.Time
	if have != nil {
		timer := time.NewTimer(t.renewWait)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case <-f.done:
	case <-ctx.Done():
	case <-enough:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		f.cancel()
		if t.search == f {
			t.search = nil // later callers begin another
		}
	}
	switch {
	case f.token != nil:
		return f.token, nil
	case have != nil: // it is still valid; the next try comes later
		have.renewAt = time.Now().Add(min(time.Until(have.expires)/4, time.Minute))
		return have, nil
	case f.err != nil:
		return nil, f.err
	}
	return nil, &tokenError{text: "the authorization server gave no token in time", cause: ctx.Err()}
}

// startSearch begins the search for a token. It ends when no attempt waits for it any more, and not with the attempt that began
// it.
func (t *tokenSource) startSearch(ctx context.Context) *tokenSearch {
	f := &tokenSearch{done: make(chan struct{})}
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	t.search = f
	staleRecord := t.rejected
	if t.current != nil {
		staleRecord = t.current.record
	}
	t.s.running.Go(func() {
		defer f.cancel()
		found, err := t.find(ctx, staleRecord)
		t.mu.Lock()
		defer t.mu.Unlock()
		f.token, f.err = found, err
		if t.search == f {
			t.search = nil
		}
		if found != nil {
			t.current, t.style = found, found.Style
		}
		close(f.done)
	})
	return f
}

// find returns a token from the store whose record is not the given one, or fetches one.
func (t *tokenSource) find(ctx context.Context, staleRecord string) (*token, error) {
	shard, err := t.s.shard(ctx, t.account)
	if err != nil {
		return nil, err
	}
	process := queue.NewJobID(newUUID())
	for {
		claimed, err := t.s.registry.ClaimToken(ctx, shard, t.lane, staleRecord, process, tokenLease)
		switch {
		case err != nil:
			return nil, t.s.unavailable("token", err)
		case claimed.MustFetch:
			return t.requestAndShare(ctx, shard, process)
		case claimed.Record != "":
			if found := t.openRecord(claimed.Record, claimed.Lifetime); found != nil {
				return found, nil
			}
			staleRecord = claimed.Record // for another Auth, or sealed with a key that is gone
			continue
		}
		if !redisstore.Sleep(ctx, tokenPoll) {
			return nil, ctx.Err()
		}
	}
}

// requestAndShare fetches a token from the authorization server, and stores it for all processes.
func (t *tokenSource) requestAndShare(ctx context.Context, shard int, process string) (*token, error) {
	r, lifetime, err := t.fetch(ctx)
	found := &token{tokenRecord: r}
	if err == nil {
		text, _ := json.Marshal(r) // strings and numbers
		found.record, err = t.s.seal(t.account, t.lane, string(text))
	}
	// Other attempts, here and in other processes, wait for the result, also where the attempt that began the search has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenLease)
	defer cancel()
	if e := t.s.registry.StoreToken(ctx, shard, t.account, t.lane, process, found.record, lifetime); e != nil && err == nil {
		t.s.log.Warn("an access token could not be shared; other processes ask for their own", "webhook_id", webhookPrefix+t.lane, "error", e)
	}
	if err != nil {
		return nil, err
	}
	found.setLifetime(time.Now(), lifetime)
	return found, nil
}

// setLifetime sets until when a token is used.
func (t *token) setLifetime(now time.Time, left time.Duration) {
	t.expires = now.Add(left)
	t.renewAt = t.expires.Add(-time.Duration(t.RenewBefore) * time.Millisecond)
}

// openRecord opens a record of the store. It returns nil where that holds no token for the present Auth of the webhook.
func (t *tokenSource) openRecord(record string, left time.Duration) *token {
	text, err := t.s.open(t.account, t.lane, record)
	if err != nil {
		return nil
	}
	found := &token{record: record}
	if json.Unmarshal([]byte(text), &found.tokenRecord) != nil || found.AuthID != t.id {
		return nil
	}
	found.setLifetime(time.Now(), left)
	return found
}

// reject discards a token that the endpoint did not accept. Of all attempts with that token, the first does so.
func (t *tokenSource) reject(ctx context.Context, used *token) {
	t.mu.Lock()
	isCurrent := t.current == used
	if isCurrent {
		t.current, t.rejected = nil, used.record
	}
	t.mu.Unlock()
	if isCurrent {
		t.s.forgetToken(ctx, t.account, t.lane, used.record)
	}
}

func (s *Sender) forgetToken(ctx context.Context, account, lane, record string) {
	shard, err := s.shard(ctx, account)
	if err == nil {
		err = s.registry.DropToken(ctx, shard, lane, record)
	}
	if err != nil {
		s.log.Warn("an access token that was refused could not be forgotten for all processes", "webhook_id", webhookPrefix+lane, "error", err)
	}
}

// forgetStaleToken discards a webhook's token where it is not sealed with the first key; the next attempt fetches another.
func (s *Sender) forgetStaleToken(ctx context.Context, shard int, account, lane string) {
	record, err := s.registry.Token(ctx, shard, lane)
	if err != nil || record == "" {
		return // there is none, or the store is down, which the next call reports
	}
	if _, current, err := s.sealer.Open(record, seal.AssociatedData(account, lane)); err == nil && current {
		return
	}
	s.forgetToken(ctx, account, lane, record)
}
