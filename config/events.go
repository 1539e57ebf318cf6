package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// EventType is one entry of the event catalogue.
type EventType struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Group       string `json:"group"`
}

// Event types that the sender itself publishes.
const (
	EventTest    = "webhook.test"
	EventError   = "system.error"
	EventWarning = "system.warning"
)

// DefaultEventTypes returns the catalogue of the user's guide: the 13 types of its list and the two of its section on payloads.
func DefaultEventTypes() []EventType {
	return []EventType{
		{"video.uploaded", "Triggered when a new video is uploaded", "video"},
		{"video.processed", "Triggered when video processing is complete", "video"},
		{"video.published", "Triggered when a video is published", "video"},
		{"video.updated", "Triggered when video metadata is updated", "video"},
		{"video.deleted", "Triggered when a video is deleted", "video"},
		{"user.created", "Triggered when a new user is created", "user"},
		{"user.updated", "Triggered when user profile is updated", "user"},
		{"user.deleted", "Triggered when a user is deleted", "user"},
		{"user.registered", "Triggered when a new user registers", "user"},
		{"engagement.view", "Triggered when a video is viewed", "engagement"},
		{"engagement.like", "Triggered when a video is liked", "engagement"},
		{"engagement.comment", "Triggered when a comment is posted", "engagement"},
		{"comment.created", "Triggered when a comment is created", "comment"},
		{EventError, "Triggered when a system error occurs", "system"},
		{EventWarning, "Triggered when a system warning occurs", "system"},
	}
}

var eventTypeName = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)+$`)

// EventTypesFromNames returns a catalogue of the names. A name of the default catalogue keeps its description. The error says which name is
// malformed or given twice.
func EventTypesFromNames(names []string) ([]EventType, error) {
	defaults := DefaultEventTypes()
	types := make([]EventType, 0, len(names))
	for i, name := range names {
		if !eventTypeName.MatchString(name) || len(name) > 64 {
			return nil, fmt.Errorf("event_types: %q is not an event type: lower-case words joined by dots, such as order.paid, 64 characters at most", name)
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("event_types: %q is given twice", name)
		}
		if known := slices.IndexFunc(defaults, func(t EventType) bool { return t.Name == name }); known >= 0 {
			types = append(types, defaults[known])
			continue
		}
		group, _, _ := strings.Cut(name, ".")
		types = append(types, EventType{Name: name, Group: group})
	}
	return types, nil
}

// Patterns returns the subscriptions that match an event type: the type itself, each of its groups
// followed by ".*", and "*".
func Patterns(event string) []string {
	patterns := []string{event}
	for i := len(event) - 1; i > 0; i-- {
		if event[i] == '.' {
			patterns = append(patterns, event[:i]+".*")
		}
	}
	return append(patterns, "*")
}
