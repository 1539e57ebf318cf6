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
	// besideFrom is from how many bytes on a payload goes to the store beside the script that queues it. As a string of a script it costs Redis more
	// than all else, as each byte of it is hashed, twice.
	besideFrom = 2 << 10
	// besideKept is how long the store keeps it where the script never comes: longer than any call is tried.
	besideKept = time.Minute
	// oneLane is the mark of a payload whose event goes to one lane, as most do; the script sees to those that don't.
	oneLane = "1"
)

// ErrUnsaved can only come from a store that stood still between two commands for as long as a payload beside is kept.
var ErrUnsaved = errors.New("the store lost the payload before it took the event")

// isBeside reports whether the payload goes to the store beside the script. An empty one does, as none is how the script knows.
func (e *Event) isBeside() bool { return e.Payload == "" || IsLarge(len(e.Payload)) }

// IsLarge reports whether a payload of so many bytes goes to the store beside the script that queues it, see [Beside].
func IsLarge(bytes int) bool { return bytes >= besideFrom }

// Carry sets the payload to head and data, which are copied once, whichever way they go to the store.
func (e *Event) Carry(head string, data []byte) {
	var b strings.Builder
	b.Grow(len(oneLane) + len(head) + len(data))
	b.WriteString(oneLane)
	b.WriteString(head)
	b.Write(data)
	e.marked = b.String()
	e.Payload = e.marked[len(oneLane):]
}

// beside is the payload as it is stored beside the script.
func (e *Event) beside() string {
	if e.marked != "" && e.marked[len(oneLane):] == e.Payload { // which is quick where they share their bytes
		return e.marked
	}
	return oneLane + e.Payload
}

// Beside are the large payloads of one call of a script, which go to the store beside it. Their keys are of this call alone, as an ID of our own
// form stands for the same job in every try, and for any account: what another call left is not this event's payload.
//
// Failure policy: the script queues no event whose payload is not there. What it does not come to, or refuses, goes at once or ends soon.
type Beside struct {
	Name   string // after which their keys are named; "" where there are none
	values []*redisstore.Value
}

// PutBeside adds the payload of the event at a place of the call, as it is stored: a string, or an encoding.BinaryMarshaler that stays as it is until
// the call is over. The script finds it under "put:<name>:<place>", and the value's Err says why it does not.
func (q *Queue) PutBeside(b *Beside, shard, place int, payload any) *redisstore.Value {
	if b.Name == "" {
		b.Name = rand.Text()
	}
	v := &redisstore.Value{Key: q.Key(shard, KeyPut, b.Name, ":", strconv.Itoa(place)), Data: payload, TTL: besideKept}
	b.values = append(b.values, v)
	return v
}

// RunBeside is [Queue.RunDurable] with large payloads beside the script.
func (q *Queue) RunBeside(ctx context.Context, shard int, b *Beside, script *redisstore.Script, args ...any) (any, error) {
	return q.store.RunWithValues(ctx, b.values, script, q.tags(shard), q.argv(args)...)
}

// putBeside puts those of a batch beside the push script.
func (q *Queue) putBeside(shard int, batch []*pushed) (name string, values []*redisstore.Value) {
	var b Beside
	for i, p := range batch {
		if !p.begun && p.event.isBeside() {
			p.beside = q.PutBeside(&b, shard, i+1, p.event.beside())
		}
	}
	return b.Name, b.values
}
