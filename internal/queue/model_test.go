package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// delivery is one job of one lane, as the model knows it.
type delivery struct {
	lane, job string
}

// fate is what the model expects of a delivery.
type fate struct {
	state              string // coming (its event is not in this lane yet), waiting, leased, dead, dropped (failed and not kept), gone, done
	attempts, expiries int

	turn           int  // when it came to its lane
	claimed        bool // it was once
	resent, before bool // it has no turn to keep any more: it was sent again, or came before its lane was ordered
}

// model makes random steps and knows what has to come of them.
type model struct {
	*bundle
	*rand.Rand
	limits Limits
	now    time.Time // stands still between steps; zero where the store's clock can't be set
	lease  time.Duration

	lanes    map[string]string // to status
	fates    map[delivery]*fate
	events   map[string][]string // job → lanes
	first    map[string]string   // ID → job
	jobs     []string            // in order
	payloads map[string]string   // by job
	turns    int
	order    map[string]bool // lanes that are ordered
	mixed    map[string]bool // lanes that once were
	held     []*Job
	pushed   []*Event
	log      []string
}

// written is the state that the store has to have written down.
func (f *fate) written() State {
	switch {
	case f.state == "done":
		return StateSucceeded
	case f.state == "gone":
		return StateCancelled
	case f.state == "dead", f.state == "dropped":
		return StateFailed
	case f.attempts > 0:
		return StateRetrying
	}
	return StatePending
}

func (m *model) note(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf(format, args...))
	if len(m.log) > 25 {
		m.log = m.log[1:]
	}
}

func (m *model) anyLane() string { return fmt.Sprint("lane", m.IntN(6)) }

func (m *model) anyJob() string {
	if len(m.jobs) == 0 {
		return "none"
	}
	return m.jobs[m.IntN(len(m.jobs))]
}

// count is how many deliveries of a lane are in a state.
func (m *model) count(lane, state string) (n int) {
	for d, f := range m.fates {
		if d.lane == lane && f.state == state {
			n++
		}
	}
	return n
}

// bury expects a delivery to be dead, and the oldest of the dead to go where there are too many. Which those are is up
// to the store: see dropped.
func (m *model) bury(d delivery) { m.fates[d].state, m.fates[d].expiries = "dead", 0 }

func (m *model) step() {
	switch n := m.IntN(100); {
	case n < 25:
		m.push()
	case n < 28:
		m.beginPush()
	case n < 30:
		m.finishPush()
	case n < 55:
		m.claimSome()
	case n < 80:
		m.settleSome()
	case n < 86:
		m.resendSome()
	case n < 89:
		m.crash()
	case n < 95:
		m.changeStatus()
	case n < 96:
		m.remove()
	case n < 98:
		m.changeOrder()
	default:
		m.pass(time.Duration(m.IntN(40)) * time.Second)
	}
}

// event makes the next one. Some have a payload that goes beside the scripts.
func (m *model) event() *Event {
	e := event(len(m.pushed))
	if m.IntN(3) == 0 {
		e.Payload = strings.Repeat(e.Payload, besideFrom)
	}
	m.payloads[e.Job] = e.Payload
	return e
}

func (m *model) push() {
	var events []*Event
	for range 1 + m.IntN(4) {
		if len(m.pushed) > 0 && m.IntN(8) == 0 {
			again := *m.pushed[m.IntN(len(m.pushed))]
			if m.IntN(2) == 0 {
				again.Job = event(0).Job // the publisher tries again, not the client
			}
			events = append(events, &again)
			continue
		}
		e := m.event()
		if m.IntN(2) == 0 {
			e.Lane = m.anyLane()
		}
		m.pushed = append(m.pushed, e)
		events = append(events, e)
	}
	for i, p := range m.bundle.push(events...) {
		e := events[i]
		m.note("push %s → %v", e.Job, p)
		if first, known := m.first[e.ID]; known {
			want := PushSame
			if e.Job == first {
				want = PushNew
			}
			require.Equal(m, want, p.Outcome, "%s %s", e.ID, m.history())
			require.Equal(m, first, p.Job)
			require.Equal(m, m.events[first], p.Lanes)
			m.whole(first)
			continue
		}
		m.pushedNew(e, p)
		m.whole(e.Job)
	}
}

// beginPush publishes an event of which one part is done: then its publisher dies.
func (m *model) beginPush() {
	e := m.event()
	m.pushed = append(m.pushed, e)
	p := &pushed{event: e}
	more := p.readAnswer(newReply(m.bundle.call(p)))
	require.NoError(m, p.err)
	m.note("begun %s: %v, more %v", e.Job, p.answer, more)
	m.pushedNew(e, p.answer)
	if more {
		done, _, _ := strings.Cut(m.redis().HGet(m.Context(), m.key("event:"+e.Job), "p").Val(), ":")
		n, err := strconv.Atoi(done)
		require.NoError(m, err)
		m.reach(e.Job, n)
	} else {
		m.whole(e.Job)
	}
}

// finishPush goes on with an event that was begun, as whoever comes after a crash does. It returns false where there is none.
func (m *model) finishPush() bool {
	for _, task := range m.redis().SMembers(m.Context(), m.key("chores")).Val() {
		job, _ := strings.CutPrefix(task, "fanout:")
		whole, _, err := m.FinishPush(m.Context(), 0, job, 0)
		require.NoError(m, err)
		require.True(m, whole)
		m.note("finished %s", job)
		m.whole(job)
		return true
	}
	return false
}

func (m *model) whole(job string) { m.reach(job, len(m.events[job])) }

// reach expects an event to have come to so many of its lanes.
func (m *model) reach(job string, n int) {
	for _, lane := range m.events[job][:n] {
		d := delivery{lane, job}
		if m.fates[d].state != "coming" {
			continue
		}
		waiting := m.count(lane, "waiting")
		m.fates[d].state = "waiting"
		m.turns++
		m.fates[d].turn = m.turns
		switch {
		case m.lanes[lane] == "deleted":
			m.fates[d].state = "gone"
		case m.lanes[lane] == "disabled", waiting >= m.limits.Pending:
			m.bury(d)
		}
	}
}

// pushedNew expects an event to go to the lanes that there are.
func (m *model) pushedNew(e *Event, p Pushed) {
	require.Equal(m, PushNew, p.Outcome)
	m.first[e.ID] = e.Job
	want := []string{}
	for lane, status := range m.lanes {
		if status != "deleted" && e.Lane == "" || e.Lane == lane {
			want = append(want, lane)
		}
	}
	slices.Sort(want)
	require.Equal(m, want, p.Lanes)
	m.events[e.Job] = p.Lanes
	m.jobs = append(m.jobs, e.Job)
	for _, lane := range p.Lanes {
		m.fates[delivery{lane, e.Job}] = &fate{state: "coming"}
	}
}

func (m *model) claimSome() {
	c := m.claimQuantum(m.lease, 1+m.IntN(12), 1+m.IntN(6))
	m.expired(c)
	for _, j := range c.jobs {
		d := delivery{j.Lane, j.ID}
		m.note("claimed %v", d)
		f := m.fates[d]
		require.Equal(m, "waiting", f.state, "%v", d)
		require.Contains(m, []string{"active", "failed"}, m.lanes[j.Lane])
		require.Equal(m, f.attempts, j.Attempts, "attempts of %v", d)
		require.Equal(m, f.expiries, j.Expiries, "expiries of %v", d)
		require.True(m, m.payloads[j.ID] == j.Payload, "payload of %v, byte for byte", d)
		m.inTurn(d)
		f.state = "leased"
		m.held = append(m.held, j)
	}
}

// expired takes over which deliveries waited too long: the model does not look at the clock.
func (m *model) expired(c claimed) {
	for _, e := range c.expired {
		dead := m.redis().ZRange(m.Context(), m.key("dead:"+e.Lane), 0, -1).Val()
		n := 0
		for _, job := range dead {
			if d := (delivery{e.Lane, job}); m.fates[d].state == "waiting" {
				require.Equal(m, "expired", m.standing(e.Lane, job).Reason)
				m.note("expired %v", d)
				m.bury(d)
				n++
			}
		}
		if n == e.Count {
			continue
		}
		require.Len(m, dead, m.limits.Pending, "where some were dropped at once, the dead are many")
		waiting := m.redis().ZRange(m.Context(), m.key("lane:"+e.Lane), 0, -1).Val()
		for d, f := range m.fates {
			if d.lane == e.Lane && f.state == "waiting" && !slices.Contains(waiting, d.job) {
				f.state = "dropped"
				n++
			}
		}
		require.Equal(m, e.Count, n)
	}
}

func (m *model) settleSome() {
	m.Shuffle(len(m.held), func(i, j int) { m.held[i], m.held[j] = m.held[j], m.held[i] })
	n := min(len(m.held), 1+m.IntN(6))
	jobs := m.held[:n]
	m.held = m.held[n:]
	for _, j := range jobs {
		d := delivery{j.Lane, j.ID}
		f := m.fates[d]
		o := Outcome{Kind: []Kind{Succeeded, Succeeded, Succeeded, Retry, Retry, Failed, Back}[m.IntN(7)], Reason: "exhausted", Delay: time.Duration(m.IntN(3)) * 10 * time.Second}
		if m.IntN(60) == 0 {
			o.Kind = Gone
		}
		if m.now.IsZero() {
			o.Delay = 0
		}
		if m.IntN(2) == 0 {
			o.Detail = "{}"
		}
		_, lost := m.settle(o, j)
		m.note("settled %v %s, lost %d", d, o.Kind, lost)
		if f.state != "leased" || f.expiries != j.Expiries || f.attempts != j.Attempts {
			require.Equal(m, 1, lost, "the lease was lost")
			continue
		}
		require.Zero(m, lost)
		switch {
		case o.Kind == Succeeded:
			f.state = "done"
		case m.lanes[j.Lane] == "deleted":
			f.state = "gone"
		case o.Kind == Back:
			f.state = "waiting"
		case o.Kind == Retry:
			f.state, f.attempts, f.expiries = "waiting", f.attempts+1, 0
		default:
			f.attempts++
			m.bury(d)
		}
		if m.lanes[j.Lane] != "deleted" {
			m.lanes[j.Lane] = m.conf(j.Lane, "st") // failed, disabled, active again: see notice_test.go
		}
	}
}

func (m *model) resendSome() {
	d := delivery{m.anyLane(), m.anyJob()}
	waiting := m.count(d.lane, "waiting")
	r, err := m.Resend(m.Context(), 0, d.lane, d.job)
	require.NoError(m, err)
	m.note("resent %v: %v", d, r)
	f := m.fates[d]
	switch {
	case f == nil || m.lanes[d.lane] == "deleted":
		require.Equal(m, ResentUnknown, r[0])
	case m.lanes[d.lane] == "disabled":
		require.Equal(m, ResentDisabled, r[0])
	case r[0] == ResentUnavailable:
		require.Contains(m, []string{"done", "dead", "dropped"}, f.state)
		require.False(m, m.now.IsZero(), "it takes time for a payload to expire")
	case f.state == "leased", f.state == "coming":
		require.Equal(m, ResentUnderWay, r[0])
	case f.state == "waiting":
		require.Equal(m, ResentQueued, r[0])
		*f = fate{state: "waiting", turn: f.turn, claimed: f.claimed, resent: f.resent || f.attempts > 0, before: f.before}
	case waiting >= m.limits.Pending:
		require.Equal(m, ResentBacklog, r[0])
	default:
		require.Equal(m, ResentQueued, r[0])
		*f = fate{state: "waiting", turn: f.turn, claimed: f.claimed, resent: true, before: f.before}
	}
}

// crash has the leases of some jobs run out.
func (m *model) crash() {
	c := m.claimQuantum(0, 1+m.IntN(5), 3)
	m.expired(c)
	for _, j := range c.jobs {
		f := m.fates[delivery{j.Lane, j.ID}]
		require.Equal(m, "waiting", f.state)
		m.inTurn(delivery{j.Lane, j.ID})
		f.state = "leased"
		m.held = append(m.held, j) // and wants to settle it later, in vain
	}
	m.pass(2 * time.Millisecond)
}

// reaped expects the leases that ran out to be back.
func (m *model) reaped() {
	leased := map[delivery]bool{}
	for _, member := range m.redis().ZRange(m.Context(), m.key("leases"), 0, -1).Val() {
		parts := strings.Split(member, ":")
		leased[delivery{parts[0], parts[1]}] = true
	}
	for d, f := range m.fates {
		if f.state != "leased" || leased[d] {
			continue
		}
		m.note("reaped %v", d)
		f.state, f.expiries = "waiting", f.expiries+1
		if m.lanes[d.lane] == "deleted" {
			f.state = "gone"
		}
	}
}

// dropped learns which of the dead went because they were too many.
func (m *model) dropped() {
	for lane := range m.lanes {
		over := m.count(lane, "dead") - m.limits.Pending
		if over <= 0 {
			continue
		}
		dead := m.redis().ZRange(m.Context(), m.key("dead:"+lane), 0, -1).Val()
		for d, f := range m.fates {
			if d.lane == lane && f.state == "dead" && !slices.Contains(dead, d.job) {
				f.state = "dropped"
				over--
			}
		}
		require.Zero(m, over)
	}
}

func (m *model) changeStatus() {
	lane := m.anyLane()
	if m.lanes[lane] == "deleted" {
		return
	}
	status := []string{"active", "active", "paused"}[m.IntN(3)]
	m.note("%s is %s", lane, status)
	m.setStatus(lane, status)
	m.lanes[lane] = status
}

func (m *model) remove() {
	lane := m.anyLane()
	if m.lanes[lane] == "deleted" {
		return
	}
	m.note("%s is deleted", lane)
	m.deleteLane(lane)
	m.lanes[lane] = "deleted"
	for d, f := range m.fates {
		if d.lane == lane && f.state == "waiting" {
			f.state = "gone"
		}
	}
}

// pass lets time go by and looks after what that brings.
func (m *model) pass(d time.Duration) {
	if !m.now.IsZero() {
		m.now = m.now.Add(d)
		m.store.SetTime(m.now)
	}
	for range 4 {
		c := m.bundle.claim(0)
		m.reaped()
		m.expired(c)
	}
}

func (m *model) history() string { return "after\n" + strings.Join(m.log, "\n") }
