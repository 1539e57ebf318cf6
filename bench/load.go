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
	"sync"
	"sync/atomic"
	"time"
)

func init() { role("load", runLoad) }

// loadSettings of a process that sends requests over keep-alive connections, as fast as they are answered.
type loadSettings struct {
	N, C, Size int
	Warm       int  // requests before those that count
	API        bool // publishes to the REST API; otherwise deliveries to a gateway
}

// loadRun is one run, as the parent asks for it. The first part of a run's requests warms up: connections, heaps, caches.
type loadRun struct {
	Addr   string
	Status int // what each answer must have
}

// runLoad makes all requests of a run in advance, signed and as bytes, and reads of the answers no more than it must:
// what it takes from the machine is taken from what is measured.
func runLoad(_ context.Context, o loadSettings, t *talk) error {
	t.say("ready")
	for {
		var run loadRun
		if !t.hear(&run) {
			return nil
		}
		requests, err := o.requests()
		if err != nil {
			return err
		}
		if _, err := o.send(run, requests[:o.Warm]); err != nil {
			return err
		}
		t.say("warm")
		var question string
		if !t.hear(&question) {
			return nil
		}
		used := cpu()
		took, err := o.send(run, requests[o.Warm:])
		if err != nil {
			return err
		}
		t.say(spent{Seconds: took.Seconds(), CPUMS: float64((cpu() - used).Microseconds()) / 1000})
	}
}

// requests makes those of one run. Their events are distinct in ID and body; signed now, since gateways know old ones.
func (o *loadSettings) requests() ([][]byte, error) {
	if o.API {
		return o.publishes(), nil
	}
	video, standard, err := signers()
	if err != nil {
		return nil, err
	}
	now := time.Now().Unix()
	all := make([][]byte, o.N+o.Warm)
	for i := range all {
		id := fmt.Sprintf("evt_%032x", i)
		body := []byte(`{"event":"video.uploaded","timestamp":"2024-03-31T12:00:00Z","data":` + string(numbered(o.Size, i)) + `}`)
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

const benchKey = "bench-key"

func (o *loadSettings) publishes() [][]byte {
	all := make([][]byte, o.N+o.Warm)
	for i := range all {
		body := `{"event":"bench.e` + strconv.Itoa(i%hooks) + `","data":` + string(numbered(o.Size, i)) + `}`
		all[i] = []byte("POST /events HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json\r\nAuthorization: Bearer " + benchKey +
			"\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	}
	return all
}

// numbered is data of about size bytes that no other number has.
func numbered(size, i int) json.RawMessage {
	return bytes.Replace(dataOf(size, 0), []byte("vid_123456"), fmt.Appendf(nil, "vid_%06d", i), 1)
}

// send sends the requests over the connections and returns how long it took.
func (o *loadSettings) send(run loadRun, requests [][]byte) (time.Duration, error) {
	conns := make([]net.Conn, min(o.C, len(requests)))
	for i := range conns {
		c, err := net.Dial("tcp", run.Addr)
		if err != nil {
			return 0, err
		}
		defer c.Close()
		conns[i] = c
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	errs := make([]error, len(conns))
	began := time.Now()
	for i, c := range conns {
		workers.Go(func() {
			r := bufio.NewReader(c)
			for {
				n := int(next.Add(1)) - 1
				if n >= len(requests) || errs[i] != nil {
					return
				}
				if _, errs[i] = c.Write(requests[n]); errs[i] == nil {
					errs[i] = readAnswer(r, run.Status)
				}
			}
		})
	}
	workers.Wait()
	return time.Since(began), errors.Join(errs...)
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
	length := -1
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if hasPrefixFold(line, contentLength) {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(line[len(contentLength):])))
		}
	}
	if length < 0 {
		return fmt.Errorf("%w: it does not tell its length", errAnswer)
	}
	_, err = io.CopyN(io.Discard, r, int64(length))
	return err
}

// startLoad runs a load process.
func startLoad(ctx context.Context, o loadSettings) (*child, error) {
	return start(ctx, "load", o, nil)
}
