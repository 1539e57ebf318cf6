package caddymodule

import (
	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/adminapi"
)

// typeExample answers GET /webhooks/example.
func typeExample(q *adminRequest) (any, error) {
	event := q.query.Get("event")
	types, err := q.sender.EventTypes(q.Context())
	if err != nil {
		return nil, err
	}
	for i := range types {
		if types[i].Name == event && len(types[i].Example) > 0 {
			return adminapi.Example{Example: string(types[i].Example), Made: true}, nil
		}
	}
	return adminapi.Example{Example: config.Example(event)}, nil
}
