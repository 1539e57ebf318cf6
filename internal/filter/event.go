package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
)

// Event is an event on which expressions are evaluated. Its data is decoded once for all filters, at the first use, so it must not be used
// concurrently.
type Event struct {
	Type      string
	ID        string
	Timestamp time.Time
	Data      []byte // one JSON object

	variables map[string]any
	err       error
	steps     int
}

// Steps returns the cost so far of decoding the event and of each [Filter.Match], in the steps of [MaxCost].
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

// numbers converts JSON numbers to those of CEL: whole numbers of 64 bits to int, others to double.
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
		// A number out of the range of a double becomes infinite, which compares like such a number.
		f, _ := v.Float64()
		return f
	}
	return v
}
