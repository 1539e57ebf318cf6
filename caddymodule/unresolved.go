package caddymodule

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
)

// outside are the placeholders of what stands outside the configuration.
var outside = regexp.MustCompile(`\{(env|file)\.([^{}]+)\}`)

// unresolved says of a value with placeholders that can't be resolved what is to be set, and where the Caddyfile asks for it.
func unresolved(value string, err error) error {
	for _, found := range outside.FindAllStringSubmatch(value, -1) {
		placeholder, kind, name := found[0], found[1], found[2]
		reason := ""
		if kind == "env" {
			if text, set := os.LookupEnv(name); !set {
				reason = fmt.Sprintf("the environment variable %s is not set: set it for Caddy's process", name)
			} else if text == "" {
				reason = fmt.Sprintf("the environment variable %s is empty: give it a value", name)
			}
		} else if text, failed := os.ReadFile(name); failed != nil {
			reason = fmt.Sprintf("the file can't be read: %v", failed)
		} else if strings.Trim(string(text), "\r\n") == "" {
			reason = fmt.Sprintf("the file %s is empty: write the value into it", name)
		}
		if reason == "" {
			continue
		}
		return placed(placeholder, fmt.Errorf("%s: %s", placeholder, reason))
	}
	return err
}

// places are where the Caddyfile that was adapted last has a placeholder, or an option that names a file: JSON, which is what is loaded,
// has no room for that.
var places sync.Map

func notePlace(of, file string, line int) { places.Store(of, fmt.Sprintf("%s:%d", file, line)) }

// notePlaces remembers where the placeholders of these words stand.
func notePlaces(words []string, file string, line int) {
	for _, word := range words {
		for _, placeholder := range outside.FindAllString(word, -1) {
			notePlace(placeholder, file, line)
		}
	}
}

// placed adds to an error where the Caddyfile has what it is about.
func placed(of string, err error) error {
	if place, ok := places.Load(of); ok {
		return fmt.Errorf("%w, at %s", err, place)
	}
	return err
}
