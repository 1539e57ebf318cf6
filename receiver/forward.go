package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// forward passes the request to the app, and settles the request's claims by the app's answer. An event without an identity
// has no claim, nor has a request that only a dry run lets through.
func (r *Receiver) forward(w http.ResponseWriter, req *http.Request, x *exchange, next Next) error {
	ctx, cancel := context.WithTimeout(x.detachedContext(), r.config.Dedup.Timeout)
	defer cancel()
	x.rec = recorder{ResponseWriter: w}
	done := false
	if len(x.claimed) > 0 {
		x.renewer.start(x.detachedContext(), r, x.claimed)
		// Deferred, so that a panic of the app releases the claims.
		defer func() {
			x.renewer.stop()
			r.settle(x.detachedContext(), x.claimed, done)
		}()
	}
	err := x.answered(next(&x.rec, x.forApp(ctx, req)))
	done = x.succeeded(err)
	return err
}

// answered turns [ErrNoApp] into a refusal, or into no error where an answer was written nevertheless.
func (x *exchange) answered(err error) error {
	if err == nil && x.rec.switches {
		err = ErrSwitching
	}
	if !errors.Is(err, ErrNoApp) {
		return err
	}
	if x.rec.wrote() {
		return nil
	}
	return refuse(http.StatusBadGateway, ReasonNoApp, err)
}

// forApp returns the request that the app gets: the same headers and Host, the bytes that were verified,
// and a context that ends with the app's time instead of the sender's connection.
func (x *exchange) forApp(ctx context.Context, req *http.Request) *http.Request {
	out := req.WithContext(ctx)
	switch {
	case x.wholeBody:
		setVerifiedBody(out, &x.reader, x.body)
	case len(x.body) > 0: // of a dry run, which read only its beginning
		out.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(x.body), req.Body), req.Body}
	}
	return out
}

// succeeded reports whether the app answered 2xx, and records the status. The error alone does not tell: a proxy returns
// none for a 500.
func (x *exchange) succeeded(err error) bool {
	x.Status = x.rec.status
	if failure, ok := errors.AsType[*Failure](err); ok && x.Status == 0 {
		x.Status = failure.Status
	}
	ok := err == nil && x.rec.succeeded()
	if ok && x.Status == 0 {
		x.Status = http.StatusOK
	}
	if !ok && x.Result == ResultAccepted {
		x.Result = ResultFailed
	}
	return ok
}

// Failure is an error of the handlers behind a receiver or a queue that stands for a status. The [Outcome] gets that status.
type Failure struct {
	Status int
	Err    error // the cause; nil for none
}

// Error implements error.
func (f *Failure) Error() string {
	if f.Err == nil {
		return fmt.Sprintf("status %d", f.Status)
	}
	return fmt.Sprintf("status %d: %v", f.Status, f.Err)
}

// Unwrap returns the cause of the failure.
func (f *Failure) Unwrap() error { return f.Err }

// settle finishes or releases the claims. It waits for the store, no longer than the store's own timeout, so that every
// gateway knows the event once the sender has its answer.
//
// Failure policy: if this process dies between the app's answer and this record, the claim ends with its
// lease and the sender's next attempt reaches the app a second time. The sender had no answer in this case.
func (r *Receiver) settle(ctx context.Context, claims []*Claim, done bool) {
	end := r.store.Release
	if done {
		end = r.store.Done
	}
	var err error
	for _, c := range claims {
		err = errors.Join(err, end(ctx, c))
	}
	if err != nil {
		r.log.LogAttrs(ctx, slog.LevelError, "webhook not settled", slog.String("webhook_name", r.config.Name),
			slog.Bool("done", done), slog.Any("error", err))
	}
}

// renewer renews the claims of a request, every third of their lease, while the app works.
type renewer struct {
	r      *Receiver
	ctx    context.Context
	claims []*Claim // one or more

	mu       sync.Mutex
	timer    *time.Timer
	deadline time.Time
	stopped  bool
}

func (k *renewer) start(ctx context.Context, r *Receiver, claims []*Claim) {
	k.r, k.ctx, k.claims, k.deadline = r, ctx, claims, time.Now().Add(r.config.Dedup.Timeout)
	k.mu.Lock()
	k.timer = time.AfterFunc(claims[0].Lease/3, k.renew)
	k.mu.Unlock()
}

func (k *renewer) renew() {
	if !time.Now().Before(k.deadline) {
		return // a handler that ignores its timeout must not hold the claims for ever
	}
	var err error
	for _, c := range k.claims {
		err = errors.Join(err, k.r.store.Renew(k.ctx, c))
	}
	wait := k.claims[0].Lease / 3
	if err != nil {
		// Failure policy: a claim that can't be renewed ends with its lease, and a copy of the event may then reach the
		// app as well. So the next attempt to renew comes sooner.
		wait = k.claims[0].Lease / 12
		k.r.log.LogAttrs(k.ctx, slog.LevelWarn, "webhook claim not renewed",
			slog.String("webhook_name", k.r.config.Name), slog.Any("error", err))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.stopped {
		k.timer.Reset(wait)
	}
}

// stop stops the renewing. A renewal that is under way does no harm, as it has no effect on a settled claim.
func (k *renewer) stop() {
	k.mu.Lock()
	k.stopped = true
	k.timer.Stop()
	k.mu.Unlock()
}
