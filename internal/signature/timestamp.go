package signature

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// unit is how a timestamp is written.
type unit string

const (
	unitSeconds  unit = "s"
	unitMillis   unit = "ms"
	unitRFC3339  unit = "rfc3339"
	unitHTTPDate unit = "http-date"
	unitEither   unit = "auto" // seconds or milliseconds, by its length
	unitISO      unit = "iso"  // as RFC 3339, or without a zone, which is UTC then
)

// maxTime bounds the text of a timestamp, in bytes.
const maxTime = 40

// maxDigits keeps every count of milliseconds far inside an int64.
const maxDigits = 15

// parse returns the instant in Unix milliseconds, and the precision of the text in milliseconds. It refuses numbers with a sign, leading
// zeros or a fraction, because a timestamp with two spellings would have two signatures.
func (u unit) parse(text string) (ms, precision int64, ok bool) {
	switch u {
	case unitSeconds:
		n, ok := digits(text)
		return n * 1000, 1000, ok
	case unitMillis:
		n, ok := digits(text)
		return n, 1, ok
	case unitEither:
		if len(text) > 11 {
			return unitMillis.parse(text)
		}
		return unitSeconds.parse(text)
	case unitISO:
		if len(text) > 0 && text[len(text)-1] != 'Z' && strings.LastIndexAny(text, "+-") < len("2006-01-02") {
			text += "Z"
		}
		return unitRFC3339.parse(text)
	case unitRFC3339:
		// time.Parse also accepts a one-digit hour and a comma, which RFC 3339 does not have.
		if len(text) < len("2006-01-02T15:04:05Z") || len(text) > maxTime || text[10] != 'T' || text[13] != ':' || text[16] != ':' || text[19] == ',' {
			return 0, 0, false
		}
		t, err := time.Parse(time.RFC3339Nano, text)
		return instant(t, err)
	default:
		t, err := http.ParseTime(text)
		if err != nil && len(text) <= maxTime {
			t, err = time.Parse("Mon 02 Jan 2006 15:04:05 MST", text) // Scalr's, without the comma
		}
		return instant(t, err)
	}
}

// instant returns what parse does. A time without a fraction has a precision of a second.
func instant(t time.Time, err error) (ms, precision int64, ok bool) {
	if err != nil {
		return 0, 0, false
	}
	if t.Nanosecond() == 0 {
		return t.UnixMilli(), 1000, true
	}
	return t.UnixMilli(), 1, true
}

// format is the reverse of parse.
func (u unit) format(t time.Time) string {
	switch u {
	case unitMillis:
		return strconv.FormatInt(t.UnixMilli(), 10)
	case unitRFC3339, unitISO:
		return t.UTC().Format(time.RFC3339)
	case unitHTTPDate:
		return t.UTC().Format(http.TimeFormat)
	default:
		return strconv.FormatInt(t.Unix(), 10)
	}
}

// digits parses a number of at most maxDigits digits without leading zeros.
func digits(text string) (int64, bool) {
	if len(text) == 0 || len(text) > maxDigits || (text[0] == '0' && len(text) > 1) {
		return 0, false
	}
	var n int64
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// window is the accepted distance of a timestamp from now, the bounds included.
type window struct {
	off      bool
	size     time.Duration
	pastOnly bool // a timestamp in the future passes, however far
}

// check returns an error where a timestamp is outside of the window. It compares at the precision of the timestamp: one in whole seconds
// that is 300.9 s old counts as 300 s old.
func (w window) check(ms, precision int64, now time.Time) error {
	if w.off {
		return nil
	}
	n := now.UnixMilli()
	n -= n % precision
	switch age := n - ms; {
	case age > w.size.Milliseconds():
		return errStale
	case -age > w.size.Milliseconds() && !w.pastOnly:
		return errPremature
	}
	return nil
}
