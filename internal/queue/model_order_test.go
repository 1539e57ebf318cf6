package queue

import "github.com/stretchr/testify/require"

// inTurn expects a delivery that is claimed to be the one whose turn it is, where its lane is ordered: nothing else is under way there, and
// whatever came to the lane before it has ended.
func (m *model) inTurn(d delivery) {
	is := m.fates[d]
	if m.order[d.lane] {
		for other, f := range m.fates {
			if other == d || other.lane != d.lane {
				continue
			}
			require.NotEqual(m, "leased", f.state, "%v is claimed beside %v; %s", d, other, m.history())
			if is.resent || is.before || f.resent || f.turn >= is.turn && !f.before {
				continue
			}
			require.NotEqual(m, "waiting", f.state, "%v is claimed before %v; %s", d, other, m.history())
		}
	}
	is.claimed = true
}

// changeOrder has a lane be ordered from now on, or no longer.
func (m *model) changeOrder() {
	lane := m.anyLane()
	if m.lanes[lane] == "deleted" {
		return
	}
	m.setOrder(lane, !m.order[lane])
}

func (m *model) setOrder(lane string, ordered bool) {
	m.note("%s is ordered: %v", lane, ordered)
	m.setOrdered(lane, ordered)
	m.order[lane], m.mixed[lane] = ordered, true
	for d, f := range m.fates {
		if d.lane == lane && f.turn > 0 {
			f.before = true
		}
	}
}
