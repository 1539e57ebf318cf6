package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// figures are the results of a benchmark, in the order in which people read them.
type figures struct {
	names  []string
	values map[string]any
}

func (f *figures) add(name string, value any) {
	if f.values == nil {
		f.values = map[string]any{}
	}
	if _, exists := f.values[name]; !exists {
		f.names = append(f.names, name)
	}
	f.values[name] = value
}

// sum adds to a figure that is the sum over all rounds.
func (f *figures) sum(name string, n int) {
	sum, _ := f.values[name].(int)
	f.add(name, sum+n)
}

// samples are the values of a figure, one a round. The figure is their median.
type samples struct {
	values   []float64
	integers bool // the figure has no decimals
}

// sample adds the value of a round to a figure with three decimals.
func (f *figures) sample(name string, value float64) { f.addSample(name, value, false) }

// sampleInt adds the value of a round to a figure without decimals.
func (f *figures) sampleInt(name string, value float64) { f.addSample(name, value, true) }

func (f *figures) addSample(name string, value float64, integers bool) {
	s, _ := f.values[name].(samples)
	f.add(name, samples{append(s.values, value), integers})
}

// value is a figure as people read it.
func (f *figures) value(name string) any { return f.valueOf(name, median[float64]) }

// valueOf is a figure as people read it, where pick chooses one of the samples.
func (f *figures) valueOf(name string, pick func([]float64) float64) any {
	s, sampled := f.values[name].(samples)
	switch {
	case !sampled:
		return f.values[name]
	case s.integers:
		return int(pick(s.values))
	default:
		return threeDecimals(pick(s.values))
	}
}

// latest lists all figures by the samples of the latest round.
func (f *figures) latest() string {
	list := make([]string, len(f.names))
	for i, name := range f.names {
		list[i] = fmt.Sprint(name, " ", f.valueOf(name, func(values []float64) float64 { return values[len(values)-1] }))
	}
	return strings.Join(list, ", ")
}

// MarshalJSON keeps the order.
func (f *figures) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, name := range f.names {
		if i > 0 {
			b.WriteByte(',')
		}
		v, err := json.Marshal(f.value(name))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", name, v)
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}

// eachRound calls measure for each round and tells people what it measured.
func (o options) eachRound(measure func(f *figures, round int)) *figures {
	f := &figures{}
	for round := range o.rounds {
		measure(f, round)
		progress("round %d of %d: %s", round+1, o.rounds, f.latest())
	}
	return f
}

func median[T cmp.Ordered](values []T) T {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

func threeDecimals(v float64) float64 { return math.Round(v*1000) / 1000 }
