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

// maxScanned is how many deliveries one step reads while it filters: some milliseconds of the store's time.
const maxScanned = 500

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

// Deliveries returns the deliveries of a webhook, newest first, and the cursor of the next page, "" where there is none. A page
// without a filter, or of failed deliveries, is full unless it is the last; another may be short, even empty, although there is a
// next one.
func (s *Sender) Deliveries(ctx context.Context, account, webhookID string, f DeliveryFilter) (items []Delivery, next string, err error) {
	if err := f.check(); err != nil {
		return nil, "", err
	}
	shard, r, err := s.record(ctx, account, webhookID)
	if err != nil {
		return nil, "", err
	}
	return s.listDeliveries(ctx, shard, account, r.Lane, f)
}

// AccountDeliveries is [Sender.Deliveries] over all webhooks that an account has or had. It returns the deliveries of all events
// that [Sender.Events] lists, and of older events those that failed and can be sent again.
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
	return s.listDeliveries(ctx, shard, account, lane, f)
}

func (f *DeliveryFilter) check() (err error) {
	if f.Limit, err = checkLimit(f.Limit); err != nil {
		return err
	}
	if f.State != "" && queueState(f.State) == queue.StateUnknown {
		return invalid("state", "state is pending, retrying, succeeded, failed or cancelled")
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && f.Until.Before(f.Since) {
		return invalid("until", "until is before since; give a later one")
	}
	return nil
}

// listDeliveries reads a page of a webhook's deliveries, or of an account's where lane is "".
func (s *Sender) listDeliveries(ctx context.Context, shard int, account, lane string, f DeliveryFilter) (items []Delivery, next string, err error) {
	q := queue.ListFilter{
		Account: account, Lane: lane, State: queueState(f.State), Type: f.Event, Since: f.Since, Until: f.Until,
		Most: f.Limit, Through: maxScanned, Entries: s.c.HistoryEntries,
	}
	if q.After, err = parseListCursor(f.Cursor, &q); err != nil {
		return nil, "", err
	}
	isFull := f.Event == "" && (f.State == "" || f.State == StateFailed)
	items = []Delivery{}
	err = s.scanInSteps(ctx, account, func() (bool, error) {
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
			// The full page would have an empty one behind it where there is nothing older than the listed events.
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
			next = formatListCursor(more, &q)
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

// queueState returns the state of the queue that has a name in the API.
func queueState(state State) queue.State {
	for letter, word := range stateNames {
		if word == state {
			return letter
		}
	}
	return queue.StateUnknown
}

// deliveriesOfEvent returns a page of the deliveries of one event, sorted by webhook.
func (s *Sender) deliveriesOfEvent(ctx context.Context, account string, f DeliveryFilter) ([]Delivery, string, error) {
	after, err := readCursor(f.Cursor)
	if err != nil {
		return nil, "", err
	}
	if f.Cursor != "" {
		if _, _, ok := parseDeliveryID(after); !ok {
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

// A cursor is a place in the index that a list is read from. The failed deliveries have an index of their own, and the cursors of
// it begin with cursorFailed. An account's list that has passed its oldest event continues in another index, and cursors there
// begin with cursorOlder.
const (
	cursorFailed = "failed"
	cursorOlder  = "older"
)

func formatListCursor(p *queue.ListPlace, q *queue.ListFilter) string {
	parts := []string{p.ID, p.Lane}
	switch {
	case q.State == queue.StateFailed:
		parts = []string{cursorFailed, p.ID, p.Lane, p.Job}
	case p.Before > 0:
		parts = []string{cursorOlder, strconv.FormatInt(p.Before, 10), p.ID, p.Lane}
	}
	return writeCursor(strings.Join(parts, ":"))
}

// parseListCursor reads the cursor of a list of deliveries. A cursor of another kind of list is refused.
func parseListCursor(cursor string, q *queue.ListFilter) (p queue.ListPlace, err error) {
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
		if p.ID == "" && p.Lane == "" { // at the beginning of the older ones
			return p, nil
		}
	case !failed && len(parts) == 2:
		p.ID, p.Lane = parts[0], parts[1]
		if q.Lane == "" && p.Lane == "" { // the place is behind all deliveries of an event
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
