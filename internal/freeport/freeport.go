// Package freeport finds ports for servers that tests and benchmarks start.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// The ports lie below those that systems give to connections and to listeners on port 0, which begin at 32,768 or 49,152: one
// of those could be taken by any connection before its server listens.
const (
	first = 10_000
	last  = 20_999
	// reservedBy is how far above a port the one is on which its process listens to reserve it.
	reservedBy = last - first + 1
)

var (
	mu           sync.Mutex
	reservations []net.Listener // kept until the process ends
)

// Find returns a TCP port of 127.0.0.1 between 10,000 and 20,999 on which nobody listens, and reserves it: no process that
// calls Find gets it before this process has ended, even while its server has not started or is down. It fails after 1,000
// ports that are taken.
func Find() (int, error) {
	for range 1000 {
		port := first + rand.IntN(reservedBy)
		reservation, err := listen(port + reservedBy)
		if err != nil {
			continue
		}
		if l, err := listen(port); err == nil {
			l.Close()
			mu.Lock()
			defer mu.Unlock()
			reservations = append(reservations, reservation)
			return port, nil
		}
		reservation.Close()
	}
	return 0, errors.New("there is no free port between 10000 and 20999 on 127.0.0.1")
}

func listen(port int) (net.Listener, error) {
	return net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
}
