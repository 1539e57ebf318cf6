package command

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// duration is a flag that takes days too, as everything here does.
type duration time.Duration

func (d *duration) String() string { return time.Duration(*d).String() }
func (*duration) Type() string     { return "duration" }

// Set reads the flag's text.
func (d *duration) Set(text string) error {
	value, err := caddy.ParseDuration(text)
	if err != nil || value < 0 {
		return fmt.Errorf("%q is not a duration such as 30s, 5m or 2d", text)
	}
	*d = duration(value)
	return nil
}
