package filter

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// workCost makes the cost of each call follow from its work. CEL's own cost depends on the overload, which is unknown for values from data,
// so that a text of 200 KB counts as one step. And it counts a comparison of two maps as one step, though that visits every member.
type workCost struct{}

const (
	bytesPerStep      = 100 // of text that is compared, searched or copied
	regexBytesPerStep = 10  // of text that a regular expression goes over
	regexPartsPerStep = 4   // parts of a regular expression for each time that it goes over the text
)

// CallCost implements interpreter.ActualCostEstimator.
func (workCost) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	steps := 1 + textSize(result)/bytesPerStep
	for _, arg := range args {
		steps += textSize(arg) / bytesPerStep
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

// textSize returns the length of a text in bytes, 0 for other values.
func textSize(v ref.Val) uint64 {
	switch v := v.(type) {
	case types.String:
		return uint64(len(v))
	case types.Bytes:
		return uint64(len(v))
	}
	return 0
}

// visit subtracts the steps of visiting v and all values within it from left, and stops at zero.
func visit(v ref.Val, left uint64) uint64 {
	if left == 0 {
		return 0
	}
	left -= min(left, 1+textSize(v)/bytesPerStep)
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
