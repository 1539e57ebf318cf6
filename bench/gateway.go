package main

import (
	"net/http"
	"sync/atomic"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/receiver"
	"github.com/videocloud/webhooks/store"
)

// gateway is a receiver in this process whose claims are in a Redis.
type gateway struct {
	store    *store.Store
	claims   *receiver.Redis
	receiver *receiver.Receiver
}

// openGateway makes a gateway that counts in storeErrors the calls of its store that fail.
func openGateway(redis config.Redis, name string, storeErrors *atomic.Int64) (*gateway, error) {
	s, err := store.Open(redis, store.Options{})
	if err != nil {
		return nil, err
	}
	claims := receiver.NewRedis(s, name, receiver.RedisOptions{Guard: receiver.GuardOptions{OnError: func(string, error) { storeErrors.Add(1) }}})
	r, err := receiver.New(receiver.Options{Config: config.Receiver{Name: name, Secrets: []string{benchSecret}}, Store: claims})
	if err != nil {
		_ = claims.Close()
		_ = s.Close()
		return nil, err
	}
	return &gateway{s, claims, r}, nil
}

func (g *gateway) handler(app http.Handler) http.Handler { return g.receiver.Handler(app) }

func (g *gateway) close() {
	_ = g.receiver.Close()
	_ = g.claims.Close()
	_ = g.store.Close()
}
