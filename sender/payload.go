package sender

import (
	"strconv"
	"strings"
	"time"
)

// payload is what is stored of an event: the parts of the documented body, with data byte for byte as it was published, and what
// an attempt needs beside it. It is not JSON, so that nothing on the way can encode the data anew. An event ID that follows from
// the job (see eventIDOf) is left out, and so are empty parts at the end: most payloads are a type, a time and the data, which
// takes less room than the body.
type payload struct {
	eventID     string
	eventType   string
	timestamp   int64 // unix seconds
	traceparent string
	tracestate  string
	notice      bool // one of our notices, whose failure causes no other notice
	data        string
}

const (
	payloadSeparator = "\x1f" // can't stand in any of the parts
	noticeMark       = "n"
)

func (p *payload) encode() string { return p.head() + p.data }

// head returns what is stored in front of data.
func (p *payload) head() string {
	mark := ""
	if p.notice {
		mark = noticeMark
	}
	head := strings.Join([]string{p.eventType, strconv.FormatInt(p.timestamp, 10), p.eventID, p.traceparent, p.tracestate, mark}, payloadSeparator)
	return strings.TrimRight(head, payloadSeparator) + "\n"
}

// decodePayload decodes what is stored for a job. ok is false where the payload has expired.
func decodePayload(text, job string) (p payload, ok bool) {
	head, data, ok := strings.Cut(text, "\n")
	if !ok {
		return p, false
	}
	p.data = data
	p.eventType, head, _ = strings.Cut(head, payloadSeparator)
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

// traceID returns the ID of the publisher's trace, the second field of a traceparent; "" where there is none.
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

// size returns the size of the body in bytes.
func (p *payload) size() int { return bodySize(p.eventType, len(p.data)) }

// bodySize returns the size of the body of an event with so many bytes of data.
func bodySize(kind string, data int) int {
	return len(envelopeHead) + len(kind) + len(envelopeTime) + len(timestampFormat) + len(envelopeData) + data + len("}")
}

// body returns the documented envelope: compact, with the keys in this order.
func (p *payload) body() []byte {
	b := make([]byte, 0, p.size())
	b = append(b, envelopeHead...)
	b = append(b, p.eventType...) // one of the catalogue: needs no escaping
	b = append(b, envelopeTime...)
	b = time.Unix(p.timestamp, 0).UTC().AppendFormat(b, timestampFormat)
	b = append(b, envelopeData...)
	b = append(b, p.data...)
	return append(b, '}')
}
