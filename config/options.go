package config

import (
	"fmt"
	"time"
)

// option is a setting that is a number.
type option[T int | time.Duration] struct {
	name      string // begins its error
	field     *T
	byDefault T
}

// setDefaults fills in what was not given.
func setDefaults[T int | time.Duration](options []option[T]) {
	for _, o := range options {
		setDefault(o.field, o.byDefault)
	}
}

// setDefault sets the field to value where it is zero.
func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// checkCounts returns an error that names the first option that is not above zero.
func checkCounts(options []option[int]) error {
	for _, o := range options {
		if *o.field <= 0 {
			return fmt.Errorf("%s: must be more than zero", o.name)
		}
	}
	return nil
}

// checkDurations returns an error that names the first option below [ShortestDuration].
func checkDurations(options []option[time.Duration]) error {
	for _, o := range options {
		if *o.field < ShortestDuration {
			return tooShort(o.name, *o.field)
		}
	}
	return nil
}

// tooShort is the error of a duration below [ShortestDuration].
func tooShort(name string, d time.Duration) error {
	return fmt.Errorf("%s: at least %s, not %s", name, FormatDuration(ShortestDuration), d)
}
