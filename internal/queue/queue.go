// Package queue is a durable retry queue on Redis sorted sets. The sender uses it with a lane for each webhook, the
// receiver's queue with one lane for each app. It does not know what a job means.
//
// Two levels keep one bad lane from standing in front of the others:
//
//	ready         lane → when it may be served next      (only lanes with a due job and a free slot)
//	lane:<lane>   job  → due time                        (everything that waits in one lane)
//	leases        job and token → deadline               (what is being attempted)
//
// Every change of state is one Lua script (folder lua): push, claim, settle, renew, resend. A claim hands out a random
// token, and nothing ends a job without it, so a worker that overran its lease can't end somebody else's attempt.
// Time is Redis' own. [Dispatcher] runs a handler over claimed jobs, with two round trips a batch.
//
// Keys live under a hash tag, one slot a shard, so the same scripts and keys serve one Redis and a cluster.
package queue

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

// Limits bound what the queue keeps. All are needed.
type Limits struct {
	Kept       time.Duration // a payload, after its last delivery ended
	KeptDead   time.Duration // a payload, where a delivery of it failed
	IDLifetime time.Duration // an event ID; 0 where events have no record: what a script of one's own queued, with nothing but a payload
	LogLength  int           // attempts logged for one lane
	LogAge     time.Duration // the log of a lane without attempts
	InFlight   int           // attempts in flight to one lane
	Pending    int           // jobs waiting in one lane
	// PendingAccount is how many jobs may wait in all lanes of an account: with more, a lane that has over 1,000 takes none. 0: any.
	PendingAccount int
	MaxAge         time.Duration // waiting of one job
	RetrySpan      time.Duration // the whole retry table
}

// openSlack is how much longer than it can possibly wait a payload is kept: a net below the scripts' own bookkeeping.
const openSlack = 24 * time.Hour

func (l Limits) args() []any {
	return []any{
		l.Kept.Milliseconds(), l.KeptDead.Milliseconds(), l.IDLifetime.Milliseconds(), l.LogLength, l.LogAge.Milliseconds(),
		l.InFlight, l.Pending, l.MaxAge.Milliseconds(), (l.MaxAge + l.RetrySpan + openSlack).Milliseconds(),
	}
}

// Queue is the queue in one store, spread over shards.
type Queue struct {
	store  *redisstore.Store
	limits []any
	tags   func(shard int) string

	pushLanes      int // lanes of one call, see push.lua
	pendingAccount int

	pushMu  sync.Mutex
	pushers map[int]*combiner
	turns   chan struct{}   // see combiner
	onPush  func(shard int) // wakes the dispatcher of this process without a round trip; under pushMu
}

// New returns a queue. tags names the hash tag of a shard, such as [ShardTags] gives.
func New(store *redisstore.Store, limits Limits, tags func(shard int) string) *Queue {
	return &Queue{store: store, limits: limits.args(), tags: tags, pushLanes: pushLanes, pendingAccount: cmp.Or(limits.PendingAccount, math.MaxInt), pushers: map[int]*combiner{}, turns: make(chan struct{}, pushTurns)}
}

// ShardTags names the sender's shards: "{webhooks:3}:".
func ShardTags(prefix string) func(int) string {
	return func(shard int) string { return "{" + prefix + ":" + strconv.Itoa(shard) + "}:" }
}

// Tag returns the hash tag of a shard, which starts all of its keys.
func (q *Queue) Tag(shard int) string { return q.tags(shard) }

// Run runs a script made by [Script] on a shard.
func (q *Queue) Run(ctx context.Context, shard int, script *redisstore.Script, args ...any) (any, error) {
	return q.store.Run(ctx, script, q.tags(shard), q.argv(args)...)
}

// RunDurable is [Queue.Run] that succeeds only once the configured replicas have the write.
func (q *Queue) RunDurable(ctx context.Context, shard int, script *redisstore.Script, args ...any) (any, error) {
	return q.store.RunDurable(ctx, script, q.tags(shard), q.argv(args)...)
}

func (q *Queue) call(shard int, script *redisstore.Script, args []any) redisstore.Call {
	return redisstore.Call{Script: script, Key: q.tags(shard), Args: args}
}

// argv puts the limits in front of a script's own arguments.
func (q *Queue) argv(args []any) []any {
	return append(append(make([]any, 0, len(q.limits)+len(args)), q.limits...), args...)
}

// idAlphabet is Crockford's base 32 in lower case: its order is the order of the numbers, so IDs sort by time.
var idAlphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// JobIDLength is the length of every job's ID: 128 bits in base 32.
const JobIDLength = 26

// NewJobID makes a job's ID of something that starts with its time, such as a UUIDv7.
func NewJobID(b [16]byte) string { return idAlphabet.EncodeToString(b[:]) }

// JobBytes is the reverse of [NewJobID].
func JobBytes(id string) (b [16]byte, ok bool) {
	if len(id) != JobIDLength {
		return b, false
	}
	n, err := idAlphabet.Decode(b[:], []byte(id))
	return b, err == nil && n == len(b)
}

func newToken() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return idAlphabet.EncodeToString(b[:])
}

// reply reads a script's answer, value by value.
type reply struct {
	values []any
	err    error
}

func newReply(v any, err error) *reply {
	values, ok := v.([]any)
	if err == nil && !ok {
		err = fmt.Errorf("unexpected answer of a script: %T", v)
	}
	return &reply{values: values, err: err}
}

func (r *reply) next() any {
	if r.err != nil {
		return nil
	}
	if len(r.values) == 0 {
		r.err = fmt.Errorf("answer of a script ends early")
		return nil
	}
	v := r.values[0]
	r.values = r.values[1:]
	return v
}

// list reads a list within the answer.
func (r *reply) list() *reply {
	values, ok := r.next().([]any)
	if r.err == nil && !ok {
		r.err = errNoAnswer
	}
	return &reply{values: values}
}

func (r *reply) text() string {
	s, _ := r.next().(string)
	return s
}

func (r *reply) number() int64 {
	switch v := r.next().(type) {
	case int64:
		return v
	case string:
		n, _ := strconv.ParseFloat(v, 64) // scores come as text, perhaps as 1.7e+12
		return int64(n)
	}
	return 0
}
