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
//	claim     nobody else works on it, or has         claims.go (the [Store]), claims_memory.go, claims_redis.go, claims_guard.go
//	forward   to the app, and settle the claim        forward.go, recorder.go
//	enqueue   instead of both: claimed and stored     enqueue.go, queue_accept.go
//
// refusal.go holds the refusals, outcome.go what is logged and observed.

// Next is the handler behind the receiver.
type Next func(http.ResponseWriter, *http.Request) error

// exchange is one request on its way through the receiver, in one allocation.
type exchange struct {
	Outcome
	body          []byte
	pooled        *[]byte // from the pool, to be put back; nil where the app gets the body
	wholeBody     bool    // all of the body was read
	request       signature.Request
	challenge     *signature.Answer // the answer, where this is a set-up request of the provider
	rec           recorder
	detached      detached
	claim         Claim
	claimed       []*Claim  // the claims that this request holds and has to settle
	firstClaim    [1]*Claim // room for claimed in the same allocation, as nearly all requests have one claim
	renewer       renewer
	reader        verifiedBody
	values        [3]string    // of the headers that the app gets
	tracer        trace.Tracer // nil without tracing
	parent        context.Context
	dryRunRefusal *Refusal // what would have refused the request, were it not a dry run
}

// detachedContext returns a context that does not end when the sender hangs up: for the app's work, and for settling claims.
func (x *exchange) detachedContext() context.Context {
	if x.detached.outcome == nil {
		x.detached = detached{Context: x.parent, outcome: &x.Outcome}
	}
	return &x.detached
}

// Serve checks the request, and answers it or calls next. It returns a refusal as a [*Refusal], and has written nothing
// then; all other errors are next's own. The request's headers are changed in place, so that no handler behind the
// receiver, an error page included, sees a forged header of ours.
func (r *Receiver) Serve(w http.ResponseWriter, req *http.Request, next Next) (out Outcome, err error) {
	start := r.now()
	x := &exchange{parent: req.Context()}
	x.Name, x.Scheme, x.DryRun, x.Result = r.config.Name, r.config.Scheme, r.config.DryRun, ResultAccepted
	span := r.startSpan(x)
	finished := false
	defer func() {
		if !finished {
			x.Result = ResultFailed // a handler behind us panicked
		}
		x.Duration = r.now().Sub(start)
		endReceive(span, &x.Outcome)
		r.report(x.parent, &x.Outcome, x.loggedError(err))
		out = x.Outcome
	}()
	err = r.serve(w, req, x, next, start)
	finished = true

	if refusal, ok := errors.AsType[*Refusal](err); ok {
		x.Result, x.Error, x.Status = refusal.Reason, refusal.Reason, refusal.Status
		stripHeaders(req.Header)
	}
	return x.Outcome, err
}

func (r *Receiver) serve(w http.ResponseWriter, req *http.Request, x *exchange, next Next, now time.Time) error {
	v, refusal := r.admit(w, req, x, now)
	if refusal != nil {
		if !x.DryRun {
			return refusal
		}
		x.noteDryRun(refusal)
		stripHeaders(req.Header)
		return r.forward(w, req, x, next)
	}
	if x.challenge != nil {
		writeChallenge(w, x.challenge)
		return nil
	}
	x.Verified, x.Secret, x.Event, x.Timestamp = true, v.Secret, v.Event, v.Timestamp
	claim := r.identify(x, req.Header, v)
	if claimedByOuter(x) {
		claim = nil
	}
	stripHeaders(req.Header)
	r.setGatewayHeaders(req.Header, x)
	if r.queue != nil {
		refusal = r.enqueue(req, x, claim)
	} else if claim != nil {
		refusal = r.claimAll(x, claim)
	}
	switch {
	case x.DryRun && (refusal != nil || x.Duplicate):
		x.noteDryRun(refusal)
		return r.forward(w, req, x, next)
	case refusal != nil:
		return refusal
	case x.Duplicate:
		w.Header()[config.HeaderDuplicate] = []string{"true"}
		w.WriteHeader(x.Status)
		return nil
	case r.queue != nil:
		w.Header()[config.HeaderQueued] = []string{"true"} // tells this empty 200 from Caddy's own, which no app answered
		w.WriteHeader(x.Status)
		return nil
	}
	return r.forward(w, req, x, next)
}

// claimedByOuter reports whether the request already passed a receiver of the same name and scheme, which holds the claim of its
// event: a site may import the same snippet twice. The second claim would find the first in work, and always answer 409.
func claimedByOuter(x *exchange) bool {
	outer := FromContext(x.parent)
	return outer != nil && outer.Verified && !outer.DryRun && outer.Name != "" && outer.Name == x.Name && outer.Scheme == x.Scheme && outer.Key == x.Key
}

// noteDryRun records the refusal that a dry run ignores; nil is none.
func (x *exchange) noteDryRun(r *Refusal) {
	if r != nil {
		x.Result, x.Error, x.dryRunRefusal = r.Reason, r.Reason, r
	}
}

// loggedError returns the error for the log: in a dry run, the refusal that was ignored as well.
func (x *exchange) loggedError(err error) error {
	switch {
	case x.dryRunRefusal == nil:
		return err
	case err == nil:
		return x.dryRunRefusal
	}
	return fmt.Errorf("%w; the handlers behind the receiver: %w", x.dryRunRefusal, err)
}

// markDuplicate records that the event was finished before.
func (x *exchange) markDuplicate() {
	x.Result, x.Duplicate, x.Status = ResultDuplicate, true, http.StatusOK
}

// admit makes all checks up to the signature, the cheapest first. A set-up request is admitted with x.challenge set, and
// with no result where it is not signed.
func (r *Receiver) admit(w http.ResponseWriter, req *http.Request, x *exchange, now time.Time) (*signature.Result, *Refusal) {
	method, target := r.originalRequest(req)
	x.request = signature.Request{Method: method, URL: target, Header: req.Header}
	creds := r.credentials.Load()
	challengeAnswer, isChallenge := creds.unsignedChallenge(x)
	if !isChallenge && !slices.Contains(r.config.Methods, req.Method) {
		return nil, refuseWithHeader(http.StatusMethodNotAllowed, ReasonMethod, "Allow", r.allowHeader, fmt.Errorf("the receiver takes %s only", r.allowHeader))
	}
	if addr, ok := r.sources.allow(req); !ok {
		return nil, refuse(http.StatusForbidden, ReasonIP, fmt.Errorf("%s is on no allowlist", addr))
	}
	if isChallenge {
		return nil, x.answer(challengeAnswer)
	}
	if err := creds.check(&x.request, now); err != nil {
		if a, ok := creds.bodyChallenge(req, x); ok {
			return nil, x.answer(a)
		}
		return nil, refuseSignature(err)
	}
	var buffer []byte
	if r.poolsBodies {
		x.pooled = buffers.Get().(*[]byte)
		buffer = *x.pooled
	}
	body, err := r.bodies.read(w, req, buffer)
	x.body, x.wholeBody = body, err == nil
	if err != nil {
		return nil, refuseBody(req, err)
	}
	x.request.Body = body
	_, span := x.span(x.parent, "webhook.verify")
	v, err := creds.verifier.Verify(&x.request, now)
	endSpan(span, err)
	if err != nil {
		return nil, refuseSignature(err)
	}
	// Before the identity: providers repeat some set-up requests for ever with the same body, and each wants its answer.
	if c, ok := creds.verifier.(challenger); ok && !x.DryRun {
		if a, ok := c.Challenge(&x.request, creds.challenge); ok {
			return &v, x.answer(a)
		}
	}
	return &v, nil
}

// unsignedChallenge returns the answer to a set-up request that needs no signature. In a dry run the app answers it.
func (c *credentials) unsignedChallenge(x *exchange) (*signature.Answer, bool) {
	if v, ok := c.verifier.(challenger); ok && !x.DryRun {
		return v.UnsignedChallenge(&x.request, c.challenge)
	}
	return nil, false
}

// bodyChallenge returns the answer to a set-up request without a signature, where the provider puts the question into
// the body. It reads no more than the longest question has.
func (c *credentials) bodyChallenge(req *http.Request, x *exchange) (*signature.Answer, bool) {
	v, ok := c.verifier.(interface{ ChallengeInBody() bool })
	if x.DryRun || !ok || !v.ChallengeInBody() || req.ContentLength <= 0 || req.ContentLength > signature.MaxSetupBody {
		return nil, false
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, signature.MaxSetupBody))
	if err != nil {
		return nil, false
	}
	question := x.request
	question.Body = body
	return c.verifier.(challenger).UnsignedChallenge(&question, c.challenge)
}

// claimAll claims each event of the request. Where it returns no refusal, this request holds at least one claim, or all of its
// events are duplicates.
func (r *Receiver) claimAll(x *exchange, c *Claim) *Refusal {
	ctx, span := x.span(x.detachedContext(), "webhook.dedup")
	x.claimed = x.firstClaim[:0]
	refusal := r.claimOne(ctx, x, c)
	for _, other := range c.Others {
		if refusal == nil {
			refusal = r.claimOne(ctx, x, other)
		}
	}
	switch {
	case refusal != nil:
		endSpan(span, refusal.Err)
		r.settle(ctx, x.claimed, false)
		x.claimed = nil
		return refusal
	case len(x.claimed) == 0:
		x.markDuplicate()
	}
	endSpan(span, nil)
	return nil
}

func (r *Receiver) claimOne(ctx context.Context, x *exchange, c *Claim) *Refusal {
	state, err := r.store.Claim(ctx, c)
	switch {
	case err != nil:
		return refuseStore(err)
	case state == InFlight:
		return refuseInFlight()
	case state == Claimed:
		x.claimed = append(x.claimed, c)
	}
	return nil
}
