package api

import (
	"fmt"
	"reflect"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

// batchItem is one event of a batch, or the reason why it is refused.
type batchItem struct {
	event   newEvent
	refused *sender.Error
}

// readBatch reads {"events":[…]}. A document that can't be read is refused as a whole; an event that can be read but is wrong is
// refused by itself.
func readBatch(body []byte) ([]batchItem, error) {
	s, err := newScanner(body)
	if err != nil {
		return nil, err
	}
	var items []batchItem
	given := false
	each := func(n int) error {
		if n == config.MaxBatchEvents {
			// Refused here and not at the end, so that the events beyond are not read, however many there are.
			return invalid("events", "holds more than %d events; send several batches", config.MaxBatchEvents)
		}
		item := batchItem{}
		outer := s.refused // what is refused of the batch; where that is set, the items don't count
		err := newEventPlan.read(s, reflect.ValueOf(&item.event).Elem())
		item.refused, s.refused = s.refused, outer
		items = append(items, item)
		return err
	}
	if s.Space() != '{' {
		s.refuse(errNoObject)
		err = s.Skip()
	} else {
		err = s.object("", func(name []byte) error {
			if string(name) != "events" {
				s.refuse(unknownField(name))
				return s.Skip()
			}
			if given {
				return s.Skip() // a repeated member, which is refused
			}
			given = true
			if s.Space() != '[' {
				s.refuse(invalid("events", "must be a list of events"))
				return s.Skip()
			}
			return s.Array(each)
		})
	}
	if !given {
		s.refuse(invalid("events", "is required"))
	}
	if err := s.finish(err); err != nil {
		return nil, err
	}
	return items, nil
}

func (c *call) publishBatch() (answer publishedBatch, err error) {
	if err := c.refuseOwnDelivery(); err != nil {
		return answer, err
	}
	body, err := c.body(maxBatchBody)
	if err != nil {
		return answer, err
	}
	items, err := readBatch(body)
	if err != nil {
		return answer, err
	}
	events := make([]sender.Event, 0, len(items))
	for i := range items {
		if items[i].refused == nil {
			events = append(events, items[i].event.event())
		}
	}
	var results []sender.PublishResult
	if len(events) > 0 {
		results = c.Service.PublishBatch(c.r.Context(), c.account, events)
	}
	if len(results) != len(events) {
		return answer, fmt.Errorf("publishing a batch: %d results for %d events", len(results), len(events))
	}
	if err := allUnavailable(results); err != nil {
		return answer, err
	}
	return batchAnswers(items, results), nil
}

// allUnavailable returns an error where nothing was stored because the store is down: then the caller need not look at each item
// to see that the whole batch must be sent again.
func allUnavailable(results []sender.PublishResult) error {
	var first error
	for _, r := range results {
		if r.Err == nil || publicError(r.Err).Code != sender.CodeUnavailable {
			return nil
		}
		if first == nil {
			first = r.Err
		}
	}
	return first
}

// batchAnswers returns an answer for each item of a batch, in order. results are those of the items that were not refused.
func batchAnswers(items []batchItem, results []sender.PublishResult) publishedBatch {
	a := publishedBatch{Items: make([]batchAnswer, len(items))}
	next := 0
	for i := range items {
		err := error(nil)
		if refused := items[i].refused; refused != nil {
			err = refused
		} else {
			err = results[next].Err
			if err == nil {
				a.Items[i].published = publishedOf(results[next].Published)
			}
			next++
		}
		if err != nil {
			e := publicError(err)
			a.Items[i].refused = &e
		}
	}
	return a
}
