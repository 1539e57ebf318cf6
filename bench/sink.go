package main

import (
	"bufio"
	"bytes"
	"context"
	"hash/maphash"
	"net"
	"strconv"
	"sync"
	"time"
)

func init() { role("sink", runSink) }

// sinkSettings of a sink.
type sinkSettings struct {
	HangMS  int  // how long requests to /hang wait for an answer
	HangAll bool // all do
}

// sink is the endpoint of all deliveries: as little HTTP as net/http's client accepts, so that what is measured is the
// sender. It counts what came, and each event of each path once more than once as a duplicate.
type sink struct {
	hang  time.Duration
	all   bool
	mu    sync.Mutex
	conns map[*sinkConn]struct{}
	past  sinkCounts // of connections that ended
	seen  map[uint64]struct{}
}

// sinkCounts is what a sink tells.
type sinkCounts struct {
	Requests   int       `json:"requests"`
	Events     int       `json:"events"`
	Duplicates int       `json:"duplicates"`
	LatencyMS  []float64 `json:"latency_ms,omitempty"` // of events whose body says when they were published
}

type sinkConn struct {
	mu       sync.Mutex
	requests int
	ids      []uint64
	latency  []float64
}

var sinkSeed = maphash.MakeSeed()

func runSink(_ context.Context, settings sinkSettings, t *talk) error {
	s := &sink{hang: time.Duration(settings.HangMS) * time.Millisecond, all: settings.HangAll, conns: map[*sinkConn]struct{}{}, seen: map[uint64]struct{}{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	t.say(l.Addr().String())
	for {
		var question string
		if !t.hear(&question) {
			return nil
		}
		t.say(s.counts(question == "reset"))
	}
}

// startSink runs a sink and returns its address.
func startSink(ctx context.Context, o sinkSettings) (c *child, addr string, err error) {
	c, err = start(ctx, "sink", o, &addr)
	return c, addr, err
}

// counts sums up, and begins anew where asked to.
func (s *sink) counts(reset bool) sinkCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.past
	s.past.LatencyMS = nil
	for conn := range s.conns {
		conn.mu.Lock()
		c.Requests += conn.requests
		s.past.Requests += conn.requests
		for _, id := range conn.ids {
			if _, again := s.seen[id]; again {
				c.Duplicates++
				s.past.Duplicates++
			}
			s.seen[id] = struct{}{}
		}
		c.LatencyMS = append(c.LatencyMS, conn.latency...)
		conn.requests, conn.ids, conn.latency = 0, conn.ids[:0], nil
		conn.mu.Unlock()
	}
	c.Events = len(s.seen)
	if reset {
		s.past, s.seen = sinkCounts{}, map[uint64]struct{}{}
	}
	return c
}

var (
	okAnswer      = []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	contentLength = []byte("content-length:")
	webhookID     = []byte("webhook-id:")
	publishedAt   = []byte(`"publishedAt":`)
)

func (s *sink) serve(c net.Conn) {
	defer c.Close()
	conn := &sinkConn{}
	s.mu.Lock()
	s.conns[conn] = struct{}{}
	s.mu.Unlock()
	r := bufio.NewReaderSize(c, 8<<10)
	var body []byte
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		var h maphash.Hash
		h.SetSeed(sinkSeed)
		path := bytes.Fields(line)[1]
		hang := s.all || bytes.HasPrefix(path, []byte("/hang"))
		_, _ = h.Write(path)
		length := 0
		for {
			if line, err = r.ReadSlice('\n'); err != nil {
				return
			}
			if len(line) <= 2 {
				break
			}
			switch {
			case hasPrefixFold(line, contentLength):
				length, _ = strconv.Atoi(string(bytes.TrimSpace(line[len(contentLength):])))
			case hasPrefixFold(line, webhookID):
				_, _ = h.Write(bytes.TrimSpace(line[len(webhookID):]))
			}
		}
		if cap(body) < length {
			body = make([]byte, length)
		}
		body = body[:length]
		for n := 0; n < length; {
			m, err := r.Read(body[n:])
			if err != nil {
				return
			}
			n += m
		}
		if hang {
			time.Sleep(s.hang)
		}
		conn.mu.Lock()
		conn.requests++
		if !hang {
			conn.ids = append(conn.ids, h.Sum64())
		}
		if i := bytes.Index(body, publishedAt); i >= 0 && !hang {
			digits := body[i+len(publishedAt):]
			if end := bytes.IndexAny(digits, ",}"); end > 0 {
				at, _ := strconv.ParseInt(string(digits[:end]), 10, 64)
				conn.latency = append(conn.latency, float64(time.Now().UnixMicro()-at)/1000)
			}
		}
		conn.mu.Unlock()
		if _, err := c.Write(okAnswer); err != nil {
			return
		}
	}
}

func hasPrefixFold(line, prefix []byte) bool {
	return len(line) >= len(prefix) && bytes.EqualFold(line[:len(prefix)], prefix)
}
