package caddymodule

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/redisstore"
)

// Redis says where webhooks, events and claims are stored. All strings take placeholders.
type Redis struct {
	// URL is redis://[user:password@]host:port/db, the same with rediss:// for TLS, or the word memory for a store in
	// this process that is lost at exit. It excludes addresses. Default: none.
	URL string `json:"url,omitempty"`

	// Addresses are host:port pairs. Several select Redis Cluster, unless master_name makes them Sentinels. Default: none.
	Addresses []string `json:"addresses,omitempty"`

	// Cluster selects Redis Cluster, also behind a single address. Default: false.
	Cluster bool `json:"cluster,omitempty"`

	// MasterName selects Redis Sentinel and names the master. Default: none; addresses are Redis' own.
	MasterName string `json:"master_name,omitempty"`

	// SentinelPassword authenticates with the Sentinels. Write a placeholder. Default: none.
	SentinelPassword string `json:"sentinel_password,omitempty"`

	// Username authenticates with Redis' ACLs. Default: Redis' own user default.
	Username string `json:"username,omitempty"`

	// Password authenticates with Redis. Write a placeholder. Default: none.
	Password string `json:"password,omitempty"`

	// DB is the number of the database. Default: 0.
	DB int `json:"db,omitempty"`

	// TLS enables and configures TLS. Default: as the URL says.
	TLS *RedisTLS `json:"tls,omitempty"`

	// Timeout bounds dialling and every command. Default: 3s.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Local runs a server of our own, for one Caddy on one machine. It excludes everything else but timeout. Default: none.
	Local *LocalRedis `json:"local,omitempty"`

	// Replicas is how many replicas must have an event before its publish is answered. Default: 0.
	Replicas int `json:"replicas,omitempty"`
}

// LocalRedis is a Redis or Valkey server that Caddy runs itself. It survives reloads, and a Caddy that is killed; it stops
// with Caddy, after its data is on the disk.
type LocalRedis struct {
	// Dir is the folder of its data and its socket, which must belong to Caddy's user alone. Default: webhooks/redis in
	// Caddy's data folder.
	Dir string `json:"dir,omitempty"`

	// Server is the program. Default: valkey-server or redis-server from PATH, 6.2 or newer.
	Server string `json:"server,omitempty"`

	// Fsync is always, so that nothing that was answered is ever missing, or everysec, which may lose the last two seconds.
	// Default: always.
	Fsync string `json:"fsync,omitempty"`

	// MaxMemory bounds its memory in bytes. Default: no bound.
	MaxMemory int64 `json:"maxmemory,omitempty"`
}

// convert resolves l.
func (l *LocalRedis) convert(values *resolver) *config.LocalRedis {
	c := &config.LocalRedis{
		Dir: values.value("redis: local", l.Dir), Server: values.value("redis: server", l.Server), Fsync: l.Fsync, MaxMemory: l.MaxMemory,
	}
	if l.Dir == "" {
		c.Dir = filepath.Join(caddy.AppDataDir(), "webhooks", "redis")
	}
	return c
}

// RedisTLS are the files of a TLS connection to Redis.
type RedisTLS struct {
	// CA is a PEM file with the authorities to trust. Default: the system's.
	CA string `json:"ca,omitempty"`

	// Cert is a PEM file with the client's certificate; it needs key. Default: none.
	Cert string `json:"cert,omitempty"`

	// Key is a PEM file with the client's private key. Default: none.
	Key string `json:"key,omitempty"`

	// ServerName is the name expected in the server's certificate. Default: the host that is dialled.
	ServerName string `json:"server_name,omitempty"`
}

// omitted reports whether nothing says where the store is.
func (r *Redis) omitted() bool {
	return r == nil || r.URL == "" && len(r.Addresses) == 0 && r.Local == nil
}

// convert resolves r. A nil r is the in-memory store.
func (r *Redis) convert(values *resolver) config.Redis {
	if r == nil {
		return config.Redis{}
	}
	s := config.Redis{
		URL:              values.value("redis", r.URL),
		Addresses:        values.all("redis: address", r.Addresses),
		MasterName:       values.value("redis: master_name", r.MasterName),
		SentinelPassword: values.secret("redis: sentinel_password", r.SentinelPassword),
		Username:         values.value("redis: username", r.Username),
		Password:         values.secret("redis: password", r.Password),
	}
	copyPlain(&s, r)
	if t := r.TLS; t != nil {
		s.TLS = &config.RedisTLS{
			CA:         values.value("redis: tls: ca", t.CA),
			Cert:       values.value("redis: tls: cert", t.Cert),
			Key:        values.value("redis: tls: key", t.Key),
			ServerName: values.value("redis: tls: server_name", t.ServerName),
		}
	}
	if r.Local != nil {
		s.Local = r.Local.convert(values)
	}
	return s
}

// unmarshalCaddyfile reads the option redis: a URL, a block, or local with its folder and its block.
func (r *Redis) unmarshalCaddyfile(o option) error {
	var given written
	var err error
	switch {
	case !o.NextArg():
		given, err = parseBlock(o.Dispenser, r.options().read)
	case o.Val() == config.Local:
		r.Local = new(LocalRedis)
		if o.NextArg() {
			if r.Local.Dir = o.Val(); r.Local.Dir == "" {
				return o.Err("redis: local: the folder is empty; name one, or leave it out for one in Caddy's data folder")
			}
		}
		given, err = parseBlock(o.Dispenser, r.localOptions().read)
	default:
		r.URL = o.Val()
	}
	if err != nil {
		return err
	}
	if r.omitted() {
		return o.wrap(errors.New("redis: give a URL, the word local or memory, or a block with address"))
	}
	values := new(resolver)
	if s := r.convert(values); !values.deferred && !slices.ContainsFunc(r.Addresses, hasPlaceholder) {
		return given.wrap(o, s.Validate())
	}
	return nil
}

// options are what the block may hold.
func (r *Redis) options() block {
	return block{
		"address":           words(&r.Addresses),
		"cluster":           flag(&r.Cluster),
		"master_name":       word(&r.MasterName),
		"sentinel_password": word(&r.SentinelPassword),
		"username":          word(&r.Username),
		"password":          word(&r.Password),
		"db":                number(&r.DB, 0),
		"timeout":           duration(&r.Timeout),
		"replicas":          number(&r.Replicas, 0),
		"tls":               made(&r.TLS, (*RedisTLS).unmarshalCaddyfile),
	}
}

// localOptions are what the block of redis local may hold: its own, and those of every store, of which validation says
// which don't go together with it.
func (r *Redis) localOptions() block {
	all := block{
		"server":    word(&r.Local.Server),
		"fsync":     choice(&r.Local.Fsync, config.FsyncAlways, config.FsyncEverySec),
		"maxmemory": size(&r.Local.MaxMemory),
	}
	maps.Copy(all, r.options())
	return all
}

// checkTLS reads the files, those of one option at a time, so that a bad one is told with its place.
func (r *Redis) checkTLS(resolved *config.RedisTLS) error {
	if resolved == nil {
		return nil
	}
	if err := redisstore.CheckTLS(config.RedisTLS{CA: resolved.CA}); err != nil {
		return placed("ca "+r.TLS.CA, err)
	}
	if err := redisstore.CheckTLS(config.RedisTLS{Cert: resolved.Cert, Key: resolved.Key}); err != nil {
		return placed("cert "+r.TLS.Cert, err)
	}
	return nil
}

// unmarshalCaddyfile reads the block of the option tls.
func (t *RedisTLS) unmarshalCaddyfile(o option) error {
	_, err := parseBlock(o.Dispenser, t.options().read)
	return err
}

// options are what the block may hold.
func (t *RedisTLS) options() block {
	return block{
		"ca":          file(&t.CA),
		"cert":        file(&t.Cert),
		"key":         word(&t.Key),
		"server_name": word(&t.ServerName),
	}
}
