package queue

import (
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/internal/redisstore"
)

const (
	// besideFrom is from how many bytes on a payload goes to the store beside the push script. As a string of a script it costs Redis more than all
	// else, as each byte of it is hashed, twice.
	besideFrom = 2 << 10
	// besideKept is how long the store keeps it where the script never comes: longer than any call is tried.
	besideKept = time.Minute
	// oneLane is the mark of a payload whose event goes to one lane, as most do; the script sees to those that don't.
	oneLane = "1"
)

// errUnsaved can only come from a store that stood still between two commands for as long as a payload beside is kept.
var errUnsaved = errors.New("push: the store lost the payload before it took the event")

// isBeside reports whether the payload goes to the store beside the script. An empty one does, as none is how the script knows.
func (e *Event) isBeside() bool { return e.Payload == "" || len(e.Payload) >= besideFrom }

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

// putBeside are the payloads that a call needs in the store, and what their keys are named after: "" where there are none. That is of this call
// alone, as an ID of our own form stands for the same job in every try, and for any account: what another call left is not this event's payload.
//
// Failure policy: the script queues no event whose payload is not there. What it does not come to, or refuses, goes at once or ends soon.
func (q *Queue) putBeside(shard int, batch []*pushed) (name string, values []*redisstore.Value) {
	for i, p := range batch {
		if !p.begun && p.event.isBeside() {
			if name == "" {
				name = rand.Text()
			}
			p.beside = &redisstore.Value{Key: q.Key(shard, KeyPut, name, ":", strconv.Itoa(i+1)), Text: p.event.beside(), Kept: besideKept}
			values = append(values, p.beside)
		}
	}
	return name, values
}
