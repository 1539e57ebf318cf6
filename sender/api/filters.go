package api

import (
	"encoding/json"

	"github.com/videocloud/webhooks/sender"
)

// filterTest is the body of POST /webhooks/filter-test.
type filterTest struct {
	Filter string          `json:"filter" required:"true" max:"1024" doc:"A CEL expression, as a webhook's filter." example:"data.size > 1000000"`
	Event  string          `json:"event" required:"true" doc:"The event type." example:"video.uploaded"`
	Data   json.RawMessage `json:"data" required:"true" doc:"A JSON object, as an event's data."`
}

// filterTested is the answer to it.
type filterTested struct {
	Matches bool   `json:"matches" doc:"Whether the event would go to a webhook with this filter. It would where the filter fails on it."`
	Error   string `json:"error,omitempty" doc:"Why the filter fails on this event, where it does."`
}

// maxFilterTest is an event and an expression, each of whose bytes may be escaped.
const maxFilterTest = maxEventBody + 6<<10

func (c *call) testFilter(in filterTest) (any, error) {
	matches, problem, err := c.service.TestFilter(in.Filter, sender.Event{Type: in.Event, Data: in.Data})
	if err != nil {
		return nil, err
	}
	return filterTested{Matches: matches, Error: problem}, nil
}
