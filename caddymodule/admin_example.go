package caddymodule

import (
	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/adminapi"
	"github.com/videocloud/webhooks/sender"
)

// typeExample answers GET /webhooks/example.
func typeExample(q *adminRequest, s *sender.Sender) (any, error) {
	event, err := q.needed("event")
	if err != nil {
		return nil, err
	}
	types, err := s.EventTypes(q.Context())
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
