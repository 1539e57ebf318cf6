package client

import (
	"context"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// Page is one page of a list.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor"` // where the next page starts; empty on the last one
}

// ListOptions select a page.
type ListOptions struct {
	Limit  int    // items of one page, 1 to 100; 0 is the API's default of 50
	Cursor string // from the page before
}

func (o ListOptions) query() url.Values {
	q := url.Values{}
	if o.Limit != 0 {
		q.Set("limit", strconv.Itoa(o.Limit))
	}
	if o.Cursor != "" {
		q.Set("cursor", o.Cursor)
	}
	return q
}

// setWords sets the parameters that are not empty.
func setWords(q url.Values, words map[string]string) {
	for name, word := range words {
		if word != "" {
			q.Set(name, word)
		}
	}
}

// setTimes sets the parameters since and until where they are not zero.
func setTimes(q url.Values, since, until time.Time) {
	for name, t := range map[string]time.Time{"since": since, "until": until} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
}

// allPages yields the items of all pages of a list that has no options of its own.
func allPages[T any](ctx context.Context, list func(context.Context, ListOptions) (Page[T], error)) iter.Seq2[T, error] {
	return all(func(cursor string) (Page[T], error) { return list(ctx, ListOptions{Limit: 100, Cursor: cursor}) }, "")
}

// all yields the items of all pages from the cursor on. An error is the last thing that it yields.
func all[T any](load func(cursor string) (Page[T], error), cursor string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			p, err := load(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range p.Items {
				if !yield(item, nil) {
					return
				}
			}
			if p.NextCursor == "" {
				return
			}
			cursor = p.NextCursor
		}
	}
}
