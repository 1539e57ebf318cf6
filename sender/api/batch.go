package api

import (
	"fmt"
	"reflect"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/sender"
)

// batchItem is one event of a batch, or what is wrong with it.
type batchItem struct {
	event   newEvent
	refused *sender.Error
}

// readBatch reads {"events":[…]}. A document that can't be read fails as a whole; an event that is
// readable and wrong fails alone.
func readBatch(body []byte) ([]batchItem, error) {
	s, err := newScanner(body)
	if err != nil {
		return nil, err
	}
	var items []batchItem
	given := false
	each := func(n int) error {
		if n == config.MaxBatchEvents {
			// Here, not at the end: what can't be taken is not read, however much of it there is.
			return invalid("events", "holds more than %d events; send several batches", config.MaxBatchEvents)
		}
		item := batchItem{}
		outer := s.refused // of the batch; where it is set, no item counts
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

// allUnavailable returns an error where nothing was stored because the store is down: the caller then
// needs no look at each item to know that the whole batch is to be sent again.
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

// batchAnswers puts the results, which are those of the acceptable events, back into the order of all.
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
