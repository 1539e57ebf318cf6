package sender

import (
	"strconv"
	"strings"
	"time"
)

// payload is what is stored of an event: what makes up the documented body, data byte for byte as it was published, and
// what an attempt needs beside it. It is no JSON, so that nothing on the way can re-encode the data. An event's ID is
// left out where it follows from the job, see eventIDOf, and so is the rest where there is none of it: most payloads
// are a type, a time and the data, which takes less room than the body.
type payload struct {
	eventID     string
	kind        string
	timestamp   int64 // unix seconds
	traceparent string
	tracestate  string
	notice      bool // a notice of ours: its failure makes no other notice
	data        string
}

const (
	payloadSeparator = "\x1f" // can't stand in any of the parts
	noticeMark       = "n"
)

func (p *payload) encode() string { return p.head() + p.data }

// head is what is stored in front of data.
func (p *payload) head() string {
	mark := ""
	if p.notice {
		mark = noticeMark
	}
	head := strings.Join([]string{p.kind, strconv.FormatInt(p.timestamp, 10), p.eventID, p.traceparent, p.tracestate, mark}, payloadSeparator)
	return strings.TrimRight(head, payloadSeparator) + "\n"
}

// decodePayload reads what is stored for a job.
func decodePayload(text, job string) (p payload, ok bool) {
	head, data, ok := strings.Cut(text, "\n")
	if !ok {
		return p, false
	}
	p.data = data
	p.kind, head, _ = strings.Cut(head, payloadSeparator)
	at, head, _ := strings.Cut(head, payloadSeparator)
	var err error
	if p.timestamp, err = strconv.ParseInt(at, 10, 64); err != nil {
		return p, false
	}
	for _, field := range []*string{&p.eventID, &p.traceparent, &p.tracestate} {
		*field, head, _ = strings.Cut(head, payloadSeparator)
	}
	p.notice = head == noticeMark
	p.eventID = eventIDOf(p.eventID, job)
	return p, true
}

// traceID is that of the event's publisher, "" without one: the second field of a traceparent.
func (p *payload) traceID() string {
	if parts := strings.Split(p.traceparent, "-"); len(parts) == 4 {
		return parts[1]
	}
	return ""
}

const (
	envelopeHead, envelopeTime, envelopeData = `{"event":"`, `","timestamp":"`, `","data":`

	timestampFormat = "2006-01-02T15:04:05Z" // RFC 3339, UTC, whole seconds
)

// size is that of the body.
func (p *payload) size() int { return bodySize(p.kind, len(p.data)) }

// bodySize is the size of the body of an event with so many bytes of data.
func bodySize(kind string, data int) int {
	return len(envelopeHead) + len(kind) + len(envelopeTime) + len(timestampFormat) + len(envelopeData) + data + len("}")
}

// body is the documented envelope: compact, keys in this order.
func (p *payload) body() []byte {
	b := make([]byte, 0, p.size())
	b = append(b, envelopeHead...)
	b = append(b, p.kind...) // one of the catalogue: needs no escaping
	b = append(b, envelopeTime...)
	b = time.Unix(p.timestamp, 0).UTC().AppendFormat(b, timestampFormat)
	b = append(b, envelopeData...)
	b = append(b, p.data...)
	return append(b, '}')
}
