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
	last  = 20_999
	// apart is how far it is from a port to the one on which its process listens as a sign that it is taken.
	apart = last - first + 1
)

var (
	mu    sync.Mutex
	signs []net.Listener // each until the process ends
)

// Find returns a port of the loopback address on which nobody listens. No process that asks here gets it before this one has ended: also not
// while its server is not there yet, or is down for a while.
func Find() (int, error) {
	for range 1000 {
		port := first + rand.IntN(apart)
		sign, err := listen(port + apart)
		if err != nil {
			continue
		}
		if l, err := listen(port); err == nil {
			l.Close()
			mu.Lock()
			defer mu.Unlock()
			signs = append(signs, sign)
			return port, nil
		}
		sign.Close()
	}
	return 0, errors.New("there is no free port between 10000 and 20999 on 127.0.0.1")
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}
