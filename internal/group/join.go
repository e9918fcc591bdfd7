package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// JoinGroup versions whose behaviour differs.
const (
	memberIDRequiredVersion = 4 // KIP-394: a dynamic member gets its id first and joins with it
	skipAssignmentVersion   = 9 // KIP-814: a static leader that comes back need not assign
)

// Join is a JoinGroup. Its answer waits for the end of the join phase. newID is what makes a new member's id its own: a
// random UUID. The request's bytes are copied where they are kept.
func Join(r *kmsg.JoinGroupRequest, caller Caller, newID string, reply Reply) Event {
	return decide(func(e *edit) {
		j := joinRequest{edit: e, r: r, caller: caller, newID: newID, reply: reply}
		j.protocols = make([]Protocol, len(r.Protocols))
		for i, p := range r.Protocols {
			j.protocols[i] = Protocol{Name: p.Name, Metadata: clone(p.Metadata)}
		}
		j.rebalanceTimeoutMs = r.RebalanceTimeoutMillis
		if r.Version == 0 {
			j.rebalanceTimeoutMs = r.SessionTimeoutMillis
		}
		j.decide()
	})
}

// joinRequest is a JoinGroup on its way.
type joinRequest struct {
	*edit
	r                  *kmsg.JoinGroupRequest
	caller             Caller
	newID              string
	reply              Reply
	protocols          []Protocol
	rebalanceTimeoutMs int32
}

func (j joinRequest) refuse(err *kerr.Error, member string) {
	j.answer(j.r, j.reply, joinError(err, member))
}

func (j joinRequest) decide() {
	c := j.shard.config
	if j.r.Group == "" {
		j.refuse(kerr.InvalidGroupID, j.r.MemberID)
		return
	}
	if j.r.SessionTimeoutMillis < c.MinSessionTimeoutMs || j.r.SessionTimeoutMillis > c.MaxSessionTimeoutMs {
		j.refuse(kerr.InvalidSessionTimeout, j.r.MemberID)
		return
	}
	if _, ok := j.shard.kinds.Get(j.r.Group); ok {
		j.refuse(kerr.InconsistentGroupProtocol, "")
		return
	}
	known := j.r.MemberID != ""
	g, ok := j.shard.groups.Get(j.r.Group)
	switch {
	case !ok && known:
		j.refuse(kerr.UnknownMemberID, j.r.MemberID)
		return
	case !ok:
		g = j.create(j.r.Group)
	default:
		g = j.own(g)
	}
	switch {
	case !j.hasRoom(g):
		j.turnAway(g)
	case !g.supports(j.r.ProtocolType, j.protocols):
		j.refuse(kerr.InconsistentGroupProtocol, j.r.MemberID)
	case known:
		j.existingMember(g)
	case j.r.InstanceID != nil:
		j.staticMember(g)
	case j.r.Version >= memberIDRequiredVersion:
		id := j.newMemberID()
		j.expect(g, id, int64(j.r.SessionTimeoutMillis))
		j.refuse(kerr.MemberIDRequired, id)
	default:
		j.add(g, j.newMemberID())
	}
}

func (j joinRequest) newMemberID() string {
	if j.r.InstanceID != nil {
		return *j.r.InstanceID + "-" + j.newID
	}
	return j.caller.ClientID + "-" + j.newID
}

// hasRoom says whether the group may take the member. While it rebalances, those who wait count: that turns away the
// last to rejoin when the limit was lowered.
func (j joinRequest) hasRoom(g *Group) bool {
	m, member := g.member(j.r.MemberID)
	switch g.State {
	case Empty:
		return true
	case PreparingRebalance:
		return member && m.join != nil || g.joining < j.shard.config.MaxSize
	default:
		return member || g.Size() < j.shard.config.MaxSize
	}
}

func (j joinRequest) turnAway(g *Group) {
	if m, ok := g.member(j.r.MemberID); ok {
		j.cancelSession(m)
	}
	j.cancelPending(g, j.r.MemberID)
	g.remove(j.r.MemberID)
	j.refuse(kerr.GroupMaxSizeReached, "")
}

// existingMember is a member that says who it is.
func (j joinRequest) existingMember(g *Group) {
	if g.isPending(j.r.MemberID) {
		if j.r.InstanceID != nil {
			j.refuse(kerr.UnknownServerError, "") // as Kafka: static members are never sent away for an id
			return
		}
		j.cancelPending(g, j.r.MemberID)
		j.add(g, j.r.MemberID)
		return
	}
	if err := g.validate(j.r.MemberID, j.r.InstanceID); err != nil {
		j.refuse(err, j.r.MemberID)
		return
	}
	m, _ := g.member(j.r.MemberID)
	switch g.State {
	case PreparingRebalance:
		j.rejoin(g, m)
	case CompletingRebalance:
		// The same metadata again: the member may have missed the answer.
		if m.matches(j.protocols) {
			j.answer(j.r, j.reply, g.joined(m, g.Leader == m.ID))
			return
		}
		j.rejoin(g, m)
	case Stable:
		// A leader joins again to have a change considered that is not in its metadata: a topic's new partitions.
		if g.Leader != m.ID && m.matches(j.protocols) {
			j.answer(j.r, j.reply, g.joined(m, false))
			return
		}
		j.rejoin(g, m)
	case Empty:
		j.refuse(kerr.UnknownMemberID, j.r.MemberID)
	}
}

// validate checks that the member is one of the group, and the one that its instance id stands for.
func (g *Group) validate(member string, instance *string) *kerr.Error {
	if instance != nil {
		switch now, ok := get(g.static, *instance); {
		case !ok:
			return kerr.UnknownMemberID
		case now != member:
			return kerr.FencedInstanceID
		}
	}
	if _, ok := g.member(member); !ok {
		return kerr.UnknownMemberID
	}
	return nil
}

// staticMember is one that has an instance id and does not know its member id: it is new, or was restarted.
func (j joinRequest) staticMember(g *Group) {
	old, ok := get(g.static, *j.r.InstanceID)
	if !ok {
		j.add(g, j.newMemberID())
		return
	}
	m, _ := g.member(old)
	j.replaceStatic(g, m)
}

// add takes in a new member and begins a rebalance.
func (j joinRequest) add(g *Group, id string) {
	if g.State == PreparingRebalance && g.initial {
		g.newcomer = true
	}
	if g.Size() == 0 {
		g.ProtocolType = j.r.ProtocolType
	}
	remove(g.pending, id)
	m := &Member{
		group: g.ID, ID: id, InstanceID: j.r.InstanceID, ClientID: j.caller.ClientID, ClientHost: j.caller.ClientHost,
		RebalanceTimeoutMs: j.rebalanceTimeoutMs, SessionTimeoutMs: j.r.SessionTimeoutMillis, Protocols: j.protocols,
		isNew: true, join: j.reply, session: new(session),
	}
	if g.Leader == "" {
		g.Leader = id
	}
	g.put(m)
	j.extend(g, m, newMemberJoinTimeoutMs)
	j.park(j.r, j.reply)
	j.rebalance(g)
}

// rejoin takes what the member offers now, parks it and begins a rebalance, unless one runs.
func (j joinRequest) rejoin(g *Group, m *Member) {
	j.offer(g, m)
	j.park(j.r, j.reply)
	j.rebalance(g)
}

// offer updates the member by the request, which is its parked JoinGroup from now on. An earlier one that is still
// parked belongs to a connection that the client gave up.
func (j joinRequest) offer(g *Group, m *Member) *Member {
	j.sendJoin(g, m, joinError(kerr.RebalanceInProgress, m.ID))
	return g.update(m, func(m *Member) {
		m.Protocols = j.protocols
		m.RebalanceTimeoutMs, m.SessionTimeoutMs = j.rebalanceTimeoutMs, j.r.SessionTimeoutMillis
		m.join = j.reply
	})
}

// replaceStatic gives a static member that was restarted a new member id. Whoever uses the old one is fenced.
func (j joinRequest) replaceStatic(g *Group, old *Member) {
	id := j.newMemberID()
	leader := g.Leader
	j.sendJoin(g, old, joinError(kerr.FencedInstanceID, old.ID))
	old, _ = g.member(old.ID)
	j.sendSync(g, old, &kmsg.SyncGroupResponse{ErrorCode: kerr.FencedInstanceID.Code})
	j.cancelSession(old)

	m := *old
	m.ID, m.join, m.sync = id, nil, nil
	m.isNew, m.session, m.timerAt = false, new(session), 0
	g.remove(old.ID)
	if leader == old.ID {
		g.Leader = id
	}
	m.Protocols = j.protocols
	m.RebalanceTimeoutMs, m.SessionTimeoutMs = j.rebalanceTimeoutMs, j.r.SessionTimeoutMillis
	g.put(&m)
	member := j.extend(g, &m, int64(old.SessionTimeoutMs))

	if g.State == Stable && g.electProtocol() == g.Protocol {
		j.restored(g, member, leader)
		return
	}
	g.update(member, func(m *Member) { m.join = j.reply })
	j.park(j.r, j.reply)
	if g.State == PreparingRebalance {
		j.maybeCompleteJoin(g)
		return
	}
	// The old id may be with the leader already; and a changed protocol concerns all.
	j.prepareRebalance(g)
}

// restored lets a static member go on where it was, without a rebalance.
func (j joinRequest) restored(g *Group, m *Member, leader string) {
	j.write(GroupRecord{Group: g.ID, Value: g.value(g.assignments())})
	if j.tooLarge() {
		j.undo(j.r, j.reply, kerr.MessageTooLarge)
		return
	}
	leads := g.Leader == m.ID
	if j.r.Version >= skipAssignmentVersion {
		response := g.joined(m, leads)
		response.SkipAssignment = leads
		j.answer(j.r, j.reply, response)
		return
	}
	// An old client that were told that it leads would assign anew, to members of whom only some ask. It hears of the
	// leader that it was.
	response := g.joined(m, false)
	response.LeaderID = leader
	j.answer(j.r, j.reply, response)
}

func (g *Group) assignments() map[string][]byte {
	assignments := make(map[string][]byte, g.Size())
	for _, m := range g.memberList() {
		assignments[m.ID] = m.Assignment
	}
	return assignments
}
