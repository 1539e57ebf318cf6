package config

import "fmt"

// Conflict is a pair of options that can't both hold, each being right by itself. Match it with errors.As: whoever knows
// where the options were written can say so.
type Conflict struct {
	Option  string // at fault, after the names of the blocks that it stands in
	Other   string // what it contradicts
	Problem string // why, and what to do
}

// Error implements error. It names both options.
func (c *Conflict) Error() string {
	return fmt.Sprintf("%s: it can't be with this %s: %s", c.Option, c.Other, c.Problem)
}

func conflict(option, other, problem string, args ...any) *Conflict {
	return &Conflict{Option: option, Other: other, Problem: fmt.Sprintf(problem, args...)}
}
