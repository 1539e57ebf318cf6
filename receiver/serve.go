package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/signature"
)

// The stages of a request, in the order of the work, and the files that hold them:
//
//	allow     its method and where it comes from      sources.go
//	read      its body, within bounds                 body.go, unfinished.go
//	verify    its signature; set-up requests          verifier.go, credentials.go
//	identify  which event it is                       identity.go
//	claim     nobody else has it                      claims.go (the [Store]), claims_memory.go, claims_redis.go, claims_guard.go
//	forward   to the app, and settle the claim        forward.go, recorder.go
//	enqueue   instead of both: claimed and stored     enqueue.go, queue_accept.go
//
// What is refused on the way is in refusal.go, what is told of it in outcome.go.

// Next is the handler behind the receiver.
type Next func(http.ResponseWriter, *http.Request) error

// exchange is one request on its way through the receiver, in one allocation.
type exchange struct {
	Outcome
	body      []byte
	buffer    *[]byte // the body's, where it may be used again
	whole     bool    // all of the body was read
	request   signature.Request
	challenge *signature.Answer // of a set-up request
	rec       recorder
	detached  detached
	claim     Claim
	mine      []*Claim // those that are ours, to be settled
	first     [1]*Claim
	keeper    keeper
	reader    verifiedBody
	values    [3]string    // of the headers that the app gets
	tracer    trace.Tracer // nil without tracing
	parent    context.Context
	spared    *Refusal // what a dry run let through all the same
}

// lasting returns the context of the app's work and of what must end well after the sender hung up.
func (x *exchange) lasting() context.Context {
	if x.detached.outcome == nil {
		x.detached = detached{Context: x.parent, outcome: &x.Outcome}
	}
	return &x.detached
}

// Serve judges the request, and answers it or calls next. A refusal is returned as a [*Refusal], with nothing
// written; other errors are next's own. The request's headers are changed in place: nobody behind the
// receiver, an error page included, gets to see a forged header of ours.
func (r *Receiver) Serve(w http.ResponseWriter, req *http.Request, next Next) (out Outcome, err error) {
	start := r.now()
	x := &exchange{parent: req.Context()}
	x.Name, x.Scheme, x.DryRun, x.Result = r.config.Name, r.config.Scheme, r.config.DryRun, ResultAccepted
	span := r.startSpan(x)
	finished := false
	defer func() {
		if !finished {
			x.Result = ResultFailed // a panic behind us, on its way up
		}
		x.Duration = r.now().Sub(start)
		endReceive(span, &x.Outcome)
		r.report(x.parent, &x.Outcome, x.cause(err))
		out = x.Outcome
	}()
	err = r.serve(w, req, x, next, start)
	finished = true

	var refusal *Refusal
	if errors.As(err, &refusal) {
		x.Result, x.Error, x.Status = refusal.Reason, refusal.Reason, refusal.Status
		cleanse(req.Header)
	}
	return x.Outcome, err
}

func (r *Receiver) serve(w http.ResponseWriter, req *http.Request, x *exchange, next Next, now time.Time) error {
	v, refusal := r.admit(w, req, x, now)
	if refusal != nil {
		if !x.DryRun {
			return refusal
		}
		x.note(refusal)
		cleanse(req.Header)
		return r.forward(w, req, x, next)
	}
	if x.challenge != nil {
		writeChallenge(w, x.challenge)
		return nil
	}
	x.Verified, x.Secret, x.Event, x.Timestamp = true, v.Secret, v.Event, v.Timestamp
	claim := r.identify(x, req.Header, v)
	if within(x) {
		claim = nil
	}
	cleanse(req.Header)
	r.setOwn(req.Header, x)
	if r.queue != nil {
		refusal = r.enqueue(req, x, claim)
	} else if claim != nil {
		refusal = r.take(x, claim)
	}
	switch {
	case x.DryRun && (refusal != nil || x.Duplicate):
		x.note(refusal)
		return r.forward(w, req, x, next)
	case refusal != nil:
		return refusal
	case x.Duplicate:
		w.Header()[config.HeaderDuplicate] = []string{"true"}
		w.WriteHeader(x.Status)
		return nil
	case r.queue != nil:
		w.Header()[config.HeaderQueued] = []string{"true"} // or its empty 200 looks like one from nobody
		w.WriteHeader(x.Status)
		return nil
	}
	return r.forward(w, req, x, next)
}

// within reports whether the request came through a receiver of the same name and scheme before, which holds the claim of its event: a
// snippet that a site imports twice. It would be in work elsewhere for ever.
func within(x *exchange) bool {
	outer := FromContext(x.parent)
	return outer != nil && outer.Verified && !outer.DryRun && outer.Name != "" && outer.Name == x.Name && outer.Scheme == x.Scheme && outer.Key == x.Key
}

// note records what a dry run lets through.
func (x *exchange) note(r *Refusal) {
	if r != nil {
		x.Result, x.Error, x.spared = r.Reason, r.Reason, r
	}
}

// cause is what the log says of the error that came out: in a dry run, what would have been refused and why.
func (x *exchange) cause(err error) error {
	switch {
	case x.spared == nil:
		return err
	case err == nil:
		return x.spared
	}
	return fmt.Errorf("%w; the handlers behind the receiver: %w", x.spared, err)
}

// markDuplicate records that the event was finished before.
func (x *exchange) markDuplicate() {
	x.Result, x.Duplicate, x.Status = ResultDuplicate, true, http.StatusOK
}

// admit is everything before the identity, cheapest first. A set-up request is admitted with its answer and without a
// result.
func (r *Receiver) admit(w http.ResponseWriter, req *http.Request, x *exchange, now time.Time) (*signature.Result, *Refusal) {
	method, target := r.cameIn(req)
	x.request = signature.Request{Method: method, URL: target, Header: req.Header}
	known := r.credentials.Load()
	setup, asked := known.unsignedChallenge(x)
	if !asked && !slices.Contains(r.config.Methods, req.Method) {
		return nil, refuseFor(http.StatusMethodNotAllowed, ReasonMethod, "Allow", r.allow, fmt.Errorf("the receiver takes %s only", r.allow))
	}
	if addr, ok := r.sources.allow(req); !ok {
		return nil, refuse(http.StatusForbidden, ReasonIP, fmt.Errorf("%s is on no allowlist", addr))
	}
	if asked {
		return nil, x.answer(setup)
	}
	if err := known.check(&x.request, now); err != nil {
		if a, ok := known.bodyChallenge(req, x); ok {
			return nil, x.answer(a)
		}
		return nil, refuseSignature(err)
	}
	var room []byte
	if r.stores {
		x.buffer = buffers.Get().(*[]byte)
		room = *x.buffer
	}
	body, err := r.bodies.read(w, req, room)
	x.body, x.whole = body, err == nil
	if err != nil {
		return nil, refuseBody(req, err)
	}
	x.request.Body = body
	_, span := x.span(x.parent, "webhook.verify")
	v, err := known.verifier.Verify(&x.request, now)
	endSpan(span, err)
	if err != nil {
		return nil, refuseSignature(err)
	}
	// Before the identity: providers repeat some of these for ever, with the same body.
	if c, ok := known.verifier.(challenger); ok && !x.DryRun {
		if a, ok := c.Challenge(&x.request, known.challenge); ok {
			return &v, x.answer(a)
		}
	}
	return &v, nil
}

// unsignedChallenge looks for a set-up request that needs no signature. A dry run leaves it to the app.
func (k *credentials) unsignedChallenge(x *exchange) (*signature.Answer, bool) {
	if x.DryRun {
		return nil, false
	}
	if c, ok := k.verifier.(challenger); ok {
		return c.UnsignedChallenge(&x.request, k.challenge)
	}
	return nil, false
}

// bodyChallenge looks into the body of a request without a signature, where the provider asks there. No more is read than a question
// has.
func (k *credentials) bodyChallenge(req *http.Request, x *exchange) (*signature.Answer, bool) {
	c, ok := k.verifier.(interface{ ChallengeInBody() bool })
	if x.DryRun || !ok || !c.ChallengeInBody() || req.ContentLength <= 0 || req.ContentLength > signature.MaxSetupBody {
		return nil, false
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, signature.MaxSetupBody))
	if err != nil {
		return nil, false
	}
	question := x.request
	question.Body = body
	return k.verifier.(challenger).UnsignedChallenge(&question, k.challenge)
}

// take claims the event, or each event of the request. Without a refusal at least one is ours, or all are duplicates.
func (r *Receiver) take(x *exchange, c *Claim) *Refusal {
	ctx, span := x.span(x.lasting(), "webhook.dedup")
	x.mine = x.first[:0]
	refusal := r.takeOne(ctx, x, c)
	for _, other := range c.Others {
		if refusal == nil {
			refusal = r.takeOne(ctx, x, other)
		}
	}
	switch {
	case refusal != nil:
		endSpan(span, refusal.Err)
		r.settle(ctx, x.mine, false)
		x.mine = nil
		return refusal
	case len(x.mine) == 0:
		x.markDuplicate()
	}
	endSpan(span, nil)
	return nil
}

func (r *Receiver) takeOne(ctx context.Context, x *exchange, c *Claim) *Refusal {
	state, err := r.store.Claim(ctx, c)
	switch {
	case err != nil:
		return refuseFor(http.StatusServiceUnavailable, ReasonStore, "Retry-After", retryStore, err)
	case state == InFlight:
		return refuseFor(http.StatusConflict, ReasonInFlight, "Retry-After", retryInFlight, nil)
	case state == Claimed:
		x.mine = append(x.mine, c)
	}
	return nil
}
