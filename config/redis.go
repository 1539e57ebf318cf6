package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Memory is the value of [Redis.URL] that selects the in-memory store: for trying things out, lost at exit.
const Memory = "memory"

// Redis says where the store is. Every value is resolved: no placeholders.
type Redis struct {
	// URL is redis:// or rediss:// with optional user, password and database, or "memory".
	// Empty without Addresses means memory too, with a warning in the log.
	URL string
	// Addresses are host:port pairs; several, or Cluster, select Redis Cluster; with MasterName they are Sentinels.
	Addresses []string
	// Cluster selects Redis Cluster, also behind a single address.
	Cluster bool
	// MasterName selects Redis Sentinel and names the master.
	MasterName string
	// SentinelPassword authenticates with the Sentinels themselves.
	SentinelPassword string
	// Username authenticates with Redis ACLs.
	Username string
	// Password authenticates with Redis.
	Password string
	// DB is the database number; 0 with a cluster.
	DB int
	// TLS enables TLS; nil leaves it to the URL's scheme.
	TLS *RedisTLS
	// Timeout bounds the dialling and each command. Default: 3s.
	Timeout time.Duration
	// Replicas is how many replicas must have an event before its publish is answered (WAIT). Default: 0.
	Replicas int
}

// RedisTLS are files of a TLS connection to Redis.
type RedisTLS struct {
	CA         string // PEM file of the authorities to trust instead of the system's
	Cert       string // PEM file of the client's certificate
	Key        string // PEM file of its key
	ServerName string // name expected in the server's certificate
}

// InMemory reports whether the in-memory store is selected.
func (r *Redis) InMemory() bool {
	return r.URL == Memory || (r.URL == "" && len(r.Addresses) == 0)
}

// SetDefaults fills in what was not given.
func (r *Redis) SetDefaults() {
	if r.Timeout == 0 {
		r.Timeout = 3 * time.Second
	}
}

// Validate reports the first setting that can't work, naming its option. No error contains a password.
func (r *Redis) Validate() error {
	if r.URL != "" && len(r.Addresses) > 0 {
		return errors.New("redis: give a URL or addresses, not both")
	}
	if r.URL != "" && r.URL != Memory {
		u, err := url.Parse(r.URL)
		if err != nil {
			return errors.New("redis: not a valid URL; write redis://host:6379/0 or rediss://…, or memory")
		}
		if u.Scheme != "redis" && u.Scheme != "rediss" {
			return fmt.Errorf("redis: the URL must start with redis:// or rediss://, or be the word memory; got scheme %q", u.Scheme)
		}
		if host := u.Hostname(); host == "" || strings.Contains(host, ":") && !strings.HasPrefix(u.Host, "[") {
			return errors.New("redis: the URL names no host, or more than one port; write redis://host:6379/0")
		}
	}
	for _, a := range r.Addresses {
		if !strings.Contains(a, ":") {
			return fmt.Errorf("redis: address %q needs a port, such as %s:6379", a, a)
		}
	}
	if r.MasterName != "" && len(r.Addresses) == 0 {
		return errors.New("redis: master_name needs the Sentinels' address option")
	}
	if r.MasterName != "" && r.Cluster {
		return errors.New("redis: master_name (Sentinel) and cluster exclude each other")
	}
	if (r.Cluster || (len(r.Addresses) > 1 && r.MasterName == "")) && r.DB != 0 {
		return errors.New("redis: a cluster has only database 0; remove db")
	}
	if r.DB < 0 {
		return fmt.Errorf("redis: db: %w", errNegative)
	}
	if r.Replicas < 0 {
		return fmt.Errorf("redis: replicas: %w", errNegative)
	}
	if r.Replicas > 0 && r.InMemory() {
		return errors.New("redis: replicas needs a real Redis; the in-memory store has none")
	}
	if r.Timeout < 0 {
		return fmt.Errorf("redis: timeout: %w", errNegative)
	}
	if t := r.TLS; t != nil && (t.Cert == "") != (t.Key == "") {
		return errors.New("redis: tls: cert and key go together")
	}
	return nil
}
