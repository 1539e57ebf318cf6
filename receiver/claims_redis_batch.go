package receiver

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
)

type opKind uint8

// In the order in which a batch runs them, see claims.lua.
const (
	opRelease opKind = iota
	opDone
	opRenew
	opClaim
	opKinds
)

var (
	claimsSource = keysLua + claimsLua
	claimsName   = redis.NewScript(claimsSource).Hash()
)

// op is one call of a store.
type op struct {
	call
	kind             opKind
	id, digest, held string // the claim's keys, and what they hold while its event is in work
	ms               int64  // to remember a finished event, or the lease

	state State
}

// ops are used again and again.
var ops = sync.Pool{New: func() any { return &op{call: call{ready: make(chan struct{}, 1)}} }}

// maxBatch bounds how long one script keeps Redis from other work: about a millisecond.
const maxBatch = 256

// batch carries calls as one run of a script. Its slices are used again and again by one goroutine.
type batch struct {
	client redis.UniversalClient
	cmd    *redis.Cmd
	counts [opKinds]int
	sorted []*op
	args   []any
}

func newBatch(client redis.UniversalClient) *batch { return &batch{client: client} }

func (b *batch) most(ops []*op) int { return min(len(ops), maxBatch) }

func (b *batch) carry(ctx context.Context, ops []*op) {
	b.sort(ops)
	b.cmd = b.command(ctx, "evalsha", claimsName)
	_ = b.client.Process(ctx, b.cmd) // the command carries its error
	if redis.HasErrorPrefix(b.cmd.Err(), "NOSCRIPT") {
		// A Redis that was restarted has forgotten the script.
		b.cmd = b.command(ctx, "eval", claimsSource)
		_ = b.client.Process(ctx, b.cmd)
	}
}

// sort puts the calls into the order of their kinds; those of one kind stay as they were.
func (b *batch) sort(ops []*op) {
	clear(b.sorted)
	b.sorted = b.sorted[:0]
	for kind := range opKinds {
		before := len(b.sorted)
		for _, o := range ops {
			if o.kind == kind {
				b.sorted = append(b.sorted, o)
			}
		}
		b.counts[kind] = len(b.sorted) - before
	}
}

// command makes the run of the script. What it points to is not copied, and not changed either.
func (b *batch) command(ctx context.Context, name, script string) *redis.Cmd {
	clear(b.args)
	args := append(b.args[:0], name, script, 2*len(b.sorted))
	for _, o := range b.sorted {
		args = append(args, &o.id, &o.digest)
	}
	for i := range b.counts {
		args = append(args, &b.counts[i])
	}
	for _, o := range b.sorted {
		args = append(args, &o.held)
		if o.kind != opRelease {
			args = append(args, &o.ms)
		}
	}
	b.args = args
	return redis.NewCmd(ctx, args...)
}

// answer hands each call its answer.
func (b *batch) answer([]*op) {
	v, err := b.cmd.Result()
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrStore, err)
	}
	states, _ := v.(string)
	first := len(b.sorted) - b.counts[opClaim]
	for i, o := range b.sorted {
		e := err
		if o.kind == opClaim && e == nil {
			o.state, e = readState(states, i-first)
		}
		o.end(e)
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
