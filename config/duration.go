package config

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ShortestDuration is the least that an option which is a duration may be: the store counts in milliseconds, and no
// timeout below one leaves time for anything. Delays of a retry table may be 0.
const ShortestDuration = time.Millisecond

// ShortestTolerance is the least that a tolerance may be: signed timestamps are mostly whole seconds.
const ShortestTolerance = time.Second

var days = regexp.MustCompile(`[0-9]*\.?[0-9]+d`)

// ParseDuration reads a duration as [time.ParseDuration] does, and takes d for days of 24 hours as well: 2d, 1d12h.
func ParseDuration(text string) (time.Duration, error) {
	return time.ParseDuration(days.ReplaceAllStringFunc(text, func(part string) string {
		n, _ := strconv.ParseFloat(strings.TrimSuffix(part, "d"), 64) // the pattern lets only numbers through
		return strconv.FormatFloat(24*n, 'f', -1, 64) + "h"
	}))
}

// Duration is a [time.Duration] that JSON has as a text, such as "5m" or "2d".
type Duration time.Duration

// String writes it as [FormatDuration] does.
func (d Duration) String() string { return FormatDuration(time.Duration(d)) }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// FormatDuration writes a duration as people do: 5m rather than 5m0s, and days where it is whole days.
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
