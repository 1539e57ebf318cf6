// Package freeport finds ports for servers that tests and benchmarks start.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Systems hand out ports from 32,768 on, or 49,152, to whoever connects or listens on port 0. One of those could be taken by any
// connection before its server listens.
const (
	first = 10_000
	last  = 31_999
)

var given sync.Map // port: struct{}

// Find returns a port of the loopback address on which nobody listens, and never the same one twice in a process.
func Find() (int, error) {
	for range 1000 {
		port := first + rand.IntN(last-first+1)
		if _, twice := given.LoadOrStore(port, struct{}{}); twice {
			continue
		}
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			l.Close()
			return port, nil
		}
	}
	return 0, errors.New("there is no free port between 10000 and 31999 on 127.0.0.1")
}
