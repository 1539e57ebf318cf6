package destination

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// heavyHosts are https endpoints on loopback, each with certificates of its own of about 40 KB, as the library keeps equal ones once.
func heavyHosts(t *testing.T, n int) (urls []string, roots *x509.CertPool) {
	t.Helper()
	roots = x509.NewCertPool()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serving := new(sync.WaitGroup)
	t.Cleanup(serving.Wait) // cleanups run backwards: after the servers are closed
	for host := range n {
		template := &x509.Certificate{SerialNumber: big.NewInt(int64(host + 1)), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
		for i := range 800 {
			template.DNSNames = append(template.DNSNames, fmt.Sprintf("%032d.host%d.example.com", i, host))
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		require.NoError(t, err)
		require.Greater(t, len(der), maxKeptHandshake)
		require.Less(t, len(der), maxHandshake)
		leaf, err := x509.ParseCertificate(der)
		require.NoError(t, err)
		roots.AddCert(leaf)
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
		require.NoError(t, err)
		server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
		serving.Go(func() { _ = server.Serve(l) })
		t.Cleanup(func() { _ = server.Close() })
		urls = append(urls, "https://"+l.Addr().String())
	}
	return urls, roots
}

func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC() // what finalizers and pools hold goes with the second
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestCertificatesOfManyHostsAreNotKept: with many hosts that send large certificates, what this process holds does not grow with the
// requests made, and of a host nothing is left that has the size of its certificates. It runs alone: the heap is that of all tests.
// HEAVY_HOSTS=300 is how it was measured by hand.
func TestCertificatesOfManyHostsAreNotKept(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("HEAVY_HOSTS"))
	if n == 0 {
		n = 40
	}
	urls, roots := heavyHosts(t, n)
	tr := newTransport(t, TransportOptions{TLSConfig: &tls.Config{RootCAs: roots}})
	before := liveHeap()
	var left int64
	for round := range 5 {
		var group sync.WaitGroup
		failed := make(chan error, n)
		for _, url := range urls {
			group.Go(func() {
				if err := deliver(t, tr, url); err != nil {
					failed <- err
				}
			})
		}
		group.Wait()
		require.Empty(t, failed)
		// Connections close beside this, on both ends.
		require.Eventually(t, func() bool {
			left = liveHeap() - before
			return left < int64(n)*maxKeptHandshake/2
		}, 2*time.Minute, 20*time.Millisecond, "round %d: nothing of a host has the size of its certificates", round)
	}
	t.Logf("%d hosts, five requests each: %d KiB before, %+d KiB after", n, before>>10, left>>10)
}
