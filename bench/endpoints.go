package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

func init() { role("endpoints", runEndpoints) }

// endpointSettings of many https hosts in one process, half of them with HTTP/2. Those that hang are told by [hangs]; the others
// answer after the delay.
type endpointSettings struct{ Hosts, DelayMS int }

// endpointCounts is what the endpoints answer.
type endpointCounts struct {
	Events, Duplicates int
	Handshakes         int
	Resumed            int     // handshakes that resumed an earlier session
	OnceWarm           int     // handshakes since the question "warm"
	PerHost            float64 // connections that each host that answers had, on the average
	LeastPerHost       float64 // connections that the most requests at once needed, on the same average
}

// streamsOfGo is how many requests a Go server takes at once on one connection of HTTP/2.
const streamsOfGo = 250

// endpointHost is one of the hosts.
type endpointHost struct {
	http2          bool
	conns          int
	inFlight, most int // requests
}

type endpoints struct {
	delay    time.Duration
	mu       sync.Mutex
	hosts    map[string]*endpointHost // by address
	seen     map[string]bool          // by host and event ID
	counted  endpointCounts
	warmedUp int // handshakes at the question "warm"
}

// hostAddress is the address of one host.
func hostAddress(i int) string { return fmt.Sprintf("127.1.%d.%d", i/250, i%250+1) }

// endpointAddress is what the endpoints tell when they serve.
type endpointAddress struct {
	Port int    // of all hosts
	CA   []byte // the certificate of their authority, as PEM
}

// endpointsProcess are running endpoints, seen from the parent.
type endpointsProcess struct {
	*child
	endpointAddress
}

func (p *endpointsProcess) caFile() string { return filepath.Join(p.dir, "ca.pem") }

func (p *endpointsProcess) url(i int) string {
	return "https://" + net.JoinHostPort(hostAddress(i), strconv.Itoa(p.Port)) + "/hook"
}

// trust is the environment in which Go trusts the endpoints' certificates, and no others.
func (p *endpointsProcess) trust() []string {
	return []string{"SSL_CERT_FILE=" + p.caFile(), "SSL_CERT_DIR=" + p.dir}
}

func startEndpoints(ctx context.Context, o endpointSettings) (p *endpointsProcess, err error) {
	p = &endpointsProcess{}
	if p.child, err = start(ctx, "endpoints", o, &p.endpointAddress); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp("", "bench-ca"); err == nil {
		err = os.WriteFile(p.caFile(), p.CA, 0o600)
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func runEndpoints(_ context.Context, o endpointSettings, parent *pipe) error {
	e := &endpoints{delay: time.Duration(o.DelayMS) * time.Millisecond, hosts: map[string]*endpointHost{}, seen: map[string]bool{}}
	authority, err := newAuthority()
	if err != nil {
		return err
	}
	told := endpointAddress{CA: authority.pem}
	for i := range o.Hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(hostAddress(i), strconv.Itoa(told.Port)))
		if err != nil {
			return err
		}
		told.Port = l.Addr().(*net.TCPAddr).Port // the first host's is a free one, and all others take the same
		host := &endpointHost{http2: i/2%2 == 1} // not every other one, as then all that hang would be of the same kind
		e.hosts[hostAddress(i)] = host
		certificate, err := authority.issue(hostAddress(i))
		if err != nil {
			return err
		}
		e.serve(l, host, certificate, hangs(i))
	}
	_ = parent.send(told)
	return parent.answerEach(func(question string) (any, error) { return e.counts(question == "warm"), nil })
}

func (e *endpoints) serve(l net.Listener, host *endpointHost, certificate tls.Certificate, hang bool) {
	s := &http.Server{
		ErrorLog: log.New(io.Discard, "", 0),
		Handler:  e.handler(host, hang),
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"},
			VerifyConnection: func(c tls.ConnectionState) error {
				e.mu.Lock()
				defer e.mu.Unlock()
				host.conns++
				e.counted.Handshakes++
				if c.DidResume {
					e.counted.Resumed++
				}
				return nil
			},
		},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	if host.http2 {
		s.TLSConfig.NextProtos, s.TLSNextProto = []string{"h2", "http/1.1"}, nil
	}
	go func() { _ = s.ServeTLS(l, "", "") }()
}

func (e *endpoints) handler(host *endpointHost, hang bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		host.inFlight++
		host.most = max(host.most, host.inFlight)
		e.mu.Unlock()
		defer func() {
			e.mu.Lock()
			host.inFlight--
			e.mu.Unlock()
		}()
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		if hang {
			<-r.Context().Done()
			return
		}
		time.Sleep(e.delay)
		id := r.Host + r.Header.Get("webhook-id")
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.seen[id] {
			e.counted.Duplicates++
		}
		e.seen[id] = true
	}
}

// counts sums up. With warm it counts handshakes anew for [endpointCounts.OnceWarm].
func (e *endpoints) counts(warm bool) endpointCounts {
	e.mu.Lock()
	defer e.mu.Unlock()
	if warm {
		e.warmedUp = e.counted.Handshakes
	}
	c, answering := e.counted, 0.0
	c.Events, c.OnceWarm = len(e.seen), c.Handshakes-e.warmedUp
	for i := range len(e.hosts) {
		if hangs(i) {
			continue
		}
		answering++
		h := e.hosts[hostAddress(i)]
		c.PerHost += float64(h.conns)
		if h.http2 {
			c.LeastPerHost += float64((h.most + streamsOfGo - 1) / streamsOfGo)
		} else {
			c.LeastPerHost += float64(h.most)
		}
	}
	c.PerHost, c.LeastPerHost = c.PerHost/max(answering, 1), c.LeastPerHost/max(answering, 1)
	return c
}

// authority signs the certificates of one run.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bench"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	return &authority{c, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, err
}

func (a *authority) issue(address string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(address)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.certificate, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
