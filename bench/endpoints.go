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

// endpointSettings of many https hosts in one process: by HTTP/1.1 and HTTP/2 in turn, see [hangs] for those that hang.
type endpointSettings struct{ Hosts, DelayMS int }

// worldCounts is what the endpoints tell.
type worldCounts struct {
	Events, Duplicates int
	Handshakes         int     // in all
	Resumed            int     // of them with a session of before
	Late               int     // since it was asked for
	PerHost            float64 // connections, of hosts that answer
	Least              float64 // as many as their requests at once needed
	Lost               int
}

// streamsOfGo is how many requests a Go server takes at once on one connection of HTTP/2.
const streamsOfGo = 250

// worldHost is one endpoint.
type worldHost struct {
	two                bool
	conns, now, atOnce int
}

type endpointsRole struct {
	delay time.Duration
	mu    sync.Mutex
	hosts map[string]*worldHost // by address
	seen  map[string]bool
	c     worldCounts
	late  int // handshakes when it was asked for
}

// hostAddress is the address of one host.
func hostAddress(i int) string { return fmt.Sprintf("127.1.%d.%d", i/250, i%250+1) }

// place is where the endpoints are.
type place struct {
	Port int
	CA   []byte
	file string
}

func (p *place) url(i int) string {
	return "https://" + net.JoinHostPort(hostAddress(i), strconv.Itoa(p.Port)) + "/hook"
}

// trust is the environment in which Go trusts the endpoints' certificates, and no others.
func (p *place) trust() []string {
	return []string{"SSL_CERT_FILE=" + p.file, "SSL_CERT_DIR=" + filepath.Dir(p.file)}
}

func startEndpoints(ctx context.Context, o endpointSettings) (*child, *place, error) {
	p := &place{}
	c, err := start(ctx, "endpoints", o, p)
	if err != nil {
		return nil, nil, err
	}
	if c.dir, err = os.MkdirTemp("", "bench-ca"); err == nil {
		p.file = filepath.Join(c.dir, "ca.pem")
		err = os.WriteFile(p.file, p.CA, 0o600)
	}
	if err != nil {
		c.stop()
		return nil, nil, err
	}
	return c, p, nil
}

func runEndpoints(_ context.Context, o endpointSettings, t *talk) error {
	role := &endpointsRole{delay: time.Duration(o.DelayMS) * time.Millisecond, hosts: map[string]*worldHost{}, seen: map[string]bool{}}
	authority, err := newAuthority()
	if err != nil {
		return err
	}
	p := place{CA: authority.pem}
	for i := range o.Hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(hostAddress(i), strconv.Itoa(p.Port)))
		if err != nil {
			return err
		}
		p.Port = l.Addr().(*net.TCPAddr).Port // the first one's is everybody's
		host := &worldHost{two: i/2%2 == 1}   // not by i alone, so that some of those that hang are of each kind
		role.hosts[hostAddress(i)] = host
		certificate, err := authority.issue(hostAddress(i))
		if err != nil {
			return err
		}
		role.serve(l, host, certificate, hangs(i))
	}
	t.say(p)
	var question string
	for t.hear(&question) {
		t.say(role.counts(question == "late"))
	}
	return nil
}

func (e *endpointsRole) serve(l net.Listener, host *worldHost, certificate tls.Certificate, hang bool) {
	s := &http.Server{
		ErrorLog: log.New(io.Discard, "", 0),
		Handler:  e.handler(host, hang),
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"},
			VerifyConnection: func(c tls.ConnectionState) error {
				e.mu.Lock()
				defer e.mu.Unlock()
				host.conns++
				e.c.Handshakes++
				if c.DidResume {
					e.c.Resumed++
				}
				return nil
			},
		},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
	}
	if host.two {
		s.TLSConfig.NextProtos, s.TLSNextProto = []string{"h2", "http/1.1"}, nil
	}
	go func() { _ = s.ServeTLS(l, "", "") }()
}

func (e *endpointsRole) handler(host *worldHost, hang bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		host.now++
		host.atOnce = max(host.atOnce, host.now)
		e.mu.Unlock()
		defer func() {
			e.mu.Lock()
			host.now--
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
			e.c.Duplicates++
		}
		e.seen[id] = true
	}
}

func (e *endpointsRole) counts(late bool) worldCounts {
	e.mu.Lock()
	defer e.mu.Unlock()
	if late {
		e.late = e.c.Handshakes
	}
	c, hosts := e.c, 0
	c.Events, c.Late = len(e.seen), c.Handshakes-e.late
	for i := range len(e.hosts) {
		h := e.hosts[hostAddress(i)]
		if hangs(i) {
			continue
		}
		hosts++
		c.PerHost += float64(h.conns)
		if h.two {
			c.Least += float64((h.atOnce + streamsOfGo - 1) / streamsOfGo)
		} else {
			c.Least += float64(h.atOnce)
		}
	}
	c.PerHost, c.Least = c.PerHost/float64(max(hosts, 1)), c.Least/float64(max(hosts, 1))
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
