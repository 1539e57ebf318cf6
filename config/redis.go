package config

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Memory is the value of [Redis.URL] that selects the in-memory store, for trials: its content is lost at exit.
const Memory = "memory"

// Local is the word that selects a server that this program runs itself; see [Redis.Local].
const Local = "local"

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
	// Local are the settings of a server that this program runs itself. Only Timeout may be set beside it. Default: none.
	Local *LocalRedis
	// Replicas is how many replicas must have an event before publishing it is answered (the command WAIT). Default: 0.
	Replicas int
}

// RedisTLS are files of a TLS connection to Redis.
type RedisTLS struct {
	CA         string // PEM file of the authorities to trust instead of the system's
	Cert       string // PEM file of the client's certificate
	Key        string // PEM file of its key
	ServerName string // name expected in the server's certificate
}

// Values of [LocalRedis.Fsync].
const (
	FsyncAlways   = "always"
	FsyncEverySec = "everysec"
)

// LocalRedis are the settings of a Redis or Valkey server that this program runs itself, for itself alone. Only the server's package has to
// be installed.
type LocalRedis struct {
	// Dir is the folder of its data and its socket. It is created; only this user may have access to it (mode 0700). Required.
	Dir string
	// Server is the program. Default: valkey-server or redis-server, whichever is on PATH.
	Server string
	// Fsync says when written data is on the disk: "always" before the answer, "everysec" within two seconds.
	// Default: always.
	Fsync string
	// MaxMemory bounds its memory, in bytes. When it is full, publishing is refused. Default: 0, no bound.
	MaxMemory int64
}

// SetDefaults fills in what was not given.
func (l *LocalRedis) SetDefaults() {
	setDefault(&l.Fsync, FsyncAlways)
}

// InMemory reports whether the in-memory store is selected.
func (r *Redis) InMemory() bool {
	return r.Local == nil && (r.URL == Memory || (r.URL == "" && len(r.Addresses) == 0))
}

// SetDefaults fills in what was not given.
func (r *Redis) SetDefaults() {
	setDefault(&r.Timeout, 3*time.Second)
}

// Validate reports the first setting that can't work, naming its option. No error contains a password.
func (r *Redis) Validate() error {
	if r.Timeout != 0 && r.Timeout < ShortestDuration {
		return tooShort("redis: timeout", r.Timeout)
	}
	if r.Local != nil {
		return r.validateLocal()
	}
	return cmp.Or(
		errorIf(r.URL != "" && len(r.Addresses) > 0, "redis: give a URL or addresses, not both"),
		r.validateURL(),
		r.validateAddresses(),
		errorIf(r.DB < 0, "redis: db: must not be negative"),
		errorIf(r.Replicas < 0, "redis: replicas: must not be negative"),
		errorIf(r.TLS != nil && (r.TLS.Cert == "") != (r.TLS.Key == ""), "redis: tls: cert and key go together"),
		r.together(),
	)
}

func (r *Redis) validateURL() error {
	if r.URL == "" || r.URL == Memory {
		return nil
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		return errors.New("redis: not a valid URL; write redis://host:6379/0 or rediss://…, or memory")
	}
	host := u.Hostname()
	return cmp.Or(
		errorIf(u.Scheme != "redis" && u.Scheme != "rediss", "redis: the URL must start with redis:// or rediss://, or be the word memory; got scheme %q", u.Scheme),
		errorIf(host == "" || strings.Contains(host, ":") && !strings.HasPrefix(u.Host, "[") || !portFits(u),
			"redis: the URL names no host, or no port that there is; write redis://host:6379/0"),
		errorIf(!database.MatchString(u.Path) || u.RawQuery != "" || u.Fragment != "",
			"redis: what follows the host in the URL is the number of a database, and nothing else; write redis://host:6379/0, and settings into a block"),
	)
}

func (r *Redis) validateAddresses() error {
	for i, a := range r.Addresses {
		if err := checkAddress(a); err != nil {
			return err
		}
		if slices.Contains(r.Addresses[:i], a) {
			return fmt.Errorf("redis: address %q is given twice", a)
		}
	}
	return nil
}

// together returns a [Conflict] of options that are each valid but can't be used together.
func (r *Redis) together() error {
	cluster := r.Cluster || len(r.Addresses) > 1 && r.MasterName == ""
	for _, o := range []struct {
		bad                    bool
		option, other, problem string
	}{
		{r.InMemory() && r.Replicas > 0, "replicas", Memory, "the in-memory store has no replicas; name a Redis, or remove replicas"},
		{r.InMemory() && r.beside() != "", r.beside(), Memory, "the in-memory store connects to nothing; name a Redis, or remove it"},
		{r.MasterName != "" && r.URL != "", "master_name", "the URL", "Sentinels are named by address; give address instead of a URL"},
		{r.MasterName != "" && r.Cluster, "master_name", "cluster", "Sentinel and Cluster exclude each other"},
		{r.SentinelPassword != "" && r.MasterName == "", "sentinel_password", "master_name", "only Sentinels take it; give master_name too"},
		{r.Username != "" && r.Password == "" && r.inURL().password == "", "username", "password", "a user logs in with a password; give both"},
		{cluster && r.DB != 0, "db", "cluster", "a cluster has only database 0; remove db"},
		{cluster && r.inURL().db, "the URL's database", "cluster", "a cluster has only database 0; remove it from the URL"},
		{r.DB != 0 && r.inURL().db, "db", "the URL", "both name a database; give one"},
		{r.Username != "" && r.inURL().username != "", "username", "the URL", "both name a user; give one"},
		{r.Password != "" && r.inURL().password != "", "password", "the URL", "both hold a password; give one"},
		{r.TLS != nil && strings.HasPrefix(r.URL, "redis://"), "tls", "the URL", "redis:// is without TLS; write rediss://"},
	} {
		if o.bad {
			return &Conflict{"redis: " + o.option, o.other, o.problem}
		}
	}
	return nil
}

// beside returns the name of an option that is set and says how to connect; empty if none is.
func (r *Redis) beside() string {
	for _, o := range []struct {
		given bool
		name  string
	}{
		{r.Cluster, "cluster"}, {r.MasterName != "", "master_name"}, {r.SentinelPassword != "", "sentinel_password"},
		{r.Username != "", "username"}, {r.Password != "", "password"}, {r.DB != 0, "db"}, {r.TLS != nil, "tls"},
	} {
		if o.given {
			return o.name
		}
	}
	return ""
}

// urlParts are the settings that a URL may contain and that have options too.
type urlParts struct {
	username, password string
	db                 bool
}

// inURL returns the settings that the URL contains.
func (r *Redis) inURL() (p urlParts) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return p
	}
	p.username = u.User.Username()
	p.password, _ = u.User.Password()
	p.db = strings.Trim(u.Path, "/0") != ""
	return p
}

// database matches the path of a Redis URL.
var database = regexp.MustCompile(`^/?([0-9]{1,9})?$`)

// leastMemory is about the memory of an empty server, in bytes.
const leastMemory = 1 << 20

func checkAddress(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil && !strings.Contains(address, ":") {
		return fmt.Errorf("redis: address %q needs a port, such as %s:6379", address, address)
	}
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" {
		return fmt.Errorf("redis: address %q is no host and port; write them like redis.example.com:6379 or [::1]:6379", address)
	}
	return nil
}

// validateLocal is Validate for a server that this program runs itself, which listens only on a socket in its folder.
func (r *Redis) validateLocal() error {
	other := r.beside()
	switch {
	case r.URL != "":
		other = "the URL"
	case len(r.Addresses) > 0:
		other = "address"
	case r.Replicas != 0:
		other = "replicas"
	}
	l := r.Local
	return cmp.Or(
		conflictIf(other != "", "redis: "+other, "local", "a server of our own is one, and nobody else connects to it; remove one of both"),
		errorIf(l.Dir == "", "redis: local: it needs a folder"),
		errorIf(l.Fsync != "" && l.Fsync != FsyncAlways && l.Fsync != FsyncEverySec, "redis: fsync: it is always or everysec, not %q", l.Fsync),
		errorIf(l.MaxMemory < 0, "redis: maxmemory: must not be negative"),
		errorIf(l.MaxMemory > 0 && l.MaxMemory < leastMemory, "redis: maxmemory: at least 1MiB: an empty server needs as much, and would refuse every event"),
	)
}
