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
	// tokenLease is how long a process has to ask for a token before another may: less than an attempt's time, so that
	// those who wait for a process that died still get theirs.
	tokenLease = 8 * time.Second
	// tokenPoll is how often a process looks whether another has got the token.
	tokenPoll = 100 * time.Millisecond
	// renewWait is how long an attempt waits for a new token while the one there is still good.
	renewWait = 2 * time.Second
	// unsaidLifetime is how long a token is kept of which the authorization server does not say how long it is good.
	unsaidLifetime = time.Hour
)

// tokens are the access tokens of one webhook. Every process that delivers for it shares one through the store, where it
// is sealed: whoever finds none there asks for one while the others wait, so neither a delivery nor a restart costs a
// request to the authorization server.
//
//	get ──► in this process ──► in the store ──► ask, alone ──► authorization server
type tokens struct {
	s       *Sender
	lane    string
	account string
	id      string // of the auth that it is for: a token for another is none
	config  clientcredentials.Config

	mu      sync.Mutex
	current *token
	spent   string // the record that another is wanted for
	flight  *flight
	style   oauth2.AuthStyle
	enough  time.Duration // see renewWait
}

// token is an access token as this process keeps it.
type token struct {
	tokenRecord
	record string    // as it is in the store
	renew  time.Time // from when on another is asked for, while this one is still good
	ends   time.Time
}

// tokenRecord is an access token as the store keeps it, sealed.
type tokenRecord struct {
	Token string           `json:"t"`
	For   string           `json:"f"` // the auth it is for
	Early int64            `json:"e"` // ms before its end at which another is asked for
	Style oauth2.AuthStyle `json:"s"` // how the authorization server takes the client's credentials
}

// flight is the search for a token, which several attempts wait for.
type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int
	token   *token
	err     error
}

func (s *Sender) newTokens(lane string, m *meta, a *Auth) *tokens {
	t := &tokens{s: s, lane: lane, account: m.Account, id: m.AuthID, style: oauth2.AuthStyleInHeader, enough: renewWait}
	t.config = clientcredentials.Config{ClientID: a.ClientID, ClientSecret: a.ClientSecret, TokenURL: a.TokenURL}
	if a.Scope != "" {
		t.config.Scopes = []string{a.Scope} // they are joined by spaces, as they were given
	}
	return t
}

// get returns a token that is good now.
func (t *tokens) get(ctx context.Context) (*token, error) {
	t.mu.Lock()
	have, now := t.current, time.Now()
	if have != nil && !now.Before(have.ends) {
		have = nil
	}
	if have != nil && (now.Before(have.renew) || t.flight != nil) {
		t.mu.Unlock()
		return have, nil
	}
	f := t.flight
	if f == nil {
		f = t.fly(ctx)
	}
	f.waiting++
	t.mu.Unlock()
	var enough <-chan time.Time
	if have != nil {
		timer := time.NewTimer(t.enough)
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
		if t.flight == f {
			t.flight = nil // who comes now begins another
		}
	}
	switch {
	case f.token != nil:
		return f.token, nil
	case have != nil: // it is still good, and the next try is a while away
		have.renew = time.Now().Add(min(time.Until(have.ends)/4, time.Minute))
		return have, nil
	case f.err != nil:
		return nil, f.err
	}
	return nil, &tokenError{says: "the authorization server gave no token in time", cause: ctx.Err()}
}

// fly begins the search for a token. It is not bound to the attempt that began it, but to there being any that wait.
func (t *tokens) fly(ctx context.Context) *flight {
	f := &flight{done: make(chan struct{})}
	ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	t.flight = f
	known := t.spent
	if t.current != nil {
		known = t.current.record
	}
	t.s.running.Go(func() {
		defer f.cancel()
		found, err := t.find(ctx, known)
		t.mu.Lock()
		defer t.mu.Unlock()
		f.token, f.err = found, err
		if t.flight == f {
			t.flight = nil
		}
		if found != nil {
			t.current, t.style = found, found.Style
		}
		close(f.done)
	})
	return f
}

// find looks for a token other than the known one in the store, or asks for one.
func (t *tokens) find(ctx context.Context, known string) (*token, error) {
	shard, err := t.s.shard(ctx, t.account)
	if err != nil {
		return nil, err
	}
	process := queue.NewJobID(newUUID())
	for {
		there, err := t.s.registry.ClaimToken(ctx, shard, t.lane, known, process, tokenLease)
		switch {
		case err != nil:
			return nil, t.s.unavailable("token", err)
		case there.Ask:
			return t.ask(ctx, shard, process)
		case there.Record != "":
			if found := t.read(there.Record, there.Left); found != nil {
				return found, nil
			}
			known = there.Record // for another auth, or sealed with a key that is not there any more
			continue
		}
		if !redisstore.Pause(ctx, tokenPoll) {
			return nil, ctx.Err()
		}
	}
}

// ask gets a token from the authorization server, and shares it.
func (t *tokens) ask(ctx context.Context, shard int, process string) (*token, error) {
	r, lifetime, err := t.fetch(ctx)
	found := &token{tokenRecord: r}
	if err == nil {
		text, _ := json.Marshal(r) // strings and numbers
		found.record, err = t.s.seal(t.account, t.lane, string(text))
	}
	// Whoever waits for this one, here or elsewhere, is to hear of it also where the attempt that began it has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenLease)
	defer cancel()
	if e := t.s.registry.StoreToken(ctx, shard, t.account, t.lane, process, found.record, lifetime); e != nil && err == nil {
		t.s.log.Warn("an access token could not be shared; other processes ask for their own", "webhook_id", webhookPrefix+t.lane, "error", e)
	}
	if err != nil {
		return nil, err
	}
	found.good(time.Now(), lifetime)
	return found, nil
}

// good sets until when a token is used.
func (t *token) good(now time.Time, left time.Duration) {
	t.ends = now.Add(left)
	t.renew = t.ends.Add(-time.Duration(t.Early) * time.Millisecond)
}

// read opens a record of the store; nil where it is no token for this webhook as it is now.
func (t *tokens) read(record string, left time.Duration) *token {
	text, err := t.s.open(t.account, t.lane, record)
	if err != nil {
		return nil
	}
	found := &token{record: record}
	if json.Unmarshal([]byte(text), &found.tokenRecord) != nil || found.For != t.id {
		return nil
	}
	found.good(time.Now(), left)
	return found
}

// refused forgets a token that the endpoint did not take. Of the attempts that it was refused to, the first does.
func (t *tokens) refused(ctx context.Context, used *token) {
	t.mu.Lock()
	isCurrent := t.current == used
	if isCurrent {
		t.current, t.spent = nil, used.record
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

// forgetStaleToken forgets a webhook's token where it is not sealed with the first key; the next attempt asks for another.
func (s *Sender) forgetStaleToken(ctx context.Context, shard int, account, lane string) {
	record, err := s.registry.Token(ctx, shard, lane)
	if err != nil || record == "" {
		return // there is none, or the store is down, which the next call finds out
	}
	if _, current, err := s.sealer.Open(record, seal.AssociatedData(account, lane)); err == nil && current {
		return
	}
	s.forgetToken(ctx, account, lane, record)
}
