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

// Place is where in a queue an event is.
type Place string

// The places of an event.
const (
	PlaceWaiting  Place = "waiting"   // for its next attempt
	PlaceInFlight Place = "in_flight" // it is being delivered
	PlaceDead     Place = "dead"      // its retry table was used up; it is kept
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

// Selection says which events of a queue are meant. What is left empty means any, but for State, which is [PlaceDead] then.
type Selection struct {
	State        Place
	Event        string    // its type
	Since, Until time.Time // when it was received, both inclusive
}

func (s *Selection) matches(q *Queued) bool {
	return (s.Event == "" || s.Event == q.Event) && !q.Received.Before(s.Since) && (s.Until.IsZero() || !q.Received.After(s.Until))
}

// everything reports whether nothing but the place is asked for, so that no event has to be looked into.
func (s *Selection) everything() bool { return s.Event == "" && s.Since.IsZero() && s.Until.IsZero() }

const (
	// contentsStep is how many events one call looks at.
	contentsStep = 100
	// headBytes is how much of a stored event is read for all but its body. Where its headers are longer, it is read whole.
	headBytes = 16 << 10
)

// ErrCursor is wrapped by the error about a cursor that no list gave.
var ErrCursor = errors.New("not a cursor of this list")

// List shows some events of one place in the order of their times, behind the cursor: "" begins. Only an empty next one ends the list:
// a page may be short, where a selection matches little.
func (q *Queue) List(ctx context.Context, s Selection, cursor string, limit int) (items []Queued, next string, err error) {
	for looked := 0; len(items) < limit && looked < 20*contentsStep; looked += contentsStep {
		found, end, err := q.page(ctx, &s, cursor, min(contentsStep, limit-len(items)), headBytes)
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
	items, next, err = q.contents(ctx, head, s.Event, string(place), score, job, most)
	kept := items[:0]
	for i := range items {
		if s.matches(&items[i]) {
			kept = append(kept, items[i])
		}
	}
	return kept, next, err
}

// Find returns the events of an ID, and the one whose job is called so, wherever in the queue they are. It goes through the whole queue.
func (q *Queue) Find(ctx context.Context, id string) ([]Queued, error) {
	found, _, err := q.contents(ctx, headBytes, "", "jobs", id)
	if err != nil || len(found) > 0 || id == "" {
		return found, err
	}
	// In the order in which events go on, so that one which does so meanwhile is not missed.
	for _, place := range []Place{PlaceWaiting, PlaceInFlight, PlaceDead} {
		for score, job := "", ""; ; {
			items, next, err := q.contents(ctx, headBytes, id, string(place), score, job, contentsStep)
			if err != nil {
				return nil, err
			}
			for i := range items {
				if items[i].ID == id {
					found = append(found, items[i])
				}
			}
			if next == "" {
				break
			}
			score, job, _ = strings.Cut(next, "-")
		}
	}
	return distinctJobs(found), nil
}

// distinctJobs keeps the first of those that went on while they were looked for.
func distinctJobs(all []Queued) []Queued {
	seen, kept := map[string]bool{}, all[:0]
	for _, q := range all {
		if !seen[q.Job] {
			seen[q.Job] = true
			kept = append(kept, q)
		}
	}
	return kept
}

// Stored returns a queued request as it was stored. It is nil where there is none of that name any more.
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

// contents reads the first bytes, head of them, of events that have the text in them: of those of a place, or of the named jobs.
func (q *Queue) contents(ctx context.Context, head int, text, where string, which ...any) (items []Queued, next string, err error) {
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

// describe fills in what the stored bytes say, of which head is the beginning. Bytes that can't be read are an event of which nothing more
// is known.
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

// queueError is the error about a store that can't be asked.
func queueError(err error) error {
	if err == nil || errors.Is(err, ErrStore) {
		return err
	}
	return fmt.Errorf("reading the queue: %w: %w", ErrStore, err)
}
