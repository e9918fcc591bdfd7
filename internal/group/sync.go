package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// protocolNamesVersion is the SyncGroup version from which a member must say which protocol it believes in (KIP-559).
const protocolNamesVersion = 5

// Sync is a SyncGroup: the leader's brings the assignment, which is written before anybody hears of it; the others' wait
// for it.
func Sync(r *kmsg.SyncGroupRequest, reply Reply) Event {
	return decide(func(e *edit) { e.decideSync(r, reply) })
}

func (e *edit) decideSync(r *kmsg.SyncGroupRequest, reply Reply) {
	refuse := func(err *kerr.Error) { e.answer(r, reply, &kmsg.SyncGroupResponse{ErrorCode: err.Code}) }
	if r.Version >= protocolNamesVersion && (r.ProtocolType == nil || r.Protocol == nil) {
		refuse(kerr.InconsistentGroupProtocol)
		return
	}
	if r.Group == "" {
		refuse(kerr.InvalidGroupID)
		return
	}
	g, ok := e.shard.groups.Get(r.Group)
	if !ok || g.State == Empty {
		refuse(kerr.UnknownMemberID)
		return
	}
	if err := g.validateSync(r); err != nil {
		refuse(err)
		return
	}
	switch g.State {
	case PreparingRebalance:
		refuse(kerr.RebalanceInProgress)
	case CompletingRebalance:
		e.syncInPhase(e.own(g), r, reply)
	case Stable:
		m, _ := g.member(r.MemberID)
		if _, waited := get(g.unsynced, m.ID); waited {
			e.synced(e.own(g), m.ID)
		}
		e.answer(r, reply, g.assigned(m.Assignment))
	}
}

func (g *Group) validateSync(r *kmsg.SyncGroupRequest) *kerr.Error {
	if err := g.validate(r.MemberID, r.InstanceID); err != nil {
		return err
	}
	if r.Generation != g.Generation {
		return kerr.IllegalGeneration
	}
	if differs(r.ProtocolType, g.ProtocolType) || differs(r.Protocol, g.Protocol) {
		return kerr.InconsistentGroupProtocol
	}
	return nil
}

func differs(said *string, is string) bool { return said != nil && is != "" && *said != is }

func (g *Group) assigned(assignment []byte) *kmsg.SyncGroupResponse {
	return &kmsg.SyncGroupResponse{
		ProtocolType: orNull(g.ProtocolType), Protocol: orNull(g.Protocol), MemberAssignment: assignment,
	}
}

func (e *edit) syncInPhase(g *Group, r *kmsg.SyncGroupRequest, reply Reply) {
	m, _ := g.member(r.MemberID)
	e.sendSync(g, m, &kmsg.SyncGroupResponse{ErrorCode: kerr.RebalanceInProgress.Code}) // given up by its client
	e.synced(g, r.MemberID)
	if g.Leader != r.MemberID {
		m, _ = g.member(r.MemberID)
		g.update(m, func(m *Member) { m.sync = reply })
		e.park(r, reply)
		return
	}
	assignments := make(map[string][]byte, len(r.GroupAssignment))
	for _, a := range r.GroupAssignment {
		assignments[a.MemberID] = clone(a.MemberAssignment)
	}
	// The replay of this record makes the group stable and gives the members their assignments.
	e.write(GroupRecord{Group: g.ID, Value: g.value(assignments)})
	if e.tooLarge() {
		e.callOff(g, r, reply)
		return
	}
	e.answer(r, reply, g.assigned(assignments[r.MemberID]))
	for _, m := range g.memberList() {
		if m.sync == nil && m.ID != r.MemberID {
			continue
		}
		e.sendSync(g, m, g.assigned(assignments[m.ID]))
		m, _ = g.member(m.ID)
		e.extend(g, m, int64(m.SessionTimeoutMs))
	}
}

// callOff refuses an assignment that no record can hold. All are told what Kafka tells them, and may try again.
func (e *edit) callOff(g *Group, r *kmsg.SyncGroupRequest, reply Reply) {
	e.change, e.size = nil, 0
	failure := &kmsg.SyncGroupResponse{ErrorCode: kerr.UnknownServerError.Code}
	e.answer(r, reply, failure)
	for _, m := range g.memberList() {
		if m.sync != nil {
			again := *failure
			e.sendSync(g, m, &again)
			m, _ = g.member(m.ID)
			e.extend(g, m, int64(m.SessionTimeoutMs))
		}
	}
	e.prepareRebalance(g)
}

// undo forgets what this decision did so far and refuses the request.
func (e *edit) undo(r kmsg.Request, reply Reply, err *kerr.Error) {
	*e = *newEdit(e.before, e.now)
	e.answer(r, reply, ErrorResponse(r, err))
}
