// Package queue is a durable retry queue on Redis sorted sets. A job delivers one event to one lane: the sender has a lane for each
// webhook, a receiver's queue one for each app. What a job means is the caller's business.
//
// Three sorted sets keep a slow or failing lane from holding up the others:
//
//	ready         lane → when it may be served next      (only lanes with waiting jobs that may have another attempt in flight)
//	lane:<lane>   job  → due time                        (all jobs that wait in one lane)
//	leases        lane, job and token → deadline         (all jobs that are being attempted)
//
// Every change of state is one Lua script (folder lua): push, claim, settle, renew, resend. A claim hands out a random
// token, and no job ends without it, so a worker that overran its lease can't end somebody else's attempt.
// All times are those of Redis' clock. [Dispatcher] runs a handler over claimed jobs, with two round trips a batch.
//
// The keys of a shard begin with a hash tag of its own and so share a slot of a cluster: the same scripts and keys serve one
// Redis and a cluster.
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

// Limits bound what the queue keeps. All are needed, but for IDLifetime and PendingAccount.
type Limits struct {
	Kept       time.Duration // how long a payload is kept after the last delivery of its event ended
	KeptDead   time.Duration // the same where a delivery failed; failed jobs can be sent again for as long
	IDLifetime time.Duration // how long the ID of an event is known; 0 where events have no record, as in a receiver's queue
	LogLength  int           // attempts kept in the log of one lane
	LogAge     time.Duration // how long the log of a lane is kept after its latest attempt
	InFlight   int           // attempts in flight to one lane
	Pending    int           // jobs waiting in one lane; as many failed ones are kept
	// PendingAccount is how many jobs may wait in all lanes of an account. Above it, lanes in which more than 1,000 jobs wait accept no
	// more. Default: 0, no limit.
	PendingAccount int
	MaxAge         time.Duration // how long a job may wait before it fails
	RetrySpan      time.Duration // how long the whole retry table takes, with its attempts
}

// openSlack is added to the longest time that a job can wait to get the lifetime of its payload. The scripts delete payloads themselves;
// this only bounds what a mistake in their bookkeeping could leave behind.
const openSlack = 24 * time.Hour

// args are the limits as every script takes them, see C in lib.lua.
func (l Limits) args() []any {
	return []any{
		l.Kept.Milliseconds(), l.KeptDead.Milliseconds(), l.IDLifetime.Milliseconds(), l.LogLength, l.LogAge.Milliseconds(),
		l.InFlight, l.Pending, l.MaxAge.Milliseconds(), (l.MaxAge + l.RetrySpan + openSlack).Milliseconds(),
	}
}

// Queue is the queue in one store, spread over shards. It is safe for concurrent use.
type Queue struct {
	store  *redisstore.Store
	limits []any
	tags   func(shard int) string

	pushLanes      int // lanes that one call of push.lua writes to
	pendingAccount int

	pushMu  sync.Mutex
	pushers map[int]*combiner // by shard
	turns   chan struct{}     // shared by all combiners
	onPush  func(shard int)   // wakes the dispatcher of this process, see setOnPush; nil for none
}

// New returns a queue. tags gives the hash tag of a shard; the shards of the sender have those of [ShardTags].
func New(store *redisstore.Store, limits Limits, tags func(shard int) string) *Queue {
	return &Queue{store: store, limits: limits.args(), tags: tags, pushLanes: pushLanes, pendingAccount: cmp.Or(limits.PendingAccount, math.MaxInt), pushers: map[int]*combiner{}, turns: make(chan struct{}, pushTurns)}
}

// ShardTags returns the hash tags of the sender's shards: with the prefix "webhooks" the third is "{webhooks:2}:".
func ShardTags(prefix string) func(int) string {
	return func(shard int) string { return "{" + prefix + ":" + strconv.Itoa(shard) + "}:" }
}

// Tag returns the hash tag of a shard, with which all of its keys begin.
func (q *Queue) Tag(shard int) string { return q.tags(shard) }

// Run runs a script made by [Script] on a shard and returns its answer.
func (q *Queue) Run(ctx context.Context, shard int, script *redisstore.Script, args ...any) (any, error) {
	return q.store.Run(ctx, script, q.tags(shard), q.argv(args)...)
}

// RunDurable is [Queue.Run] that waits until as many replicas as configured have the write, or fails with [redisstore.ErrReplicas].
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

// idAlphabet is Crockford's base 32 in lower case. Its characters are in ascending order, so IDs that begin with a time sort by it.
var idAlphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// JobIDLength is the length of every job's ID: 128 bits in base 32.
const JobIDLength = 26

// NewJobID encodes 16 bytes as a job's ID. They have to begin with the time of the event, as a UUIDv7 does, so that IDs sort by it.
func NewJobID(b [16]byte) string { return idAlphabet.EncodeToString(b[:]) }

// JobBytes decodes an ID made by [NewJobID]. ok is false for any other text.
func JobBytes(id string) (b [16]byte, ok bool) {
	if len(id) != JobIDLength {
		return b, false
	}
	n, err := idAlphabet.Decode(b[:], []byte(id))
	return b, err == nil && n == len(b)
}

// newToken returns 80 random bits, which name a claim or a process.
func newToken() string {
	var b [10]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return idAlphabet.EncodeToString(b[:])
}

// reply reads a script's answer, value by value. The first error stays in err, and everything read after it is empty.
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

// list reads a list within the answer, whose own errors are lost: read no more from it than it has values.
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

// number reads an integer, or the whole part of a score.
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
