package queue

import "strings"

// A lane may have a filter, which decides of each event whether it goes there. What filters say is for the caller to find out;
// the store knows which lanes have one, and of which version. So an event comes with verdicts, and where they are not those
// of the filters there are now, [PushAsked] is the answer, with what to find out. Either the filter of before decides or the one
// of now, and never none.

// Verdicts of an event: [Asked.Signature] and then a letter for each of [Asked.Filters].
const (
	VerdictTake = '1' // the event goes to the lane
	VerdictDrop = '0' // it does not
	VerdictFail = 'e' // it does, as the filter failed on it; that is counted

	// VerdictsTaken stands for all verdicts: no filter keeps this event out.
	VerdictsTaken = "*"
)

// Asked are the filters that decide where an event goes.
type Asked struct {
	Signature string   // names these filters in this order; "" where there are none
	Filters   []Filter // in the order of the verdicts
}

// Filter names the filter of a lane.
type Filter struct{ Lane, Version string }

// Member is what stands for a lane in a topic: itself, or with a filter its version too. Those sort before the others.
func Member(lane, filter string) string {
	if filter == "" {
		return lane
	}
	return "#" + filter + ":" + lane
}

// filtersIn reads members.
func filtersIn(text string) []Filter {
	var all []Filter
	for field := range strings.FieldsSeq(text) {
		version, lane, _ := strings.Cut(strings.TrimPrefix(field, "#"), ":")
		all = append(all, Filter{lane, version})
	}
	return all
}
