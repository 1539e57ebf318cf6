package main

import "fmt"

// failure is what check panics with.
type failure struct{ err error }

// check ends the benchmark where there is an error, as [testing.T.FailNow] ends a test: deferred functions still run, and stop what
// was started. The error then says what was being done, where that is given. Only functions that a benchmark or a role calls in its
// own goroutine may use check, see errorOf.
func check(err error, doing ...string) {
	for _, text := range doing {
		err = wrap(text, err)
	}
	if err != nil {
		panic(failure{err})
	}
}

// wrap has an error say what was being done; nil stays nil.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// must returns a value, or ends the benchmark as check does.
func must[T any](value T, err error) T {
	check(err)
	return value
}

// errorOf calls run and returns the error with which check ended it.
func errorOf(run func()) (err error) {
	defer func() {
		switch reason := recover().(type) {
		case nil:
		case failure:
			err = reason.err
		default:
			panic(reason)
		}
	}()
	run()
	return nil
}
