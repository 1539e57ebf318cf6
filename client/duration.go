package client

import (
	"strconv"
	"strings"
	"time"
)

// Duration is a [time.Duration] that is a text in the API, such as "5m" or "2d".
type Duration time.Duration

// String returns the text of the time.Duration.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. The API writes whole days with the unit d.
func (d *Duration) UnmarshalText(text []byte) error {
	if days, isDays := strings.CutSuffix(string(text), "d"); isDays {
		if n, err := strconv.Atoi(days); err == nil {
			*d = Duration(time.Duration(n) * 24 * time.Hour)
			return nil
		}
	}
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}
