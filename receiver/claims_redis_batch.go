package receiver

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
)

type opKind uint8

// The kinds of calls, in the order in which a batch runs them; see claims.lua.
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

// op is one call of the store.
type op struct {
	call
	kind             opKind
	id, digest, held string // the claim's keys, and what they hold while its event is in work
	ms               int64  // the TTL of a finished event, or the lease

	state State // the result of opClaim
}

var ops = sync.Pool{New: func() any { return &op{call: call{ready: make(chan struct{}, 1)}} }}

// maxBatch bounds the calls of one script, so that it occupies Redis for about a millisecond.
const maxBatch = 256

// batch sends calls as one run of a script. One goroutine at a time uses it, and so its slices are reused.
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
	_ = b.client.Process(ctx, b.cmd) // the command holds its error
	if redis.HasErrorPrefix(b.cmd.Err(), "NOSCRIPT") {
		// Redis loses its scripts when it is restarted.
		b.cmd = b.command(ctx, "eval", claimsSource)
		_ = b.client.Process(ctx, b.cmd)
	}
}

// sort orders the calls by kind, and keeps the order within a kind.
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

// command makes the command that runs the script. Its arguments are pointers into the calls, which saves an allocation each.
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

// answer gives each call its result.
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

// readState reads the answer for one claim: a digit, which is the number of a [State].
func readState(states string, i int) (State, error) {
	if i < len(states) && '0' <= states[i] && states[i] <= '0'+byte(Duplicate) {
		return State(states[i] - '0'), nil
	}
	return 0, fmt.Errorf("%w: %w", ErrStore, errAnswer)
}
