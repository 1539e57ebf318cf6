package caddymodule

import (
	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

// exampleAnswer is data for a test of an event type, as the text that it was given as: white space and escapes stay.
type exampleAnswer struct {
	Example string `json:"example"`
	// Made is true where the example was given at run time: otherwise it is the documented one, or that of the type's group.
	Made bool `json:"made"`
}

// typeExample answers GET /webhooks/example.
func typeExample(q *asking, s *sender.Sender) (any, error) {
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
			return exampleAnswer{string(types[i].Example), true}, nil
		}
	}
	return exampleAnswer{config.Example(event), false}, nil
}
