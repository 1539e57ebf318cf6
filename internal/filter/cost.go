package filter

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// workCost makes each call cost the work that it does. CEL's own count goes by the overload, which is not known where a
// value comes out of data (a text of 200 KB then counts as one step), and takes a comparison of two maps for one step,
// though it visits every member.
type workCost struct{}

const (
	bytesPerStep      = 100 // of text that is compared, searched or copied
	regexBytesPerStep = 10  // of text that a regular expression goes over
	regexPartsPerStep = 4   // parts of a regular expression for each time that it goes over the text
)

// CallCost implements interpreter.ActualCostEstimator.
func (workCost) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	steps := 1 + textOf(result)/bytesPerStep
	for _, arg := range args {
		steps += textOf(arg) / bytesPerStep
	}
	switch function {
	case matches:
		if len(args) == 2 {
			text, _ := args[0].(types.String)
			pattern, _ := args[1].(types.String)
			steps += matchCost(text, pattern)
		}
	case "_==_", "_!=_", "@in":
		left := uint64(MaxCost)
		for _, arg := range args {
			left = visit(arg, left)
		}
		steps += MaxCost - left
	}
	return &steps
}

func textOf(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v))
	case types.Bytes:
		return uint64(len(v))
	}
	return 0
}

// visit takes one from left for each value within v, and stops when nothing is left.
func visit(v ref.Val, left uint64) uint64 {
	if left == 0 {
		return 0
	}
	left -= min(left, 1+textOf(v)/bytesPerStep)
	switch v := v.(type) {
	case traits.Mapper:
		for it := v.Iterator(); left > 0 && it.HasNext() == types.True; {
			left = visit(v.Get(it.Next()), left)
		}
	case traits.Lister:
		for it := v.Iterator(); left > 0 && it.HasNext() == types.True; {
			left = visit(it.Next(), left)
		}
	}
	return left
}
