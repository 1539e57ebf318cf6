package caddymodule

import (
	"errors"
	"strconv"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/receiver"
)

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
		return claimsInMemory(l, "claims", "")
	default:
		a.nameless[string(identity)]++
		return claimsInMemory(l, "claims of number "+strconv.Itoa(a.nameless[string(identity)]), string(identity))
	}
}

// claimsInMemory takes a memory of events that outlives a configuration.
func claimsInMemory(l *leases, kind, identity string) (receiver.Store, error) {
	return take(l, kind, identity, func() (receiver.Store, func() error, error) {
		return receiver.NewMemory(receiver.MemoryOptions{}), nil, nil
	})
}

// claimsInRedis takes the guarded store of the receivers of one name. It outlives a configuration, because it knows what happened while
// Redis was down, and it keeps the connection that it works on: at its end it writes back what is left, then lets the connection go.
func (a *App) claimsInRedis(l *leases, name string) (receiver.Store, error) {
	settings := struct {
		Place place
		Name  string
	}{a.place(), name}
	return take(l, "claims in redis", settings, func() (receiver.Store, func() error, error) {
		var connection leases
		on, err := connection.store(settings.Place)
		if err != nil {
			return nil, nil, err
		}
		claims := receiver.NewRedis(on, name, receiver.RedisOptions{
			Guard: receiver.GuardOptions{
				Logger:  liveLogger("webhooks.claims"),
				OnError: func(operation string, _ error) { storeErrors.WithLabelValues(operation).Inc() },
			},
		})
		return claims, func() error { return errors.Join(claims.Close(), connection.release()) }, nil
	})
}
