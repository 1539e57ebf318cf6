package caddymodule

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// queueShape is all that the receivers of one queue have to agree on: what they verify by and how they deliver. A queue belongs to
// its name, so one that differed would swap events with the other. It is taken before modules are loaded from the raw
// fields.
func (r *Receiver) queueShape() (string, error) {
	if r.Queue == nil {
		return "", nil
	}
	text, err := json.Marshal(struct {
		Scheme json.RawMessage
		Queue  *Queue
	}{r.SchemeRaw, r.Queue})
	if err != nil {
		return "", err
	}
	var shape any
	if err := json.Unmarshal(text, &shape); err != nil {
		return "", err
	}
	renumberGroups(shape, map[string]string{})
	text, err = json.Marshal(shape)
	return string(text), err
}

// renumberGroups gives the groups of routes the names that they would have if nothing stood before them: a Caddyfile numbers them
// through all its sites, so one snippet in two sites has two sets of them.
func renumberGroups(v any, names map[string]string) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			renumberGroups(item, names)
		}
	case map[string]any:
		if group, ok := v["group"].(string); ok {
			if names[group] == "" {
				names[group] = fmt.Sprint("group", len(names))
			}
			v["group"] = names[group]
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			renumberGroups(v[key], names)
		}
	}
}

// differentQueues is the error about two queues of one name.
func differentQueues(name, other string) error {
	return fmt.Errorf("queue: the name %q is also that of %s, with another scheme, other options of the queue or other deliver "+
		"directives: what one takes the other would deliver; give each a name of its own, or make them alike", name, other)
}
