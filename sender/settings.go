package sender

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/videocloud/webhooks/config"
)

// Settings are what the owner of a webhook sets and reads back. This is their only description: they are a part of the object, of
// the requests that make and change it, and of the record in the store. The tags hold the bounds of each field, from which the
// rule, its message and the OpenAPI document are made; settingRules has the rules that no tag can state. So a new field needs one
// line here, one in each SDK and one in the reference.
//
//	min, max            the least and most bytes of a string, items of a list, members of a map, or the number or duration itself
//	max_key, max_value  the most bytes of a map's keys and values
//	enum                all values that a string can have, beside the empty one
type Settings struct {
	URL         string            `json:"url" required:"true" null:"no" format:"uri" max:"2048" doc:"Where deliveries go: https, a public host, no user info." example:"https://your-server.com/webhooks"`
	Events      []string          `json:"events" required:"true" null:"no" min:"1" max:"500" doc:"Event types, groups such as video.*, or * for all." example:"video.uploaded"`
	Description string            `json:"description,omitempty" max:"1024" doc:"A note of yours."`
	RateLimit   int               `json:"rateLimit,omitempty" min:"0" max:"100000" doc:"Attempts a second at most; 0 is no limit."`
	MaxInFlight int               `json:"maxInFlight,omitempty" min:"0" max:"10000" doc:"Attempts in flight at most; 0 is the server's own limit."`
	Filter      string            `json:"filter,omitempty" max:"1024" doc:"A CEL expression over event, id, timestamp and data: only events for which it is true go here, and those on which it fails." example:"data.size > 1000000 && data.format == \"mp4\""`
	Retry       []config.Duration `json:"retry,omitempty" min:"1" max:"16" doc:"Its own retry table: the delay before each attempt, counted from the end of the one before. The first attempt is made at once. With every attempt taking up its timeout it is shorter than max_age. Without it, the server's table." example:"0s,1m,1h"`
	Timeout     config.Duration   `json:"timeout,omitempty" min:"1s" max:"60s" doc:"How long an attempt may take, the answer's body included, from 1s to 60s. Without it, the server's timeout." example:"30s"`
	Ordered     bool              `json:"ordered,omitempty" doc:"One attempt at a time, and first attempts in the order of publishing: the next event starts when the one before it succeeded or failed."`
	Signing     string            `json:"signing,omitempty" enum:"ed25519" doc:"ed25519: webhook-signature is made with a key pair of this webhook's own (v1a), whose public half is publicKey. Left out, with its secret (v1)."`
	Metadata    map[string]string `json:"metadata,omitempty" max:"16" max_key:"64" max_value:"512" doc:"Strings of yours, which are kept and shown."`
}

// settingRules are the rules that no tag can state, by the name of the field.
var settingRules = map[string]func(s *Sender, v *Settings) error{
	"url":     func(s *Sender, v *Settings) error { return s.checkURL(v.URL) },
	"events":  func(s *Sender, v *Settings) error { return s.checkEvents(v.Events) },
	"filter":  func(s *Sender, v *Settings) error { return s.checkFilter(v.Filter) },
	"retry":   func(s *Sender, v *Settings) error { return s.checkRetry("retry", v) },
	"timeout": func(s *Sender, v *Settings) error { return s.checkRetry("timeout", v) },
}

// setting is a field of Settings and its bounds.
type setting struct {
	name             string
	index            int
	min, max         int
	maxKey, maxValue int
	values           []string
	isRequired       bool
}

var settings = func() []setting {
	t := reflect.TypeFor[Settings]()
	list := make([]setting, t.NumField())
	for i := range list {
		tag := t.Field(i).Tag
		number := func(name string) int {
			n, err := strconv.Atoi(tag.Get(name))
			if d, problem := config.ParseDuration(tag.Get(name)); err != nil && problem == nil {
				return int(d)
			}
			return n
		}
		f := &list[i]
		f.name, _, _ = strings.Cut(tag.Get("json"), ",")
		f.index, f.min, f.max = i, number("min"), number("max")
		f.maxKey, f.maxValue = number("max_key"), number("max_value")
		if values := tag.Get("enum"); values != "" {
			f.values = strings.Split(values, ",")
		}
		f.isRequired = tag.Get("required") == "true"
	}
	return list
}()

// checkSettings checks the fields that differ between before and after: a value that was accepted once stays, even if the rules
// of today would refuse it. For a new webhook before is the zero value.
func (s *Sender) checkSettings(before, after *Settings) error {
	old, changed := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	for i := range settings {
		f := &settings[i]
		v := changed.Field(f.index)
		if reflect.DeepEqual(old.Field(f.index).Interface(), v.Interface()) && !(f.isRequired && v.IsZero()) {
			continue
		}
		if problem := f.problem(v); problem != "" && !v.IsZero() { // a zero value means that the field is not set
			return invalid(f.name, "%s", problem)
		}
		if rule := settingRules[f.name]; rule != nil { // which also says what to give where nothing was given
			if err := rule(s, after); err != nil {
				return err
			}
		}
	}
	return nil
}

// problem describes how a value is out of its bounds; "" where it is not.
func (f *setting) problem(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Int:
		if n := v.Int(); n < int64(f.min) || n > int64(f.max) {
			return fmt.Sprintf("%s is a number from %d to %d", f.name, f.min, f.max)
		}
	case reflect.Int64:
		if d := v.Int(); d < int64(f.min) || d > int64(f.max) {
			return fmt.Sprintf("%s is a duration from %s to %s", f.name, config.Duration(f.min), config.Duration(f.max))
		}
	case reflect.String:
		if f.values != nil {
			if v.Len() > 0 && !slices.Contains(f.values, v.String()) {
				return fmt.Sprintf("%s takes %s, or is left out", f.name, strings.Join(f.values, " or "))
			}
		} else if v.Len() < f.min || v.Len() > f.max || !utf8.ValidString(v.String()) {
			return fmt.Sprintf("%s has at most %d bytes of UTF-8", f.name, f.max)
		}
	case reflect.Slice:
		if v.Len() < f.min || v.Len() > f.max {
			return fmt.Sprintf("%s has %d to %d items", f.name, f.min, f.max)
		}
	case reflect.Map:
		if v.Len() > f.max {
			return fmt.Sprintf("%s has at most %d members", f.name, f.max)
		}
		for _, key := range v.MapKeys() {
			if k := key.String(); k == "" || len(k) > f.maxKey || !utf8.ValidString(k) {
				return fmt.Sprintf("the names in %s have 1 to %d bytes of UTF-8", f.name, f.maxKey)
			}
			if value := v.MapIndex(key); value.Len() > f.maxValue || !utf8.ValidString(value.String()) {
				return fmt.Sprintf("the values in %s have at most %d bytes of UTF-8", f.name, f.maxValue)
			}
		}
	}
	return ""
}

// clone returns a copy that shares nothing with v. It is encoded and decoded like the record in the store, so that this holds for
// every field.
func (v *Settings) clone() (c Settings) {
	text, _ := json.Marshal(v) // strings, numbers, and lists and maps of them
	_ = json.Unmarshal(text, &c)
	return c
}

// checkStatus refuses a status that an owner can't set.
func checkStatus(status Status) error {
	if !slices.Contains([]Status{StatusActive, StatusPaused}, status) {
		return invalid("status", "status takes active or paused")
	}
	return nil
}
