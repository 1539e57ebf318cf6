package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/videocloud/webhooks/config"
)

// option is one line of a block, with its sub-block if it has one: a dispenser of its own that can't run into
// the next option, standing on the option's name.
type option struct {
	*caddyfile.Dispenser
	name   string
	tokens caddyfile.Segment
}

func newOption(tokens caddyfile.Segment) option {
	o := option{caddyfile.NewDispenser(tokens), tokens.Directive(), tokens}
	o.Next()
	return o
}

// unread returns the option's tokens from before its name, as parsers of directives and modules want them.
func (o option) unread() *caddyfile.Dispenser { return caddyfile.NewDispenser(o.tokens) }

// again returns the same option with nothing but its name read.
func (o option) again() option { return newOption(o.tokens) }

// wrap adds to an error, if it is one, the file and the line where the option begins.
func (o option) wrap(err error) error {
	if err == nil {
		return nil
	}
	return o.again().WrapErr(err)
}

// reader reads what stands behind an option's name: its arguments, or its block.
type reader func(o option) error

// parseBlock walks the options of the block that opens on the current line, lets read take each, and returns where each stands. An option
// given twice is an error unless it is repeatable; so are arguments or a block that read left over.
func parseBlock(d *caddyfile.Dispenser, read reader, repeatable ...string) (given written, err error) {
	given = written{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		o := newOption(d.NextSegment())
		if first, twice := given[o.name]; !twice {
			given[o.name] = o
		} else if !slices.Contains(repeatable, o.name) {
			return given, o.Errf("%s is given twice, first on line %d", o.name, first.again().Line())
		}
		for _, token := range o.tokens {
			notePlaces([]string{token.Text}, token.File, token.Line)
		}
		if err := read(o); err != nil {
			return given, err
		}
		if o.Next() {
			if o.Val() == "{" {
				return given, o.Errf("%s takes no block", o.name)
			}
			return given, o.argErr()
		}
	}
	return given, nil
}

// argErr reports a wrong number of arguments. Unlike the dispenser's own, it repeats no argument: one may be a secret.
func (o option) argErr() error { return o.Errf("wrong argument count for %s", o.name) }

// block is what can stand in a block: each option's name, and what reads it.
type block map[string]reader

// read reads an option by its name.
func (b block) read(o option) error {
	read, ok := b[o.name]
	if !ok {
		return o.Errf("unknown option %q; there are %s", o.name, strings.Join(slices.Sorted(maps.Keys(b)), ", "))
	}
	return read(o)
}

// readAlone reads an option of a block, then once more into settings that have nothing else: what can't work there is the fault of this
// option and this line.
func readAlone[S any](o option, settings *S, options func(*S) block, check func(*S) error) error {
	if err := options(settings).read(o); err != nil {
		return err
	}
	alone := new(S)
	if err := options(alone).read(o.again()); err != nil {
		return err
	}
	err := check(alone)
	var both *config.Conflict
	if errors.As(err, &both) {
		return nil // with an option that may follow
	}
	return o.wrap(err)
}

// readDirective reads a directive of a site that takes no arguments but its block.
func readDirective(h httpcaddyfile.Helper, b block, repeatable ...string) (directive option, given written, err error) {
	h.Next()
	directive = newOption(caddyfile.Segment{h.Token()})
	if h.CountRemainingArgs() > 0 {
		return directive, nil, h.Errf("%s takes a block, and no argument but a matcher", directive.name)
	}
	given, err = parseBlock(h.Dispenser, b.read, repeatable...)
	return directive, given, err
}

// written are the options of a block that were read, by name: where each stands first.
type written map[string]option

// wrap adds the place of a block to an error about it, if there is one, and to one about two options the place of each that is written.
func (w written) wrap(block option, err error) error {
	var both *config.Conflict
	if errors.As(err, &both) {
		for _, name := range []string{both.Option, both.Other} {
			name = name[strings.LastIndexByte(name, ' ')+1:]
			if o, ok := w[name]; ok {
				o = o.again()
				err = fmt.Errorf("%w; %s is at %s:%d", err, name, o.File(), o.Line())
			}
		}
	}
	return block.wrap(err)
}

// then makes a reader that also checks what it read, and tells the option's place with what is wrong.
func (read reader) then(check func() error) reader {
	return func(o option) error {
		if err := read(o); err != nil {
			return err
		}
		return o.wrap(check())
	}
}

// inTurn reads arguments by several readers, one after the other.
func inTurn(readers ...reader) reader {
	return func(o option) error {
		for _, read := range readers {
			if err := read(o); err != nil {
				return err
			}
		}
		return nil
	}
}

// made makes the settings that an option is about, and reads the option into them.
func made[S any](field **S, read func(*S, option) error) reader {
	return func(o option) error {
		*field = new(S)
		return read(*field, o)
	}
}

// flag reads an option without arguments.
func flag(field *bool) reader {
	return func(option) error {
		*field = true
		return nil
	}
}

// word reads an argument for each field that says something: an empty one would pass for an option that was left out.
func word(fields ...*string) reader {
	return func(o option) error {
		switch {
		case !o.Args(fields...):
			return o.argErr()
		case slices.ContainsFunc(fields, func(f *string) bool { return *f == "" }):
			return o.empty()
		}
		return nil
	}
}

func (o option) empty() error {
	return o.Errf("%s is empty; give it a value, or leave the option out", o.name)
}

// words adds one argument or more.
func words(field *[]string) reader {
	return func(o option) error {
		args := o.RemainingArgs()
		switch {
		case len(args) == 0:
			return o.argErr()
		case slices.Contains(args, ""):
			return o.empty()
		}
		*field = append(*field, args...)
		return nil
	}
}

// parsed reads one argument that is more than text.
func parsed[T any](field *T, parse func(o option, text string) (T, error)) reader {
	return func(o option) error {
		var text string
		err := word(&text)(o)
		if err == nil {
			*field, err = parse(o, text)
		}
		return err
	}
}

// file reads the name of a file that is read when the configuration is loaded, which may fail then: see [placed].
func file(field *string) reader {
	return parsed(field, func(o option, name string) (string, error) {
		notePlace(o.name+" "+name, o.File(), o.Line())
		return name, nil
	})
}

// choice reads one argument out of a few.
func choice(field *string, choices ...string) reader {
	return parsed(field, func(o option, text string) (string, error) {
		if slices.Contains(choices, text) {
			return text, nil
		}
		last := len(choices) - 1
		list := choices[last]
		if last > 0 {
			list = strings.Join(choices[:last], ", ") + " or " + list
		}
		return "", o.Errf("%s takes %s, not %q", o.name, list, text)
	})
}

// switchedBy reads the one word that sets a field.
func switchedBy(field *bool, word string) reader {
	return inTurn(choice(new(string), word), flag(field))
}

// number reads a whole number.
func number(field *int, least int) reader {
	return parsed(field, func(o option, text string) (int, error) {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			return 0, o.Errf("%s: %q is not a whole number", o.name, text)
		case n < least:
			return 0, o.Errf("%s: at least %d, not %d", o.name, least, n)
		}
		return n, nil
	})
}

// size reads a number of bytes, such as 5MiB.
func size(field *int64) reader {
	return parsed(field, func(o option, text string) (int64, error) {
		n, err := humanize.ParseBytes(text)
		if err != nil || n == 0 || int64(n) < 0 {
			return 0, o.Errf("%s: %q is not a size such as 5MiB", o.name, text)
		}
		return int64(n), nil
	})
}

// duration reads a duration of a millisecond or more.
func duration(field *caddy.Duration) reader {
	return parsed(field, func(o option, text string) (caddy.Duration, error) {
		return o.parseDuration(text, config.ShortestDuration)
	})
}

// durations reads a list of durations, zero among them.
func durations(field *[]caddy.Duration) reader {
	return func(o option) error {
		var texts []string
		if err := words(&texts)(o); err != nil {
			return err
		}
		for _, text := range texts {
			d, err := o.parseDuration(text, 0)
			if err != nil {
				return err
			}
			*field = append(*field, d)
		}
		return nil
	}
}

func (o option) parseDuration(text string, least time.Duration) (caddy.Duration, error) {
	d, err := caddy.ParseDuration(text)
	switch {
	case err != nil:
		return 0, o.Errf("%s: %q is not a duration such as 15s or 5m", o.name, text)
	case d < least:
		return 0, o.Errf("%s: %q is too short: at least %s", o.name, text, config.FormatDuration(least))
	}
	return caddy.Duration(d), nil
}
