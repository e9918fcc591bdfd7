package group

import (
	"cmp"
	"time"

	"github.com/tidwall/btree"
)

// timer is something that falls due. There is one for each armed deadline of a version of the shard; a session's may
// be earlier than the session's deadline, and is then armed again when it falls due.
type timer struct {
	at     int64 // milliseconds
	group  string
	kind   timerKind
	member string
}

type timerKind uint8

const (
	joinTimer timerKind = iota
	syncTimer
	sessionTimer
)

type timers = btree.BTreeG[timer]

func newTimers() *timers {
	return btree.NewBTreeGOptions(func(a, b timer) bool {
		return cmp.Or(
			cmp.Compare(a.at, b.at),
			cmp.Compare(a.group, b.group),
			cmp.Compare(a.kind, b.kind),
			cmp.Compare(a.member, b.member),
		) < 0
	}, btree.Options{NoLocks: true})
}

// Timer decides what is due, and names the next time that something is.
func Timer(s *Shard, now time.Time) (Decision, time.Time) {
	ms := now.UnixMilli()
	if at := s.nextDue(); at == 0 || at > ms {
		return Decision{State: s}, dueTime(at)
	}
	e := newEdit(s, ms)
	for range maxTimersAtOnce {
		t, ok := e.shard.timers.Min()
		if !ok || t.at > ms || e.full() {
			break
		}
		e.timers().Delete(t)
		e.fire(t)
	}
	if x := e.shard.expiry; x.at != 0 && x.at <= ms && len(e.change) == 0 {
		e.expire()
	}
	return e.decision(), dueTime(e.shard.nextDue())
}

func (s *Shard) nextDue() int64 {
	at := s.expiry.at
	if t, ok := s.timers.Min(); ok && (at == 0 || t.at < at) {
		at = t.at
	}
	return at
}

func dueTime(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.UnixMilli(at)
}

// fire acts on a timer that is no longer in the tree.
func (e *edit) fire(t timer) {
	g, ok := e.shard.groups.Get(t.group)
	if !ok {
		return
	}
	switch t.kind {
	case joinTimer:
		if g.joinAt == t.at {
			e.joinDue(e.own(g))
		}
	case syncTimer:
		if g.syncAt == t.at {
			e.syncDue(e.own(g))
		}
	case sessionTimer:
		if m, ok := g.member(t.member); ok && m.timerAt == t.at {
			e.sessionDue(g, m)
		} else if at, ok := get(g.pending, t.member); ok && at == t.at {
			e.pendingDue(e.own(g), t.member)
		}
	}
}

func (e *edit) setJoinTimer(g *Group, delayMs int64) {
	e.move(timer{g.joinAt, g.ID, joinTimer, ""}, e.now+delayMs)
	g.joinAt = e.now + delayMs
}

func (e *edit) cancelJoinTimer(g *Group) {
	e.move(timer{g.joinAt, g.ID, joinTimer, ""}, 0)
	g.joinAt = 0
}

func (e *edit) setSyncTimer(g *Group, delayMs int64) {
	e.move(timer{g.syncAt, g.ID, syncTimer, ""}, e.now+delayMs)
	g.syncAt = e.now + delayMs
}

func (e *edit) cancelSyncTimer(g *Group) {
	e.move(timer{g.syncAt, g.ID, syncTimer, ""}, 0)
	g.syncAt = 0
}

// expect gives a pending member until then to come back.
func (e *edit) expect(g *Group, member string, timeoutMs int64) {
	old, _ := get(g.pending, member)
	e.move(timer{old, g.ID, sessionTimer, member}, e.now+timeoutMs)
	set(&g.pending, member, e.now+timeoutMs)
}

func (e *edit) cancelPending(g *Group, member string) {
	if at, ok := get(g.pending, member); ok {
		e.move(timer{at, g.ID, sessionTimer, member}, 0)
	}
}

// extend lets the member's session run from now on, for the session timeout if no other time is given, and gives the
// member as it is then. The group is owned.
func (e *edit) extend(g *Group, m *Member, timeoutMs int64) *Member {
	deadline := e.now + timeoutMs
	m.session.deadline = deadline
	if m.timerAt != 0 && m.timerAt <= deadline {
		return m
	}
	e.move(timer{m.timerAt, g.ID, sessionTimer, m.ID}, deadline)
	return g.update(m, func(m *Member) { m.timerAt = deadline })
}

// heard extends a session without a copy of the group where that is possible: all but always.
func (e *edit) heard(g *Group, m *Member) {
	deadline := e.now + int64(m.SessionTimeoutMs)
	if m.timerAt != 0 && m.timerAt <= deadline {
		m.session.deadline = deadline
		return
	}
	e.extend(e.own(g), m, int64(m.SessionTimeoutMs))
}

func (e *edit) cancelSession(m *Member) {
	e.move(timer{m.timerAt, m.group, sessionTimer, m.ID}, 0)
}

func (e *edit) cancelAll(g *Group) {
	e.move(timer{g.joinAt, g.ID, joinTimer, ""}, 0)
	e.move(timer{g.syncAt, g.ID, syncTimer, ""}, 0)
	for _, m := range g.memberList() {
		e.cancelSession(m)
	}
	if g.pending != nil {
		for _, id := range g.pending.Keys() {
			e.cancelPending(g, id)
		}
	}
}

// move sets a timer to another time. Zero is no timer, on both sides.
func (e *edit) move(t timer, at int64) {
	if t.at != 0 {
		e.timers().Delete(t)
	}
	if at != 0 {
		t.at = at
		e.timers().Set(t)
	}
}

// sessionDue looks at a session whose timer fell due: it may have been extended since.
func (e *edit) sessionDue(g *Group, m *Member) {
	if m.session.deadline > e.now {
		e.move(timer{0, g.ID, sessionTimer, m.ID}, m.session.deadline)
		e.own(g).update(m, func(c *Member) { c.timerAt = m.session.deadline })
		return
	}
	g = e.own(g)
	m = g.update(m, func(m *Member) { m.timerAt = 0 })
	if !m.satisfied() {
		e.expel(g, m)
	}
}

// expel removes a member that was not heard of.
func (e *edit) expel(g *Group, m *Member) {
	e.dismiss(g, m)
	switch {
	case g.State == Stable || g.State == CompletingRebalance:
		e.rebalance(g)
	case g.State == PreparingRebalance && g.allJoined():
		e.completeJoin(g)
	}
}

// pendingDue gives up on a member that did not come back with its id.
func (e *edit) pendingDue(g *Group, member string) {
	g.remove(member)
	if g.State == PreparingRebalance && g.allJoined() {
		e.completeJoin(g)
	}
}

// loaded starts the sessions of members that were in the log, which may have been there for long.
func (e *edit) loaded() {
	e.shard.expiry.at = e.now + e.shard.config.RetentionCheckMs
	var withMembers []*Group
	for g := range e.shard.Groups() {
		if g.Size() > 0 {
			withMembers = append(withMembers, g)
		}
	}
	for _, g := range withMembers {
		g = e.own(g)
		for _, m := range g.memberList() {
			e.extend(g, m, int64(m.SessionTimeoutMs))
		}
		if g.Size() > e.shard.config.MaxSize {
			e.prepareRebalance(g)
		}
	}
}
