package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"
)

func init() { role("sink", runSink) }

// sinkSettings of a sink.
type sinkSettings struct {
	HangMS  int  // how long requests to /hang wait for an answer
	HangAll bool // requests to every path wait as those to /hang do
}

// sink is the endpoint of all deliveries: as little HTTP as net/http's client accepts, so that what is measured is the
// sender. It counts the requests and, by path and event, the duplicates.
type sink struct {
	settings sinkSettings
	mu       sync.Mutex
	conns    map[*sinkConn]struct{}
	counted  sinkCounts // what earlier calls of counts took over from the connections since the last reset
	seen     map[uint64]struct{}
}

// sinkCounts is what a sink answers.
type sinkCounts struct {
	Requests   int       `json:"requests"`
	Events     int       `json:"events"`
	Duplicates int       `json:"duplicates"`
	LatencyMS  []float64 `json:"latency_ms,omitempty"` // since the last answer, of events whose body says when they were published
}

// sinkConn is what one connection counted since the last answer.
type sinkConn struct {
	mu       sync.Mutex
	requests int
	ids      []uint64 // hashes of path and event
	latency  []float64
}

var sinkSeed = maphash.MakeSeed()

func runSink(_ context.Context, settings sinkSettings, parent *pipe) error {
	s := &sink{settings: settings, conns: map[*sinkConn]struct{}{}, seen: map[uint64]struct{}{}}
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
	_ = parent.send(l.Addr().String())
	return parent.answerEach(func(question string) (any, error) { return s.counts(question == "reset"), nil })
}

// sinkProcess is a running sink, seen from the parent.
type sinkProcess struct {
	*child
	addr string
}

func startSink(ctx context.Context, o sinkSettings) (sinkProcess, error) {
	var addr string
	c, err := start(ctx, "sink", o, &addr)
	return sinkProcess{c, addr}, err
}

// url is where the sink takes the deliveries of one of its paths.
func (s sinkProcess) url(path any) string { return fmt.Sprintf("http://%s/%v", s.addr, path) }

// waitFor asks until n events have come, for two minutes at most.
func (s sinkProcess) waitFor(ctx context.Context, n int) (c sinkCounts, err error) {
	err = waitUntil(ctx, 2*time.Minute, 5*time.Millisecond, func() (bool, error) {
		err := s.ask("count", &c)
		return c.Events >= n, err
	})
	return c, err
}

// reset returns the counts and begins anew.
func (s sinkProcess) reset() (c sinkCounts, err error) {
	err = s.ask("reset", &c)
	return c, err
}

// waitAndReset waits for n events, then returns the counts and begins anew.
func (s sinkProcess) waitAndReset(ctx context.Context, n int) (sinkCounts, error) {
	if _, err := s.waitFor(ctx, n); err != nil {
		return sinkCounts{}, err
	}
	return s.reset()
}

// eachRoundWithSink is eachRound with a sink that runs through all rounds.
func (o options) eachRoundWithSink(ctx context.Context, measure func(s sinkProcess, f *figures)) *figures {
	s := must(startSink(ctx, sinkSettings{}))
	defer s.stop()
	return o.eachRound(func(f *figures, _ int) { measure(s, f) })
}

// counts takes over what the connections counted and returns the sums since the last reset. With reset it begins anew.
func (s *sink) counts(reset bool) sinkCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counted
	for conn := range s.conns {
		conn.mu.Lock()
		c.Requests += conn.requests
		for _, id := range conn.ids {
			if _, again := s.seen[id]; again {
				c.Duplicates++
			}
			s.seen[id] = struct{}{}
		}
		c.LatencyMS = append(c.LatencyMS, conn.latency...)
		conn.requests, conn.ids, conn.latency = 0, conn.ids[:0], nil
		conn.mu.Unlock()
	}
	c.Events = len(s.seen)
	s.counted = sinkCounts{Requests: c.Requests, Duplicates: c.Duplicates}
	if reset {
		s.counted, s.seen = sinkCounts{}, map[uint64]struct{}{}
	}
	return c
}

var (
	okAnswer    = []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	webhookID   = []byte("webhook-id:")
	publishedAt = []byte(`"publishedAt":`)
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
		hang := s.settings.HangAll || bytes.HasPrefix(path, []byte("/hang"))
		_, _ = h.Write(path)
		length, err := readHeader(r, func(line []byte) {
			if id, ok := cutPrefixFold(line, webhookID); ok {
				_, _ = h.Write(id)
			}
		})
		if err != nil {
			return
		}
		body = slices.Grow(body[:0], max(length, 0))[:max(length, 0)]
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		if hang {
			time.Sleep(time.Duration(s.settings.HangMS) * time.Millisecond)
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
