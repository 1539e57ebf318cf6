package config

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ShortestDuration is the smallest value of an option that is a duration, because the store counts in milliseconds. Delays of a retry
// table may be 0.
const ShortestDuration = time.Millisecond

// ShortestTolerance is the smallest tolerance, because most signed timestamps are in whole seconds.
const ShortestTolerance = time.Second

var days = regexp.MustCompile(`[0-9]*\.?[0-9]+d`)

// ParseDuration parses a duration as [time.ParseDuration] does, and accepts the unit d too, a day of 24 hours: 2d, 1d12h.
func ParseDuration(text string) (time.Duration, error) {
	return time.ParseDuration(days.ReplaceAllStringFunc(text, func(part string) string {
		n, _ := strconv.ParseFloat(strings.TrimSuffix(part, "d"), 64) // the pattern lets only numbers through
		return strconv.FormatFloat(24*n, 'f', -1, 64) + "h"
	}))
}

// Duration is a [time.Duration] that is a text in JSON, such as "5m" or "2d".
type Duration time.Duration

// String returns the text that [FormatDuration] makes.
func (d Duration) String() string { return FormatDuration(time.Duration(d)) }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// FormatDuration formats a duration without zero units: 5m instead of 5m0s. From 48 hours on, whole days are in days: 2d.
func FormatDuration(d time.Duration) string {
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
