package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rebalance begins a rebalance, or ends the join phase of one that runs and waits for nobody any more. The group is
// owned, as for every method below.
func (e *edit) rebalance(g *Group) {
	if g.State == PreparingRebalance {
		e.maybeCompleteJoin(g)
		return
	}
	e.prepareRebalance(g)
}

// prepareRebalance asks all members to join again. The first rebalance of a group waits a little for others, so that
// the members of an application that starts do not rebalance one by one.
func (e *edit) prepareRebalance(g *Group) {
	if g.State == CompletingRebalance {
		for _, m := range g.memberList() {
			waited := m.sync != nil
			e.sendSync(g, m, &kmsg.SyncGroupResponse{ErrorCode: kerr.RebalanceInProgress.Code})
			m, _ = g.member(m.ID)
			m = g.update(m, func(m *Member) { m.Assignment = nil })
			if waited { // Its session may have run out while it could not be heard of.
				e.extend(g, m, int64(m.SessionTimeoutMs))
			}
		}
	}
	g.unsynced = nil
	e.cancelSyncTimer(g)
	g.initial = g.State == Empty
	g.newcomer = false
	g.enter(PreparingRebalance, e.now)
	if g.initial {
		delay := e.shard.config.InitialRebalanceDelayMs
		g.joinDelayMs = delay
		g.joinRemainingMs = max(g.rebalanceTimeoutMs()-delay, 0)
		e.setJoinTimer(g, delay)
		return
	}
	if g.allJoined() {
		e.completeJoin(g)
		return
	}
	e.setJoinTimer(g, g.rebalanceTimeoutMs())
}

// maybeCompleteJoin ends the join phase when all are there, save that an initial one waits for its delay.
func (e *edit) maybeCompleteJoin(g *Group) {
	if g.State == PreparingRebalance && !g.initial && g.allJoined() {
		e.completeJoin(g)
	}
}

// joinDue ends the join phase, or extends the initial delay for those who may still come after a newcomer.
func (e *edit) joinDue(g *Group) {
	g.joinAt = 0
	if g.State != PreparingRebalance {
		return
	}
	if !g.initial || !g.newcomer || g.joinRemainingMs == 0 {
		e.completeJoin(g)
		return
	}
	g.newcomer = false
	delay := min(e.shard.config.InitialRebalanceDelayMs, g.joinRemainingMs)
	g.joinRemainingMs = max(g.joinRemainingMs-g.joinDelayMs, 0)
	g.joinDelayMs = delay
	e.setJoinTimer(g, delay)
}

// completeJoin begins the next generation with those who joined. Static members may be late: they stay.
func (e *edit) completeJoin(g *Group) {
	e.cancelJoinTimer(g)
	for _, m := range g.memberList() {
		if m.join == nil && m.InstanceID == nil {
			e.cancelSession(m)
			g.remove(m.ID)
		}
	}
	if !g.electLeader() && g.Size() > 0 {
		// Only static members are left, and none came. Their sessions end in time.
		e.setJoinTimer(g, g.rebalanceTimeoutMs())
		return
	}
	g.initial = false
	g.Generation++
	g.unsynced = nil
	if g.Size() == 0 {
		g.Protocol = ""
		g.refreshTopics()
		g.enter(Empty, e.now)
		e.write(GroupRecord{Group: g.ID, Value: g.value(nil)})
		return
	}
	g.Protocol = g.electProtocol()
	g.refreshTopics()
	g.enter(CompletingRebalance, e.now)
	for _, m := range g.memberList() {
		response := g.joined(m, g.Leader == m.ID)
		e.sendJoin(g, m, response)
		m, _ = g.member(m.ID)
		m = g.update(m, func(m *Member) { m.isNew = false })
		e.extend(g, m, int64(m.SessionTimeoutMs))
		set(&g.unsynced, m.ID, struct{}{})
	}
	e.setSyncTimer(g, g.rebalanceTimeoutMs())
}

// electLeader keeps the leader if it joined, else takes another who did. It is false if there is nobody to lead.
func (g *Group) electLeader() bool {
	if g.Leader == "" {
		return false
	}
	if m, ok := g.member(g.Leader); ok && m.join != nil {
		return true
	}
	for _, m := range g.memberList() {
		if m.join != nil {
			g.Leader = m.ID
			return true
		}
	}
	return false
}

// syncDue removes those who did not fetch their assignment in time.
func (e *edit) syncDue(g *Group) {
	g.syncAt = 0
	if g.State != CompletingRebalance && g.State != Stable || length(g.unsynced) == 0 {
		return
	}
	for _, id := range g.unsynced.Keys() {
		if m, ok := g.member(id); ok {
			e.cancelSession(m)
		}
		g.remove(id)
	}
	e.prepareRebalance(g)
}

// synced notes that the member fetches its assignment.
func (e *edit) synced(g *Group, member string) {
	remove(g.unsynced, member)
	if length(g.unsynced) == 0 {
		e.cancelSyncTimer(g)
	}
}

// dismiss removes a member, and answers a JoinGroup of it that is still parked: if its client is alive, it joins anew.
func (e *edit) dismiss(g *Group, m *Member) {
	e.sendJoin(g, m, joinError(kerr.UnknownMemberID, ""))
	if m, ok := g.member(m.ID); ok {
		e.cancelSession(m)
		e.sendSync(g, m, &kmsg.SyncGroupResponse{ErrorCode: kerr.UnknownMemberID.Code})
	}
	g.remove(m.ID)
}

// sendJoin answers the member's parked JoinGroup, if there is one.
func (e *edit) sendJoin(g *Group, m *Member, response *kmsg.JoinGroupResponse) {
	if m.join == nil {
		return
	}
	e.release(m.join, response)
	g.update(m, func(m *Member) { m.join = nil })
}

// sendSync answers the member's parked SyncGroup, if there is one.
func (e *edit) sendSync(g *Group, m *Member, response *kmsg.SyncGroupResponse) {
	if m.sync == nil {
		return
	}
	e.release(m.sync, response)
	g.update(m, func(m *Member) { m.sync = nil })
}

// joined is what the member is told of the current generation; all is for the leader, who is to assign.
func (g *Group) joined(m *Member, all bool) *kmsg.JoinGroupResponse {
	response := &kmsg.JoinGroupResponse{
		Generation:   g.Generation,
		ProtocolType: orNull(g.ProtocolType),
		Protocol:     orNull(g.Protocol),
		LeaderID:     g.Leader,
		MemberID:     m.ID,
	}
	if all {
		for _, other := range g.memberList() {
			response.Members = append(response.Members, kmsg.JoinGroupResponseMember{
				MemberID: other.ID, InstanceID: other.InstanceID, ProtocolMetadata: other.metadata(g.Protocol),
			})
		}
	}
	return response
}

// value is the group as its record has it, with the assignments given by member id.
func (g *Group) value(assignments map[string][]byte) *kmsg.GroupMetadataValue {
	v := &kmsg.GroupMetadataValue{
		ProtocolType:          g.ProtocolType,
		Generation:            g.Generation,
		Protocol:              orNull(g.Protocol),
		Leader:                orNull(g.Leader),
		CurrentStateTimestamp: g.Since,
	}
	for _, m := range g.memberList() {
		v.Members = append(v.Members, kmsg.GroupMetadataValueMember{
			MemberID: m.ID, InstanceID: m.InstanceID, ClientID: m.ClientID, ClientHost: m.ClientHost,
			RebalanceTimeoutMillis: m.RebalanceTimeoutMs, SessionTimeoutMillis: m.SessionTimeoutMs,
			Subscription: m.metadata(g.Protocol), Assignment: assignments[m.ID],
		})
	}
	return v
}
