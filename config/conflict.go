package config

import "fmt"

// Conflict is the error of two options that are each valid but can't be used together. Match it with errors.As, to add where the options
// were written.
type Conflict struct {
	Option  string // the option at fault, after the names of its blocks
	Other   string // the option that it contradicts
	Problem string // why, and what to do
}

// Error implements error. It names both options.
func (c *Conflict) Error() string {
	return fmt.Sprintf("%s: it can't be with this %s: %s", c.Option, c.Other, c.Problem)
}

// conflictIf is errorIf for a [Conflict].
func conflictIf(bad bool, option, other, problem string, args ...any) error {
	if bad {
		return &Conflict{Option: option, Other: other, Problem: fmt.Sprintf(problem, args...)}
	}
	return nil
}
