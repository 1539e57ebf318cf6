package caddymodule

import (
	"slices"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/sender"
)

// typeExample answers GET /webhooks/example.
func typeExample(q *adminRequest) (any, error) {
	event := q.query.Get("event")
	types, err := q.sender.EventTypes(q.Context())
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(types, func(t sender.EventType) bool { return t.Name == event && len(t.Example) > 0 })
	if at < 0 {
		return adminapi.Example{Example: config.Example(event)}, nil
	}
	return adminapi.Example{Example: string(types[at].Example), Made: true}, nil
}
