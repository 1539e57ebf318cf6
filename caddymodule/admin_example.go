package caddymodule

import (
	"net/http"

	"github.com/videocloud/webhooks/config"
)

// exampleAnswer is data for a test of an event type, as the text that it was given as: white space and escapes stay.
type exampleAnswer struct {
	Example string `json:"example"`
	// Made is true where the example was given at run time: otherwise it is the documented one, or that of the type's group.
	Made bool `json:"made"`
}

// typeExample answers GET /webhooks/example?event=.
func typeExample(r *http.Request, a *App) (int, any, error) {
	param, err := parameters(r, "event")
	if err != nil {
		return 0, nil, err
	}
	s, err := a.operated()
	if err != nil {
		return 0, nil, err
	}
	if param("event") == "" {
		return 0, nil, &badRequest{"event is missing"}
	}
	types, err := s.EventTypes(r.Context())
	if err != nil {
		return 0, nil, err
	}
	for i := range types {
		if types[i].Name == param("event") && len(types[i].Example) > 0 {
			return http.StatusOK, exampleAnswer{string(types[i].Example), true}, nil
		}
	}
	return http.StatusOK, exampleAnswer{config.Example(param("event")), false}, nil
}
