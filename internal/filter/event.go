package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
)

// Event is what expressions are evaluated on. Its data are decoded at the first use, once for all filters; so it is for
// one goroutine.
type Event struct {
	Type      string
	ID        string
	Timestamp time.Time
	Data      []byte // one JSON object

	variables map[string]any
	err       error
	steps     int
}

// Steps is what has been spent on this event: on decoding it, and on each [Filter.Match].
func (e *Event) Steps() int { return e.steps }

var errData = errors.New("data is not a JSON object")

func (e *Event) decode() error {
	if e.variables != nil || e.err != nil {
		return e.err
	}
	e.steps += evaluation + len(e.Data)/bytesPerStep
	d := json.NewDecoder(bytes.NewReader(e.Data))
	d.UseNumber()
	var data map[string]any
	if err := d.Decode(&data); err != nil || data == nil {
		e.err = errData
		return e.err
	}
	e.variables = map[string]any{"event": e.Type, "id": e.ID, "timestamp": e.Timestamp.UTC(), "data": numbers(data)}
	return nil
}

// numbers makes JSON's numbers those of CEL: int where it is whole and fits into 64 bits, double otherwise.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			v[name] = numbers(member)
		}
	case []any:
		for i, item := range v {
			v[i] = numbers(item)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		// Out of a double's range it is infinite, which compares as a number that large does.
		f, _ := v.Float64()
		return f
	}
	return v
}
