package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

func init() { role("load", runLoad) }

// loadSettings of a process that sends requests over keep-alive connections, as fast as they are answered.
type loadSettings struct {
	N, C, Size int  // requests that count, connections, and bytes of an event's body
	Warm       int  // requests before those that count, which fill connections, heaps and caches
	API        bool // publishes to the REST API; otherwise deliveries to a gateway
}

// loadRun is one run, as the parent asks for it.
type loadRun struct {
	Addr   string
	Status int // that each answer must have
}

// runLoad makes all requests of a run in advance, signed and as bytes, and reads of the answers no more than it must:
// what it takes from the machine is taken from what is measured.
func runLoad(_ context.Context, o loadSettings, parent *pipe) error {
	_ = parent.send("ready")
	for {
		var run loadRun
		if parent.receive(&run) != nil {
			return nil
		}
		requests, err := o.requests()
		if err != nil {
			return err
		}
		if _, err := o.send(run, requests[:o.Warm]); err != nil {
			return err
		}
		if parent.ask("warm", nil) != nil {
			return nil
		}
		u, err := o.send(run, requests[o.Warm:])
		if err != nil {
			return err
		}
		_ = parent.send(u)
	}
}

// requests makes those of one run. Their events differ in ID and body. They are signed for each run, as a gateway refuses old
// timestamps.
func (o *loadSettings) requests() ([][]byte, error) {
	if o.API {
		return o.publishRequests(), nil
	}
	video, standard, err := signers()
	if err != nil {
		return nil, err
	}
	now := time.Now().Unix()
	all := make([][]byte, o.N+o.Warm)
	for i := range all {
		id := fmt.Sprintf("evt_%032x", i)
		body := []byte(`{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":` + string(numberedData(o.Size, i)) + `}`)
		var b bytes.Buffer
		b.WriteString("POST /webhooks HTTP/1.1\r\nHost: hooks.example.com\r\nContent-Type: application/json\r\nUser-Agent: VideoCloud-Webhooks/bench\r\n")
		fmt.Fprintf(&b, "Content-Length: %d\r\nX-VideoCloud-Signature: %s\r\nX-VideoCloud-Event: video.uploaded\r\nX-VideoCloud-Event-Id: %s\r\nX-VideoCloud-Attempt: 1\r\n",
			len(body), video.Append(nil, body), id)
		fmt.Fprintf(&b, "webhook-id: %s\r\nwebhook-timestamp: %d\r\nwebhook-signature: %s\r\n\r\n", id, now, standard.Append(nil, id, now, body))
		b.Write(body)
		all[i] = b.Bytes()
	}
	return all, nil
}

func (o *loadSettings) publishRequests() [][]byte {
	all := make([][]byte, o.N+o.Warm)
	for i := range all {
		body := `{"event":"` + typeName(i%webhookCount) + `","data":` + string(numberedData(o.Size, i)) + `}`
		all[i] = []byte("POST /events HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\nAuthorization: Bearer " + benchKey +
			"\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	}
	return all
}

// numberedData is data for an envelope of about size bytes, other data for each i.
func numberedData(size, i int) json.RawMessage {
	return bytes.Replace(eventData(size, 0), []byte("vid_123456"), fmt.Appendf(nil, "vid_%06d", i), 1)
}

// send sends the requests over the connections of a run and returns what that used.
func (o *loadSettings) send(run loadRun, requests [][]byte) (usage, error) {
	conns := make([]net.Conn, min(o.C, len(requests)))
	answers := make([]*bufio.Reader, len(conns))
	for i := range conns {
		c, err := net.Dial("tcp", run.Addr)
		if err != nil {
			return usage{}, err
		}
		defer c.Close()
		conns[i], answers[i] = c, bufio.NewReader(c)
	}
	clock := startClock()
	err := parallel(len(requests), len(conns), func(goroutine, i int) error {
		if _, err := conns[goroutine].Write(requests[i]); err != nil {
			return err
		}
		return readAnswer(answers[goroutine], run.Status)
	})
	return clock.usage(), err
}

var errAnswer = errors.New("an answer is not as expected")

// readAnswer reads one answer of a server that gives its length.
func readAnswer(r *bufio.Reader, status int) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if len(line) < 12 || string(line[9:12]) != strconv.Itoa(status) {
		return fmt.Errorf("%w: %q instead of %d", errAnswer, line, status)
	}
	length, err := readHeader(r, func([]byte) {})
	if err != nil {
		return err
	}
	if length < 0 {
		return fmt.Errorf("%w: it does not tell its length", errAnswer)
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return err
}

var contentLength = []byte("content-length:")

// readHeader reads the header of a request or an answer, passes each line to field, and returns the length of the body; -1 where
// the header does not tell it.
func readHeader(r *bufio.Reader, field func(line []byte)) (length int, err error) {
	length = -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) <= len("\r\n") {
			return length, nil
		}
		if text, ok := cutPrefixFold(line, contentLength); ok {
			length, _ = strconv.Atoi(string(text))
		}
		field(line)
	}
}

// cutPrefixFold returns what follows a prefix, in any letter case, without the spaces around it.
func cutPrefixFold(line, prefix []byte) ([]byte, bool) {
	if len(line) < len(prefix) || !bytes.EqualFold(line[:len(prefix)], prefix) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(prefix):]), true
}
