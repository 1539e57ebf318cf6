package receiver

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

type opKind uint8

// In the order in which a batch runs them: what was settled is free, or known, for the claims behind it.
const (
	opDone opKind = iota
	opRelease
	opRenew
	opClaim
	opKinds
)

// luaScript is a script and the name that Redis knows it by.
type luaScript struct{ source, sha string }

func newLua(source string) luaScript {
	sum := sha1.Sum([]byte(source)) // Redis names scripts by their SHA-1
	return luaScript{source, hex.EncodeToString(sum[:])}
}

var opScripts = [opKinds]luaScript{opDone: newLua(doneLua), opRelease: newLua(releaseLua), opRenew: newLua(renewLua), opClaim: newLua(keysLua + claimLua)}

// op is one call of a store. Its answer may be read once ready was sent to.
type op struct {
	kind       opKind
	id, digest string
	value      string
	ms, lease  int64
	at         time.Time // when it was made

	state State
	err   error
	ready chan struct{}
}

// maxBatch bounds how long one script keeps Redis from other work: about a millisecond.
const maxBatch = 256

var errStoreSlow = fmt.Errorf("%w: it did not answer in time", ErrStore)

// batch gathers calls into round trips. Its goroutine lives only while there are calls.
type batch struct {
	client  redis.UniversalClient
	timeout time.Duration

	mu      sync.Mutex
	waiting []*op
	trip    *trip // under way, nil for none
}

// trip is a goroutine that makes round trips, and what it is working on.
type trip struct {
	ops       []*op
	timer     *time.Timer
	deadline  time.Time // zero between two round trips
	abandoned bool      // it overran its time; its calls were answered with an error, another may have its place
}

// run waits for the answer to the call. It takes no longer than the timeout: a round trip has the time that is left
// to its oldest call, and when it overruns, the calls that wait behind it are ended with it.
func (b *batch) run(o *op) {
	b.mu.Lock()
	b.waiting = append(b.waiting, o)
	if b.trip == nil {
		b.trip = &trip{}
		go b.work(b.trip)
	}
	b.mu.Unlock()
	<-o.ready
}

func (b *batch) work(t *trip) {
	var call pipeline
	b.mu.Lock()
	for !t.abandoned {
		t.ops = b.take(t.ops)
		if len(t.ops) == 0 {
			break
		}
		t.deadline = t.ops[0].at.Add(b.timeout)
		if left := time.Until(t.deadline); t.timer == nil {
			t.timer = time.AfterFunc(left, func() { b.abandon(t) })
		} else {
			t.timer.Reset(left)
		}
		ops, deadline := t.ops, t.deadline
		b.mu.Unlock()

		// Detached: the calls of many requests travel together, and none of them may end the others'.
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		call.run(ctx, b.client, ops)
		cancel()

		b.mu.Lock()
		t.timer.Stop()
		if !t.abandoned {
			call.answer(ops)
			t.ops, t.deadline = t.ops[:0], time.Time{} // none under way: a timer that goes off late ends nothing
			// Whoever can run makes its call before the next round trip: on a busy machine that makes batches several
			// times as large, and on an idle one there is nobody to wait for.
			b.mu.Unlock()
			runtime.Gosched()
			b.mu.Lock()
		}
	}
	if b.trip == t {
		b.trip = nil
	}
	b.mu.Unlock()
}

// take moves up to maxBatch waiting calls into done, the slice of the trip before.
func (b *batch) take(done []*op) []*op {
	clear(done[:cap(done)])
	n := min(len(b.waiting), maxBatch)
	done = append(done[:0], b.waiting[:n]...)
	rest := copy(b.waiting, b.waiting[n:])
	clear(b.waiting[rest:])
	b.waiting = b.waiting[:rest]
	return done
}

// abandon ends the calls of a round trip that takes too long, and those behind it. Nobody reads them afterwards:
// the goroutine sees that it was abandoned and goes away once Redis, or the client's own timeout, lets it.
//
// Failure policy: what was abandoned may still happen. Each script is safe to run late: it compares the token, and
// who made the call settles the claim again when Redis is back.
func (b *batch) abandon(t *trip) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.trip != t || t.deadline.IsZero() || time.Now().Before(t.deadline) {
		return // it is over, or the timer went off for the round trip before
	}
	t.abandoned = true
	b.trip = nil
	for _, o := range t.ops {
		o.fail(errStoreSlow)
	}
	for _, o := range b.waiting {
		o.fail(errStoreSlow)
	}
	b.waiting = nil
	t.ops = nil
}

func (o *op) fail(err error) {
	o.err = err
	o.ready <- struct{}{}
}

// pipeline makes one round trip of calls. Its slices are used again and again by one goroutine.
type pipeline struct {
	cmds [opKinds]*redis.Cmd
	ops  [opKinds][]*op
}

func (p *pipeline) run(ctx context.Context, client redis.UniversalClient, ops []*op) {
	for k := range p.ops {
		p.cmds[k] = nil
		clear(p.ops[k])
		p.ops[k] = p.ops[k][:0]
	}
	for _, o := range ops {
		p.ops[o.kind] = append(p.ops[o.kind], o)
	}
	if len(p.ops[ops[0].kind]) == len(ops) {
		kind := ops[0].kind
		p.cmds[kind] = kind.command(ctx, "evalsha", opScripts[kind].sha, ops)
		_ = client.Process(ctx, p.cmds[kind]) // the command carries its error
	} else {
		pipe := client.Pipeline()
		for k := range p.ops {
			if len(p.ops[k]) > 0 {
				p.cmds[k] = opKind(k).command(ctx, "evalsha", opScripts[k].sha, p.ops[k])
				_ = pipe.Process(ctx, p.cmds[k])
			}
		}
		_, _ = pipe.Exec(ctx)
	}
	for k, cmd := range p.cmds {
		// A Redis that was restarted has forgotten the scripts.
		if cmd != nil && redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
			p.cmds[k] = opKind(k).command(ctx, "eval", opScripts[k].source, p.ops[k])
			_ = client.Process(ctx, p.cmds[k])
		}
	}
}

// command makes the script call for the calls of one kind. What it points to is not copied, and not changed either.
func (k opKind) command(ctx context.Context, name, script string, ops []*op) *redis.Cmd {
	args := make([]any, 3, 3+5*len(ops))
	args[0], args[1], args[2] = name, script, 2*len(ops)
	for _, o := range ops {
		args = append(args, &o.id, &o.digest)
	}
	for _, o := range ops {
		args = append(args, &o.value)
		if k != opRelease {
			args = append(args, &o.ms)
		}
		if k == opDone {
			args = append(args, &o.lease)
		}
	}
	return redis.NewCmd(ctx, args...)
}

// answer hands each call its answer.
func (p *pipeline) answer(ops []*op) {
	var states string
	var errs [opKinds]error
	for k, cmd := range p.cmds {
		if cmd == nil {
			continue
		}
		v, err := cmd.Result()
		if err != nil {
			errs[k] = fmt.Errorf("%w: %w", ErrStore, err)
			continue
		}
		if opKind(k) == opClaim {
			states, _ = v.(string)
		}
	}
	claims := 0
	for _, o := range ops {
		o.err = errs[o.kind]
		if o.kind == opClaim && o.err == nil {
			o.state, o.err = readState(states, claims)
			claims++
		}
		o.ready <- struct{}{}
	}
}

var errAnswer = errors.New("the script's answer is not understood")

func readState(states string, i int) (State, error) {
	if i >= len(states) {
		return 0, fmt.Errorf("%w: %w", ErrStore, errAnswer)
	}
	switch states[i] {
	case '0':
		return Claimed, nil
	case '1':
		return InFlight, nil
	case '2':
		return Duplicate, nil
	}
	return 0, fmt.Errorf("%w: %w", ErrStore, errAnswer)
}
