package sender

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/videocloud/webhooks/config"
)

// listPage is a page of a list to be read: where the list is, where the page begins ("" for the beginning of the list), and how many items it has at
// most.
type listPage struct {
	shard int
	after string
	limit int
}

// listPage checks what asks for a page of an account's list. isPlace recognises the places at which such a page begins.
func (s *Sender) listPage(ctx context.Context, account, cursor string, limit int, isPlace func(string) bool) (p listPage, err error) {
	if p.after, p.limit, err = checkPage(cursor, limit, isPlace); err != nil {
		return p, err
	}
	p.shard, err = s.shard(ctx, account)
	return p, err
}

// checkPage is listPage for a list that is not an account's.
func checkPage(cursor string, limit int, isPlace func(string) bool) (after string, most int, err error) {
	if most, err = checkLimit(limit); err != nil {
		return "", 0, err
	}
	if after, err = readCursor(cursor); err != nil {
		return "", 0, err
	}
	if after != "" && !isPlace(after) {
		return "", 0, errCursor
	}
	return after, most, nil
}

func checkLimit(limit int) (int, error) {
	if limit == 0 {
		return config.DefaultPageLimit, nil
	}
	if limit < 1 || limit > config.MaxPageLimit {
		return 0, invalid("limit", "limit is 1 to %d", config.MaxPageLimit)
	}
	return limit, nil
}

var errCursor = invalid("cursor", "not a cursor; pass on nextCursor of the page before as it is")

// writeCursor makes the cursor of the page that begins at a place; "" where there is no further page. To callers a cursor is
// opaque; it is the base64 of the place.
func writeCursor(place string) string { return base64.RawURLEncoding.EncodeToString([]byte(place)) }

func readCursor(cursor string) (place string, err error) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(b) > 128 || strings.ContainsAny(cursor, "\r\n") { // the decoder skips line ends
		return "", errCursor
	}
	return string(b), nil
}

// isNumber reports whether a place in a list is a number, such as milliseconds.
func isNumber(place string) bool {
	_, err := strconv.ParseUint(place, 10, 63)
	return err == nil
}

// isStreamID reports whether a place in a list is an ID of a Redis stream: two numbers and a dash.
func isStreamID(place string) bool {
	ms, seq, ok := strings.Cut(place, "-")
	_, err1 := strconv.ParseUint(ms, 10, 64)
	_, err2 := strconv.ParseUint(seq, 10, 64)
	return ok && err1 == nil && err2 == nil
}
