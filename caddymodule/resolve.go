package caddymodule

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// resolver replaces the placeholders of settings while they are turned into their config types. The first
// error sticks, so that a conversion can be written without a check on every line.
//
// Without a replacer it serves the Caddyfile adapter, which must not resolve anything, yet should report bad
// literal values: placeholders in lists are left out, and one in a single value is noted in deferred.
type resolver struct {
	repl     *caddy.Replacer
	deferred bool
	literal  []string // options with a secret that is written out literally
	err      error
}

// value resolves a single value of the named option.
func (r *resolver) value(option, value string) string {
	return r.replace(option, value, hasPlaceholder(value), true)
}

// secret is one for a value that must not be shown.
func (r *resolver) secret(option, value string) string {
	if value != "" && !hasPlaceholder(value) && !slices.Contains(r.literal, option) {
		r.literal = append(r.literal, option)
	}
	return r.value(option, value)
}

// template is one for a value in which braces also have a meaning of their own: what Caddy doesn't know stays.
func (r *resolver) template(option, value string) string {
	return r.replace(option, value, strings.Contains(value, "{env.") || strings.Contains(value, "{file."), false)
}

// replace puts in what the placeholders of a value stand for, if it has any. strict refuses those that Caddy doesn't know.
func (r *resolver) replace(option, value string, placeholders, strict bool) string {
	if !placeholders || r.err != nil {
		return value
	}
	if r.repl == nil {
		r.deferred = true
		return ""
	}
	resolved, err := r.repl.ReplaceOrErr(value, true, strict)
	if err != nil {
		r.err = fmt.Errorf("%s: %w", option, unresolved(value, err))
	}
	return resolved
}

// all resolves a list.
func (r *resolver) all(option string, values []string) []string {
	return r.each(option, values, r.value)
}

// secrets is all for values that must not be shown.
func (r *resolver) secrets(option string, values []string) []string {
	return r.each(option, values, r.secret)
}

func (r *resolver) each(option string, values []string, resolve func(option, value string) string) (resolved []string) {
	for _, value := range values {
		if r.repl != nil || !hasPlaceholder(value) {
			resolved = append(resolved, resolve(option, value))
		}
	}
	return resolved
}

// copyPlain copies settings that are taken as they are written, numbers, switches and durations, to the fields of the same names of their
// config type. Texts are left to the resolver, as they may have placeholders.
func copyPlain(config, settings any) {
	to, from := reflect.ValueOf(config).Elem(), reflect.ValueOf(settings).Elem()
	for i := range from.NumField() {
		target := to.FieldByName(from.Type().Field(i).Name)
		switch value := from.Field(i); {
		case value.CanInt(), value.Kind() == reflect.Bool:
			target.Set(value.Convert(target.Type()))
		case value.Type() == reflect.TypeFor[[]caddy.Duration]():
			for _, d := range value.Seq2() {
				target.Set(reflect.Append(target, d.Convert(target.Type().Elem())))
			}
		}
	}
}

func hasPlaceholder(value string) bool { return strings.Contains(value, "{") }
