package sender

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

// scanPerPage bounds how many deliveries one step looks at while it filters: some milliseconds of the store's time.
const scanPerPage = 500

// DeliveryFilter selects deliveries.
type DeliveryFilter struct {
	State     State     // empty: any
	Event     string    // the type; empty: any
	EventID   string    // empty: any; for [Sender.AccountDeliveries]
	WebhookID string    // empty: any; for [Sender.AccountDeliveries]
	Since     time.Time // zero: all that are kept
	Until     time.Time // zero: now
	Limit     int       // of one page, 1 to 100; 0: 50
	Cursor    string    // of the page before; empty: the first
}

// Deliveries returns a webhook's deliveries, newest first, and the cursor of the next page where there is more. A page without a filter, or of failed
// ones, is full; another may be short, or empty, and still have a next one.
func (s *Sender) Deliveries(ctx context.Context, account, webhookID string, f DeliveryFilter) (items []Delivery, next string, err error) {
	if err := f.check(); err != nil {
		return nil, "", err
	}
	shard, r, err := s.record(ctx, account, webhookID)
	if err != nil {
		return nil, "", err
	}
	return s.list(ctx, shard, account, r.Lane, f)
}

// AccountDeliveries is [Sender.Deliveries] over all webhooks that an account has or had. It lists what came as long as events are listed, and of what
// is older, as long as it can be sent again, what failed.
func (s *Sender) AccountDeliveries(ctx context.Context, account string, f DeliveryFilter) (items []Delivery, next string, err error) {
	if err := f.check(); err != nil {
		return nil, "", err
	}
	if f.EventID != "" {
		return s.deliveriesOfEvent(ctx, account, f)
	}
	lane := ""
	shard, err := s.shard(ctx, account)
	if f.WebhookID != "" {
		var r *record
		if shard, r, err = s.record(ctx, account, f.WebhookID); errors.Is(err, errNotFound) {
			return []Delivery{}, "", nil
		} else if err == nil {
			lane = r.Lane
		}
	}
	if err != nil {
		return nil, "", err
	}
	return s.list(ctx, shard, account, lane, f)
}

func (f *DeliveryFilter) check() (err error) {
	if f.Limit, err = checkLimit(f.Limit); err != nil {
		return err
	}
	switch f.State {
	case "", StatePending, StateRetrying, StateSucceeded, StateFailed, StateCancelled:
	default:
		return invalid("state", "state is pending, retrying, succeeded, failed or cancelled")
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && f.Until.Before(f.Since) {
		return invalid("until", "until is before since; give a later one")
	}
	return nil
}

// list reads a page of a webhook, or of an account where lane is "".
func (s *Sender) list(ctx context.Context, shard int, account, lane string, f DeliveryFilter) (items []Delivery, next string, err error) {
	q := queue.ListFilter{
		Account: account, Lane: lane, State: stateOf(f.State), Type: f.Event, Since: f.Since, Until: f.Until,
		Most: f.Limit, Through: scanPerPage, Entries: s.c.HistoryEntries,
	}
	if q.After, err = readListPlace(f.Cursor, &q); err != nil {
		return nil, "", err
	}
	isFull := f.Event == "" && (f.State == "" || f.State == StateFailed)
	items = []Delivery{}
	err = s.inTurns(ctx, account, func() (bool, error) {
		jobs, more, err := s.queue.List(ctx, shard, q)
		if err != nil {
			return false, s.unavailable("read", err)
		}
		for i := range jobs {
			d := s.newDelivery(jobs[i].Lane, jobs[i].Job, &jobs[i].Standing)
			d.AttemptsLeftOut = jobs[i].LogLeftOut
			items = append(items, d)
		}
		if more == nil {
			return false, nil
		}
		if isFull && len(items) == f.Limit && more.ID == "" {
			// No page with nothing on it where nothing is older than events are listed.
			older := q
			older.After, older.Most = *more, 1
			found, rest, err := s.queue.List(ctx, shard, older)
			if err != nil {
				return false, s.unavailable("read", err)
			}
			if len(found) == 0 && rest == nil {
				return false, nil
			}
		}
		if !isFull || len(items) == f.Limit {
			next = writeListPlace(more, &q)
			return false, nil
		}
		q.After, q.Most = *more, f.Limit-len(items)
		return true, nil
	})
	if err != nil {
		return nil, "", err
	}
	return items, next, nil
}

// stateOf is a state in the queue's letters.
func stateOf(state State) queue.State {
	for letter, word := range states {
		if word == state {
			return letter
		}
	}
	return queue.StateUnknown
}

// deliveriesOfEvent is a page of the deliveries of one event, by webhook.
func (s *Sender) deliveriesOfEvent(ctx context.Context, account string, f DeliveryFilter) ([]Delivery, string, error) {
	after, err := readCursor(f.Cursor)
	if err != nil {
		return nil, "", err
	}
	if f.Cursor != "" {
		if _, _, ok := deliveryParts(after); !ok {
			return nil, "", errCursor
		}
	}
	e, err := s.Event(ctx, account, f.EventID)
	if errors.Is(err, errNotFound) {
		return []Delivery{}, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(e.Deliveries, func(a, b Delivery) int { return strings.Compare(b.ID, a.ID) })
	items := []Delivery{}
	for _, d := range e.Deliveries {
		switch {
		case after != "" && d.ID >= after,
			f.State != "" && d.State != f.State,
			f.Event != "" && d.Type != f.Event,
			f.WebhookID != "" && d.WebhookID != f.WebhookID,
			d.CreatedAt.Before(f.Since.Truncate(time.Millisecond)),
			!f.Until.IsZero() && d.CreatedAt.After(f.Until):
			continue
		}
		if len(items) == f.Limit {
			return items, writeCursor(items[len(items)-1].ID), nil
		}
		items = append(items, d)
	}
	return items, "", nil
}

// A cursor of a list is a place in what the list is read from, which is another where only failed deliveries are asked for: such a cursor begins
// with cursorFailed. Where an account's list has come to what is older than its events are, the cursor begins with cursorOlder and says so.
const (
	cursorFailed = "failed"
	cursorOlder  = "older"
)

func writeListPlace(p *queue.ListPlace, q *queue.ListFilter) string {
	parts := []string{p.ID, p.Lane}
	switch {
	case q.State == queue.StateFailed:
		parts = []string{cursorFailed, p.ID, p.Lane, p.Job}
	case p.Before > 0:
		parts = []string{cursorOlder, strconv.FormatInt(p.Before, 10), p.ID, p.Lane}
	}
	return writeCursor(strings.Join(parts, ":"))
}

// readListPlace reads the cursor of such a list. One of another kind of list is none.
func readListPlace(cursor string, q *queue.ListFilter) (p queue.ListPlace, err error) {
	text, err := readCursor(cursor)
	if err != nil || text == "" {
		return p, err
	}
	parts := strings.Split(text, ":")
	valid := func() bool { return isStreamID(p.ID) && len(p.Lane) == laneLength }
	switch failed := q.State == queue.StateFailed; {
	case failed && len(parts) == 4 && parts[0] == cursorFailed:
		p.ID, p.Lane, p.Job = parts[1], parts[2], parts[3]
		_, idErr := strconv.ParseUint(p.ID, 10, 53)
		_, ok := queue.JobBytes(p.Job)
		valid = func() bool { return idErr == nil && ok && len(p.Lane) == laneLength }
	case !failed && q.Lane == "" && len(parts) == 4 && parts[0] == cursorOlder:
		p.ID, p.Lane = parts[2], parts[3]
		if p.Before, err = strconv.ParseInt(parts[1], 10, 53); err != nil || p.Before <= 0 {
			return queue.ListPlace{}, errCursor
		}
		if p.ID == "" && p.Lane == "" { // at their beginning
			return p, nil
		}
	case !failed && len(parts) == 2:
		p.ID, p.Lane = parts[0], parts[1]
		if q.Lane == "" && p.Lane == "" { // behind an event
			valid = func() bool { return isStreamID(p.ID) }
		}
	default:
		return p, errCursor
	}
	if !valid() {
		return queue.ListPlace{}, errCursor
	}
	return p, nil
}
