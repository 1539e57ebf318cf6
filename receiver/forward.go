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

// forward lets the app work on the request, and settles what was claimed for it by its answer. That is nothing for events
// without an identity and for what only a dry run lets through.
func (r *Receiver) forward(w http.ResponseWriter, req *http.Request, x *exchange, next Next) error {
	ctx, cancel := context.WithTimeout(x.lasting(), r.config.Dedup.Timeout)
	defer cancel()
	x.rec = recorder{ResponseWriter: w}
	if len(x.mine) == 0 {
		err := x.answered(next(&x.rec, x.forApp(ctx, req)))
		x.succeeded(err)
		return err
	}
	x.keeper.start(x.lasting(), r, x.mine)
	done := false
	// Deferred, so that a panic of the app gives the event back on its way up.
	defer func() {
		x.keeper.stop()
		r.settle(x.lasting(), x.mine, done)
	}()
	err := x.answered(next(&x.rec, x.forApp(ctx, req)))
	done = x.succeeded(err)
	return err
}

// answered turns [ErrNoApp] into a refusal, unless somebody did write an answer.
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
	case x.whole:
		replaceBody(out, &x.reader, x.body)
	case len(x.body) > 0:
		out.Body = partlyRead{io.MultiReader(bytes.NewReader(x.body), req.Body), req.Body}
	}
	return out
}

// succeeded says whether the app is done with the event. Only a 2xx is: a proxy returns no error for a 500.
func (x *exchange) succeeded(err error) bool {
	x.Status = x.rec.status
	var failure *Failure
	if x.Status == 0 && errors.As(err, &failure) {
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

// Failure is an error of the handlers behind a receiver or a queue, where they know the status that it stands for. It says
// so, and the outcome has it.
type Failure struct {
	Status int
	Err    error // nil where there is no more to say
}

// Error implements error.
func (f *Failure) Error() string {
	if f.Err == nil {
		return fmt.Sprintf("status %d", f.Status)
	}
	return fmt.Sprintf("status %d: %v", f.Status, f.Err)
}

// Unwrap returns what is behind the failure.
func (f *Failure) Unwrap() error { return f.Err }

// settle records what became of the events. It waits for the store, within the store's own bound, so that
// once the sender has its answer every gateway knows the event.
//
// Failure policy: if this process dies between the app's answer and the record, the claim ends with its
// lease and the sender's next try reaches the app a second time. The sender has had no answer then.
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

// keeper renews the claims of a request each third of its lease while the app works.
type keeper struct {
	r      *Receiver
	ctx    context.Context
	claims []*Claim // at least one

	mu      sync.Mutex
	timer   *time.Timer
	until   time.Time
	stopped bool
}

func (k *keeper) start(ctx context.Context, r *Receiver, claims []*Claim) {
	k.r, k.ctx, k.claims, k.until = r, ctx, claims, time.Now().Add(r.config.Dedup.Timeout)
	k.mu.Lock()
	k.timer = time.AfterFunc(claims[0].Lease/3, k.renew)
	k.mu.Unlock()
}

func (k *keeper) renew() {
	if !time.Now().Before(k.until) {
		return // a handler that ignores the end of its time must not hold the event for ever
	}
	var err error
	for _, c := range k.claims {
		err = errors.Join(err, k.r.store.Renew(k.ctx, c))
	}
	wait := k.claims[0].Lease / 3
	if err != nil {
		// Failure policy: a claim that can't be renewed ends with its lease, after which a copy may reach the
		// app as well. So try sooner.
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

// stop ends the renewing. One that is under way does no harm: it renews nothing that was settled.
func (k *keeper) stop() {
	k.mu.Lock()
	k.stopped = true
	k.timer.Stop()
	k.mu.Unlock()
}
