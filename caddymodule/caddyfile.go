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

// parseBlock walks the options of the block that opens on the current line and lets read take each. An option
// given twice is an error unless it is repeatable; so are arguments or a block that read left over.
func parseBlock(d *caddyfile.Dispenser, read func(o option) error, repeatable ...string) error {
	lines := map[string]int{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		o := newOption(d.NextSegment())
		if line, twice := lines[o.name]; twice && !slices.Contains(repeatable, o.name) {
			return o.Errf("%s is given twice, first on line %d", o.name, line)
		}
		lines[o.name] = o.Line()
		for _, token := range o.tokens {
			notePlaces([]string{token.Text}, token.File, token.Line)
		}
		if err := read(o); err != nil {
			return err
		}
		if o.Next() {
			if o.Val() == "{" {
				return o.Errf("%s takes no block", o.name)
			}
			return o.argErr()
		}
	}
	return nil
}

// argErr reports a wrong number of arguments. Unlike the dispenser's own, it repeats no argument: one may be a secret.
func (o option) argErr() error { return o.Errf("wrong argument count for %s", o.name) }

// noArgs reports arguments before a block.
func (o option) noArgs() error {
	if o.CountRemainingArgs() > 0 {
		return o.argErr()
	}
	return nil
}

// unknown reports an option that isn't one of those that are known.
func (o option) unknown(known ...string) error {
	if len(known) == 0 {
		return o.Errf("unknown option %q", o.name)
	}
	return o.Errf("unknown option %q; there are %s", o.name, strings.Join(known, ", "))
}

// block is what can stand in a block: each option's name, and what reads it.
type block map[string]func(o option) error

// read reads an option by its name.
func (b block) read(o option) error {
	read, ok := b[o.name]
	if !ok {
		return o.unknown(slices.Sorted(maps.Keys(b))...)
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
	return o.wrap(check(alone))
}

// readDirective reads a directive of a site that takes no arguments but its block.
func readDirective(h httpcaddyfile.Helper, b block, repeatable ...string) (directive option, given written, err error) {
	h.Next()
	directive, given = newOption(caddyfile.Segment{h.Token()}), written{}
	if h.CountRemainingArgs() > 0 {
		return directive, given, h.Errf("%s takes a block, and no argument but a matcher", directive.name)
	}
	return directive, given, parseBlock(h.Dispenser, given.note(b.read), repeatable...)
}

// written are the options of a block that were read, by name: where each stands.
type written map[string]option

// note wraps what reads an option so that the option is remembered.
func (w written) note(read func(o option) error) func(o option) error {
	return func(o option) error {
		if _, again := w[o.name]; !again {
			w[o.name] = o
		}
		return read(o)
	}
}

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

// flag reads an option without arguments.
func (o option) flag(field *bool) error {
	*field = true
	return nil
}

// text reads one argument, which may be empty.
func (o option) text(fields ...*string) error {
	if !o.Args(fields...) {
		return o.argErr()
	}
	return nil
}

// word reads one argument that says something: an empty one would pass for an option that was left out.
func (o option) word(fields ...*string) error {
	if err := o.text(fields...); err != nil {
		return err
	}
	if slices.ContainsFunc(fields, func(f *string) bool { return *f == "" }) {
		return o.empty()
	}
	return nil
}

// file reads the name of a file that is read when the configuration is loaded, which may fail then: see [placed].
func (o option) file(field *string) error {
	if err := o.word(field); err != nil {
		return err
	}
	notePlace(o.name+" "+*field, o.File(), o.Line())
	return nil
}

func (o option) empty() error {
	return o.Errf("%s is empty; give it a value, or leave the option out", o.name)
}

// words adds one argument or more.
func (o option) words(field *[]string) error {
	args := o.RemainingArgs()
	if len(args) == 0 {
		return o.argErr()
	}
	if slices.Contains(args, "") {
		return o.empty()
	}
	*field = append(*field, args...)
	return nil
}

// choice reads one argument out of a few.
func (o option) choice(field *string, choices ...string) error {
	if err := o.word(field); err != nil {
		return err
	}
	if !slices.Contains(choices, *field) {
		last := len(choices) - 1
		list := choices[last]
		if last > 0 {
			list = strings.Join(choices[:last], ", ") + " or " + list
		}
		return o.Errf("%s takes %s, not %q", o.name, list, *field)
	}
	return nil
}

// switchedBy reads the one word that sets a field.
func (o option) switchedBy(field *bool, word string) error {
	*field = true
	return o.choice(new(string), word)
}

// number reads a whole number.
func (o option) number(field *int, least int) error {
	var text string
	if err := o.word(&text); err != nil {
		return err
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return o.Errf("%s: %q is not a whole number", o.name, text)
	}
	if n < least {
		return o.Errf("%s: at least %d, not %d", o.name, least, n)
	}
	*field = n
	return nil
}

// size reads a number of bytes, such as 5MiB.
func (o option) size(field *int64) error {
	var text string
	if err := o.word(&text); err != nil {
		return err
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 || int64(n) < 0 {
		return o.Errf("%s: %q is not a size such as 5MiB", o.name, text)
	}
	*field = int64(n)
	return nil
}

// duration reads a duration of a millisecond or more.
func (o option) duration(field *caddy.Duration) error {
	var text string
	if err := o.word(&text); err != nil {
		return err
	}
	return o.parseDuration(text, config.ShortestDuration, field)
}

// durations reads a list of durations, zero among them.
func (o option) durations(field *[]caddy.Duration) error {
	var texts []string
	if err := o.words(&texts); err != nil {
		return err
	}
	*field = make([]caddy.Duration, len(texts))
	for i, text := range texts {
		if err := o.parseDuration(text, 0, &(*field)[i]); err != nil {
			return err
		}
	}
	return nil
}

func (o option) parseDuration(text string, least time.Duration, field *caddy.Duration) error {
	d, err := caddy.ParseDuration(text)
	if err != nil {
		return o.Errf("%s: %q is not a duration such as 15s or 5m", o.name, text)
	}
	if d < least {
		return o.Errf("%s: %q is too short: at least %s", o.name, text, config.FormatDuration(least))
	}
	*field = caddy.Duration(d)
	return nil
}

// durationsOf turns Caddy's durations into plain ones.
func durationsOf(list []caddy.Duration) []time.Duration {
	if list == nil {
		return nil
	}
	plain := make([]time.Duration, len(list))
	for i, d := range list {
		plain[i] = time.Duration(d)
	}
	return plain
}
