package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

const (
	// besideFrom is the size in bytes from which a payload goes to the store beside the script that queues it. As a script's argument it
	// would cost Redis more than all else, which hashes each byte of it twice.
	besideFrom = 2 << 10
	// besideKept is how long the store keeps such a payload when the script never runs. It has to outlast all tries of a call.
	besideKept = time.Minute
	// oneLane marks a stored payload whose event goes to one lane, as most do. push.lua replaces it where there are more.
	oneLane = "1"
)

// ErrUnsaved means that a payload put beside the script had expired before the script ran, so that nothing was stored. That takes a store
// that stands still for a minute between two commands.
var ErrUnsaved = errors.New("the store lost the payload before it took the event")

// isBeside reports whether the payload goes to the store beside the script. An empty one has to: an empty argument tells the script that
// the payload is beside.
func (e *Event) isBeside() bool { return e.Payload == "" || IsLarge(len(e.Payload)) }

// IsLarge reports whether a payload of that many bytes goes to the store beside the script that queues it, see [Beside].
func IsLarge(bytes int) bool { return bytes >= besideFrom }

// Carry sets Payload to head followed by data. They are copied only here, also where the payload goes to the store beside the script.
func (e *Event) Carry(head string, data []byte) {
	var b strings.Builder
	b.Grow(len(oneLane) + len(head) + len(data))
	b.WriteString(oneLane)
	b.WriteString(head)
	b.Write(data)
	e.marked = b.String()
	e.Payload = e.marked[len(oneLane):]
}

// beside is the payload with its mark, as it is stored.
func (e *Event) beside() string {
	if e.marked != "" && e.marked[len(oneLane):] == e.Payload { // Payload may have been set since; comparing is quick where both share their bytes
		return e.marked
	}
	return oneLane + e.Payload
}

// Beside collects the large payloads of one call of a script, which go to the store as values of their own in the same round trip. The zero
// value is ready. Their keys are named at random for each call: named after the job, they could hold what another call or another account
// left there.
//
// Failure policy: the script queues no event whose payload is missing. It deletes the payloads of events that it does not queue; if it never
// runs they expire by themselves, after a minute.
type Beside struct {
	Name   string // part of their keys; "" where there are none
	values []*redisstore.Value
}

// PutBeside adds the payload of the event at a place, counted from 1, of the call's events. payload is what is stored, with its mark: a
// string, or an encoding.BinaryMarshaler that must not change until the call is over. The script finds it under the key
// "put:<Name>:<place>"; after [Queue.RunBeside], Err of the returned value says why it could not.
func (q *Queue) PutBeside(b *Beside, shard, place int, payload any) *redisstore.Value {
	if b.Name == "" {
		b.Name = rand.Text()
	}
	v := &redisstore.Value{Key: q.Key(shard, KeyPut, b.Name, ":", strconv.Itoa(place)), Data: payload, TTL: besideKept}
	b.values = append(b.values, v)
	return v
}

// RunBeside is [Queue.RunDurable] that puts the payloads of b into the store in front of the script.
func (q *Queue) RunBeside(ctx context.Context, shard int, b *Beside, script *redisstore.Script, args ...any) (any, error) {
	return q.store.RunWithValues(ctx, b.values, script, q.tags(shard), q.argv(args)...)
}

// putBeside collects the payloads of a batch that go beside the push script.
func (q *Queue) putBeside(shard int, batch []*pushed) (name string, values []*redisstore.Value) {
	var b Beside
	for i, p := range batch {
		if !p.begun && p.event.isBeside() {
			p.beside = q.PutBeside(&b, shard, i+1, p.event.beside())
		}
	}
	return b.Name, b.values
}
