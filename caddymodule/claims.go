package caddymodule

import (
	"errors"
	"log/slog"
	"strconv"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/receiver"
)

// claimsInMemory is a memory of events that outlives a configuration.
type claimsInMemory struct{ *receiver.Memory }

// Destruct implements caddy.Destructor.
func (claimsInMemory) Destruct() error { return nil }

// claimsInRedis is the guarded store of the receivers of one name. It outlives a configuration, because it
// knows what happened while Redis was down, and it keeps the connection that it works on.
type claimsInRedis struct {
	*receiver.Redis
	connection leases
}

// Destruct writes back what is left, then lets the connection go.
func (c *claimsInRedis) Destruct() error { return errors.Join(c.Close(), c.connection.release()) }

// claims takes the store that a receiver remembers its events in; nil without dedup.
//
// Without a name, which only the in-memory store permits, a receiver has a memory of its own: two apps must not
// take events from each other. A reload finds it again by the receiver's configuration; identical ones are counted.
func (a *App) claims(l *leases, c *config.Receiver, identity []byte) (receiver.Store, error) {
	switch {
	case c.Dedup.Off:
		return nil, nil
	case !a.redis.InMemory() || c.Queue != nil: // a queue claims where it keeps its events
		return a.claimsInRedis(l, c.Name)
	case c.Name != "":
		return claimsOf(l, "claims", "")
	default:
		return claimsOf(l, "claims of number "+strconv.Itoa(a.count(identity)), string(identity))
	}
}

func claimsOf(l *leases, kind, identity string) (receiver.Store, error) {
	m, err := take(l, kind, identity, func() (claimsInMemory, error) {
		return claimsInMemory{receiver.NewMemory(receiver.MemoryOptions{})}, nil
	})
	return m.Memory, err
}

func (a *App) claimsInRedis(l *leases, name string) (receiver.Store, error) {
	settings := struct {
		Place place
		Name  string
	}{a.place(), name}
	c, err := take(l, "claims in redis", settings, func() (*claimsInRedis, error) {
		claims := new(claimsInRedis)
		connection, err := claims.connection.store(settings.Place)
		if err != nil {
			return nil, err
		}
		claims.Redis = receiver.NewRedis(connection, name, receiver.RedisOptions{
			Guard: receiver.GuardOptions{
				Logger:  slog.New(liveLog{name: "webhooks.claims"}),
				OnError: func(operation string, _ error) { storeErrors.WithLabelValues(operation).Inc() },
			},
		})
		return claims, nil
	})
	if err != nil {
		return nil, err
	}
	return c.Redis, nil
}

// count numbers the receivers of this configuration that have no name and the same settings.
func (a *App) count(identity []byte) int {
	if a.nameless == nil {
		a.nameless = map[string]int{}
	}
	a.nameless[string(identity)]++
	return a.nameless[string(identity)]
}
