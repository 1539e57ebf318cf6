package sender

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/videocloud/webhooks/config"
	"github.com/videocloud/webhooks/internal/dataschema"
	"github.com/videocloud/webhooks/sender/internal/registry"
)

// EventType is one entry of the catalogue, which holds those of the configuration and those made at run time.
type EventType struct {
	Name        string          // such as video.uploaded
	Description string          // what it stands for
	Group       string          // the first word of the name unless it was set
	Schema      json.RawMessage // JSON Schema that data must fit; empty: any object
	Example     json.RawMessage // data for a test; empty: the documented one, or that of its group
}

// EventTypeUpdate changes the fields that are not nil; an empty value removes what was set.
type EventTypeUpdate struct {
	Description *string          // at most 1,024 bytes
	Group       *string          // at most 64 bytes
	Schema      *json.RawMessage // JSON Schema (2020-12), at most 32 KiB, that refers to nothing outside of itself
	Example     *json.RawMessage // an object that fits the schema, at most 16 KiB
}

// eventTypeInfo is what is stored of an event type, in addition to the configuration.
type eventTypeInfo struct {
	Description *string `json:"description,omitempty"`
	Group       *string `json:"group,omitempty"`
	Schema      string  `json:"schema,omitempty"`
	Example     string  `json:"example,omitempty"`
}

// catalogue is all event types as they were at one moment.
type catalogue struct {
	version string
	readAt  time.Time // before the store was
	list    []EventType
	entries map[string]*catalogueEntry
}

type catalogueEntry struct {
	EventType
	configured bool
	stored     string // as it stands in the store, "" for nothing
	schema     *dataschema.Schema
}

// Other processes see a changed event type within a second, because none uses a catalogue for longer. See keyMaxAge of package
// api, which does the same for keys.
const (
	catalogueMaxAge     = 900 * time.Millisecond
	catalogueRefreshAge = 400 * time.Millisecond
)

// catalogueCache keeps the catalogue that was read last.
type catalogueCache struct {
	current    atomic.Pointer[catalogue]
	refreshing atomic.Bool
	loading    sync.Mutex
}

// baseCatalogue returns the catalogue of the configuration alone.
func (s *Sender) baseCatalogue() *catalogue {
	c := &catalogue{entries: map[string]*catalogueEntry{}}
	for _, t := range s.c.EventTypes {
		e := &catalogueEntry{EventType: EventType{Name: t.Name, Description: t.Description, Group: t.Group}, configured: true}
		c.entries[t.Name], c.list = e, append(c.list, e.EventType)
	}
	return c
}

// cachedCatalogue returns the catalogue that was read last; before the first, that of the configuration.
func (s *Sender) cachedCatalogue() *catalogue {
	if c := s.eventTypes.current.Load(); c != nil {
		return c
	}
	return s.baseCatalogue()
}

// catalogue returns the event types as they were less than a second ago. While events are published, that costs the store one
// question a second.
func (s *Sender) catalogue(ctx context.Context) (*catalogue, error) {
	c := s.eventTypes.current.Load()
	if c == nil {
		return s.loadCatalogue(ctx)
	}
	if time.Since(c.readAt) > catalogueMaxAge {
		bounded, cancel := context.WithTimeout(ctx, catalogueMaxAge)
		defer cancel()
		fresh, err := s.loadCatalogue(bounded)
		if err == nil {
			return fresh, nil
		}
		// Where the node that holds the types is down, the last catalogue goes on to be used: accounts on other nodes are still served.
		last := *c
		last.readAt = time.Now()
		s.eventTypes.current.CompareAndSwap(c, &last)
		return &last, nil
	}
	if time.Since(c.readAt) > catalogueRefreshAge && s.eventTypes.refreshing.CompareAndSwap(false, true) {
		go func() {
			defer s.eventTypes.refreshing.Store(false)
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), catalogueMaxAge) // the request may end before
			defer cancel()
			_, _ = s.loadCatalogue(ctx) // where it fails, a later request waits for another try
		}()
	}
	return c, nil
}

func (s *Sender) loadCatalogue(ctx context.Context) (*catalogue, error) {
	s.eventTypes.loading.Lock()
	defer s.eventTypes.loading.Unlock()
	before := s.eventTypes.current.Load()
	if before != nil && time.Since(before.readAt) < catalogueRefreshAge {
		return before, nil // another goroutine has just read them
	}
	asked := time.Now()
	if _, err := s.store.Shards(ctx); err != nil {
		return nil, s.unavailable("check", err)
	}
	version, err := s.registry.EventTypesVersion(ctx)
	if err != nil {
		return nil, s.unavailable("event types", err)
	}
	if before != nil && before.version == version {
		same := *before
		same.readAt = asked
		s.eventTypes.current.Store(&same)
		return &same, nil
	}
	c := s.baseCatalogue()
	c.readAt, c.version = asked, version
	if version != "" {
		stored, err := s.registry.EventTypes(ctx)
		if err != nil {
			return nil, s.unavailable("event types", err)
		}
		for name, text := range stored {
			if err := c.addStored(name, text, before); err != nil {
				s.log.ErrorContext(ctx, "an event type in the store can't be read", "event", name, "error", err)
			}
		}
		c.list = c.list[:0]
		for _, e := range c.entries {
			c.list = append(c.list, e.EventType)
		}
		order := map[string]int{}
		for i, t := range s.c.EventTypes {
			order[t.Name] = i - len(s.c.EventTypes) // those of the configuration first, in its order
		}
		slices.SortFunc(c.list, func(a, b EventType) int {
			return cmp.Or(order[a.Name]-order[b.Name], strings.Compare(a.Name, b.Name))
		})
	}
	s.eventTypes.current.Store(c)
	return c, nil
}

// addStored adds what is stored of a type to what the configuration says. A schema is compiled once for each version.
func (c *catalogue) addStored(name, text string, before *catalogue) error {
	var info eventTypeInfo
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		return err
	}
	e := c.entries[name]
	if e == nil {
		group, _, _ := strings.Cut(name, ".")
		e = &catalogueEntry{EventType: EventType{Name: name, Group: group}}
		c.entries[name] = e
	}
	e.stored = text
	if info.Description != nil {
		e.Description = *info.Description
	}
	if info.Group != nil {
		e.Group = *info.Group
	}
	e.Schema, e.Example = json.RawMessage(info.Schema), json.RawMessage(info.Example)
	if info.Schema == "" {
		return nil
	}
	if before != nil && before.entries[name] != nil && string(before.entries[name].Schema) == info.Schema {
		e.schema = before.entries[name].schema
		return nil
	}
	var err error
	e.schema, err = dataschema.Compile([]byte(info.Schema))
	return err
}

// EventTypes returns the catalogue: the configured types in their order, then those made at run time, sorted by name.
func (s *Sender) EventTypes(ctx context.Context) ([]EventType, error) {
	c, err := s.catalogue(ctx)
	if err != nil {
		return nil, err
	}
	return c.list, nil
}

// PutEventType makes an event type, or changes the given fields of one. From then on data published under it must match its
// schema; every process sees the change within a second.
func (s *Sender) PutEventType(ctx context.Context, name string, u EventTypeUpdate) (EventType, error) {
	if _, err := config.EventTypesFromNames([]string{name}); err != nil || name == config.EventTest {
		return EventType{}, invalid("name", "%s is not a name for an event type: lower-case words joined by dots, such as order.paid, 64 characters at most", quote(name))
	}
	schema, err := u.check()
	if err != nil {
		return EventType{}, err
	}
	return s.changeEventType(ctx, name, func(e *catalogueEntry, info *eventTypeInfo) error {
		if u.Description != nil {
			info.Description = u.Description
		}
		if u.Group != nil {
			info.Group = u.Group
		}
		if u.Example != nil {
			info.Example = string(*u.Example)
		}
		if u.Schema != nil {
			info.Schema = string(*u.Schema)
		} else if e != nil {
			schema = e.schema
		}
		if schema != nil && info.Example != "" {
			if err := checkSchema(schema, "example", []byte(info.Example)); err != nil {
				return &Error{Code: CodeInvalidField, Field: "example", Message: "example does not fit the schema: " + err.Message}
			}
		}
		return nil
	})
}

// DeleteEventType removes a type that was made at run time.
func (s *Sender) DeleteEventType(ctx context.Context, name string) error {
	_, err := s.changeEventType(ctx, name, func(e *catalogueEntry, info *eventTypeInfo) error {
		switch {
		case e == nil:
			return errNotFound
		case e.configured:
			return &Error{Code: CodeConflict, Message: "this type is one of the configuration and can't be deleted; PUT takes its schema and example away with null"}
		}
		*info = eventTypeInfo{}
		return errDeleted
	})
	if errors.Is(err, errDeleted) {
		return nil
	}
	return err
}

// errDeleted is what a change returns to have the type removed.
var errDeleted = errors.New("deleted")

func (s *Sender) changeEventType(ctx context.Context, name string, change func(e *catalogueEntry, info *eventTypeInfo) error) (changed EventType, err error) {
	err = retryChanged("this event type", func() error {
		s.expireCatalogue()
		c, err := s.loadCatalogue(ctx)
		if err != nil {
			return err
		}
		e, stored, info := c.entries[name], "", eventTypeInfo{}
		if e != nil && e.stored != "" {
			stored = e.stored
			if err := json.Unmarshal([]byte(stored), &info); err != nil {
				return fmt.Errorf("reading event type %s: %w", name, err)
			}
		}
		asked, text := change(e, &info), ""
		if asked == nil {
			b, err := json.Marshal(info)
			if err != nil {
				return fmt.Errorf("writing event type %s: %w", name, err)
			}
			text = string(b)
		} else if !errors.Is(asked, errDeleted) {
			return asked
		}
		err = s.registry.WriteEventType(ctx, name, stored, text, config.MaxEventTypes)
		s.expireCatalogue()
		switch {
		case errors.Is(err, registry.ErrLimit):
			return &Error{Code: CodeLimitReached, Message: fmt.Sprintf("there are %d event types made at run time, the most there may be; delete one first", config.MaxEventTypes)}
		case err != nil:
			return s.writeError("event type", err)
		case asked != nil:
			return asked
		}
		next := s.baseCatalogue()
		if err := next.addStored(name, text, nil); err != nil {
			return fmt.Errorf("reading event type %s: %w", name, err)
		}
		changed = next.entries[name].EventType
		return nil
	})
	return changed, err
}

// expireCatalogue makes the next call read the catalogue from the store.
func (s *Sender) expireCatalogue() {
	s.eventTypes.loading.Lock()
	defer s.eventTypes.loading.Unlock()
	if c := s.eventTypes.current.Load(); c != nil {
		old := *c
		old.readAt = time.Time{}
		s.eventTypes.current.Store(&old)
	}
}

func (u *EventTypeUpdate) check() (*dataschema.Schema, error) {
	if err := checkText("description", valueOf(u.Description), config.MaxTypeDescription); err != nil {
		return nil, err
	}
	if err := checkText("group", valueOf(u.Group), config.MaxTypeGroup); err != nil {
		return nil, err
	}
	if example := valueOf(u.Example); len(example) > 0 {
		if len(example) > config.MaxTypeExample {
			return nil, invalid("example", "example has at most %d bytes", config.MaxTypeExample)
		}
		if err := checkData(example); err != nil {
			return nil, invalid("example", "example is not what an event's data may be: one JSON object in UTF-8, without repeated names at its top level")
		}
	}
	if len(valueOf(u.Schema)) == 0 {
		return nil, nil
	}
	schema, err := dataschema.Compile(*u.Schema)
	if err != nil {
		return nil, invalid("schema", "schema is refused: %s", err.Error())
	}
	return schema, nil
}

// checkSchema checks data against a schema. The field of the error is the place within the given field.
func checkSchema(schema *dataschema.Schema, field string, data []byte) *Error {
	err := schema.Check(data)
	if err == nil {
		return nil
	}
	var problem *dataschema.Problem
	if !errors.As(err, &problem) {
		return &Error{Code: CodeInvalidData, Field: field, Message: field + " does not fit the schema of this type"}
	}
	return &Error{Code: CodeInvalidData, Field: field + problem.Place, Message: field + problem.Place + ": " + problem.Message}
}
