package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// topicHealthCheck is how long the connection of a subscription may be silent before it is checked.
const topicHealthCheck = 15 * time.Second

// PublishTopic sends a message to every process that is subscribed to the topic on this store, this one included. Nothing is
// stored: a process that is not connected at that moment misses the message.
func (s *Store) PublishTopic(ctx context.Context, topic string, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.client.Publish(ctx, s.topic(topic), message).Err()
}

// SubscribeTopic calls f with each message to the topic, one after the other, until ctx ends. It reconnects by itself, and
// calls connected after every connection, the first included: messages sent before that were missed.
func (s *Store) SubscribeTopic(ctx context.Context, topic string, connected func(), f func(message []byte)) {
	s.SubscribeChannels(ctx, topicHealthCheck, connected, func(_ string, message []byte) { f(message) }, s.topic(topic))
}

// SubscribeChannels is [Store.SubscribeTopic] for channels by their full names. The connection is checked after it has been
// silent for the duration check.
func (s *Store) SubscribeChannels(ctx context.Context, check time.Duration, connected func(), f func(channel string, message []byte), channels ...string) {
	sub := s.client.Subscribe(ctx, channels...)
	defer sub.Close()
	messages := sub.ChannelWithSubscriptions(redis.WithChannelHealthCheckInterval(check))
	for {
		select {
		case <-ctx.Done():
			return
		case m, ok := <-messages:
			if !ok {
				return
			}
			switch m := m.(type) {
			case *redis.Message:
				f(m.Channel, []byte(m.Payload))
			case *redis.Subscription:
				connected()
			}
		}
	}
}

func (s *Store) topic(name string) string { return "{" + s.prefix + "}:" + name }
