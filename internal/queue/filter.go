package queue

import "strings"

// A lane may have a filter, which decides for each event whether the lane gets it. The caller evaluates filters; the store only knows which
// lanes have one, and its version. So an event is pushed with the verdicts of the filters. Where these are not the filters that the lanes
// have now, nothing is stored, and [PushAsked] names those to evaluate. So every event is decided on by a filter that its lane had while it
// was pushed.

// Verdicts of an event are [Asked].Signature followed by one of these letters for each of [Asked].Filters.
const (
	VerdictTake = '1' // the lane gets the event
	VerdictDrop = '0' // the lane does not get it
	VerdictFail = 'e' // the filter failed on the event, so the lane gets it, and the failure is counted

	// VerdictsTaken stands for all verdicts: no filter keeps this event from its lane.
	VerdictsTaken = "*"
)

// Asked names the filters that decide which lanes get an event.
type Asked struct {
	Signature string   // of these filters in their order; "" where there are none
	Filters   []Filter // in the order of their verdicts
}

// Filter is a version of the filter of a lane.
type Filter struct{ Lane, Version string }

// Member returns the member of a lane in the set of a topic: the lane itself, or with a filter "#<version>:<lane>". Members with a filter sort
// before the others.
func Member(lane, filter string) string {
	if filter == "" {
		return lane
	}
	return "#" + filter + ":" + lane
}

// filtersIn reads members with filters, separated by spaces.
func filtersIn(text string) []Filter {
	var all []Filter
	for field := range strings.FieldsSeq(text) {
		version, lane, _ := strings.Cut(strings.TrimPrefix(field, "#"), ":")
		all = append(all, Filter{lane, version})
	}
	return all
}
