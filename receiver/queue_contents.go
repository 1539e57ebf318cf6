package receiver

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/videocloud/webhooks/internal/queue"
)

var (
	//go:embed lua/contents.lua
	contentsLua    string
	contentsScript = queue.Script(contentsLua)
)

// Place says in which part of a queue an event is.
type Place string

// The places of an event.
const (
	PlaceWaiting  Place = "waiting"   // for its next attempt
	PlaceInFlight Place = "in_flight" // it is being delivered
	PlaceDead     Place = "dead"      // its last attempt failed; it is kept
)

// Queued is an event in a queue, without its body.
type Queued struct {
	Job      string     `json:"job"` // names it for Retry and Purge
	Deliver  string     `json:"deliver,omitempty"`
	State    Place      `json:"state"`
	ID       string     `json:"id,omitempty"`
	Event    string     `json:"event,omitempty"`
	Scheme   string     `json:"scheme,omitempty"`
	Received time.Time  `json:"received"`
	Due      *time.Time `json:"due,omitempty"`    // a waiting one's next attempt
	Failed   *time.Time `json:"failed,omitempty"` // since when a dead one is dead
	Attempts int        `json:"attempts"`
	Error    string     `json:"error,omitempty"` // of the last attempt of a dead one
	Size     int        `json:"size"`            // of the body, in bytes
	// Headers are those that the app gets. Values that may be secrets are hidden.
	Headers http.Header `json:"headers,omitempty"`
}

// Selection selects events of a queue. An empty field selects any, except State, whose default is [PlaceDead].
type Selection struct {
	State        Place
	Event        string    // its type
	Since, Until time.Time // when it was received, both inclusive
}

func (s *Selection) matches(q *Queued) bool {
	return (s.Event == "" || s.Event == q.Event) && !q.Received.Before(s.Since) && (s.Until.IsZero() || !q.Received.After(s.Until))
}

// matchesAll reports whether only the place is selected, so that no event has to be read.
func (s *Selection) matchesAll() bool { return s.Event == "" && s.Since.IsZero() && s.Until.IsZero() }

const (
	// pageSize is the number of events that one call reads.
	pageSize = 100
	// headerBytes is how much of a stored event is read to get everything but its body. Where its headers are longer, the whole
	// event is read.
	headerBytes = 16 << 10
)

// ErrCursor is the error for a cursor that [Queue.List] did not return.
var ErrCursor = errors.New("not a cursor of this list")

// List returns up to limit events of one place in the order of their times, from the cursor on; "" is the beginning. The
// list ends only where next is empty: a page may be short where few events match the selection.
func (q *Queue) List(ctx context.Context, s Selection, cursor string, limit int) (items []Queued, next string, err error) {
	for looked := 0; len(items) < limit && looked < 20*pageSize; looked += pageSize {
		found, end, err := q.page(ctx, &s, cursor, min(pageSize, limit-len(items)), headerBytes)
		if err != nil {
			return nil, "", err
		}
		items = append(items, found...)
		if cursor = end; cursor == "" {
			break
		}
	}
	return items, cursor, nil
}

// page is one step of a list.
func (q *Queue) page(ctx context.Context, s *Selection, cursor string, most, head int) (items []Queued, next string, err error) {
	place := s.State
	if place == "" {
		place = PlaceDead
	}
	score, job, ok := strings.Cut(cursor, "-")
	if _, err := strconv.ParseFloat(score, 64); cursor != "" && (!ok || err != nil || job == "") {
		return nil, "", ErrCursor
	}
	items, next, err = q.readContents(ctx, head, s.Event, string(place), score, job, most)
	kept := items[:0]
	for i := range items {
		if s.matches(&items[i]) {
			kept = append(kept, items[i])
		}
	}
	return kept, next, err
}

// Find returns the events with an ID, or the one whose job has that name, in any place of the queue. It reads the whole queue.
func (q *Queue) Find(ctx context.Context, id string) ([]Queued, error) {
	found, _, err := q.readContents(ctx, headerBytes, "", "jobs", id)
	if err != nil || len(found) > 0 || id == "" {
		return found, err
	}
	// In the order in which events move on, so that an event that moves meanwhile is found, perhaps twice.
	seen := map[string]bool{}
	for _, place := range []Place{PlaceWaiting, PlaceInFlight, PlaceDead} {
		for score, job := "", ""; ; {
			items, next, err := q.readContents(ctx, headerBytes, id, string(place), score, job, pageSize)
			if err != nil {
				return nil, err
			}
			for i := range items {
				if items[i].ID == id && !seen[items[i].Job] {
					seen[items[i].Job] = true
					found = append(found, items[i])
				}
			}
			if next == "" {
				break
			}
			score, job, _ = strings.Cut(next, "-")
		}
	}
	return found, nil
}

// Stored returns a queued request as it was stored. It is nil where the queue has no such job any more.
func (q *Queue) Stored(ctx context.Context, job string) (*Job, error) {
	text, _, err := q.queue.Payload(ctx, 0, job)
	if err != nil {
		return nil, queueError(err)
	}
	if text == "" {
		return nil, nil
	}
	return DecodeJob([]byte(text))
}

// readContents reads the first head bytes of the events that contain the text: of a place, or of the jobs named in which.
func (q *Queue) readContents(ctx context.Context, head int, text, where string, which ...any) (items []Queued, next string, err error) {
	v, err := q.queue.Run(ctx, 0, contentsScript, append([]any{q.o.Name, head, text, where}, which...)...)
	if err != nil {
		return nil, "", queueError(err)
	}
	const perEvent = 7
	values, _ := v.([]any)
	if len(values)%perEvent != 2 {
		return nil, "", queueError(errAnswer)
	}
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i], _ = v.(string)
	}
	if texts[0] != "" {
		next = texts[0] + "-" + texts[1]
	}
	for at := 2; at < len(texts); at += perEvent {
		item := Queued{Job: texts[at], Deliver: q.o.Delivery, State: Place(texts[at+1]), Error: texts[at+4]}
		ms, _ := strconv.ParseInt(texts[at+2], 10, 64)
		when := time.UnixMilli(ms).UTC()
		switch item.State {
		case PlaceWaiting:
			item.Due = &when
		case PlaceDead:
			item.Failed = &when
		}
		item.Attempts, _ = strconv.Atoi(texts[at+3])
		stored, _ := strconv.Atoi(texts[at+5])
		if err := q.describe(ctx, &item, texts[at+6], stored); err != nil {
			return nil, "", err
		}
		items = append(items, item)
	}
	return items, next, nil
}

// describe fills in what the stored bytes say; head is their beginning. Of bytes that can't be decoded it fills in nothing.
func (q *Queue) describe(ctx context.Context, item *Queued, head string, stored int) error {
	if head == "" {
		return nil
	}
	d := decoder{rest: queue.PayloadOf(head)}
	j, err := d.job()
	if err != nil && len(head) < stored {
		if j, err = q.Stored(ctx, item.Job); errors.Is(err, ErrStore) {
			return err
		}
		d.rest = "" // the body is with the job
	}
	if err != nil || j == nil {
		return nil
	}
	item.ID, item.Event, item.Scheme, item.Received, item.Headers = j.ID, j.Event, j.Scheme, j.Received, visibleHeaders(j.Header, j.Scheme)
	if item.Size = len(j.Body); d.rest != "" {
		item.Size = int(d.uvarint())
	}
	return nil
}

// queueError returns an error that matches [ErrStore], or nil for nil.
func queueError(err error) error {
	if err == nil || errors.Is(err, ErrStore) {
		return err
	}
	return fmt.Errorf("reading the queue: %w: %w", ErrStore, err)
}
