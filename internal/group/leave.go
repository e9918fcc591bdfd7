package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// batchLeaveVersion is the LeaveGroup version from which several members leave at once, by instance id too (KIP-345).
const batchLeaveVersion = 3

// Leave is a LeaveGroup.
func Leave(r *kmsg.LeaveGroupRequest, reply Reply) Event {
	return decide(func(e *edit) {
		members := r.Members
		if r.Version < batchLeaveVersion {
			members = []kmsg.LeaveGroupRequestMember{{MemberID: r.MemberID}}
		}
		response := e.leave(r.Group, members)
		if r.Version < batchLeaveVersion && response.ErrorCode == 0 {
			response.ErrorCode, response.Members = response.Members[0].ErrorCode, nil
		}
		e.answer(r, reply, response)
	})
}

func (e *edit) leave(id string, members []kmsg.LeaveGroupRequestMember) *kmsg.LeaveGroupResponse {
	if id == "" {
		return &kmsg.LeaveGroupResponse{ErrorCode: kerr.InvalidGroupID.Code}
	}
	response := new(kmsg.LeaveGroupResponse)
	tell := func(m *kmsg.LeaveGroupRequestMember, err *kerr.Error) {
		answer := kmsg.LeaveGroupResponseMember{MemberID: m.MemberID, InstanceID: m.InstanceID}
		if err != nil {
			answer.ErrorCode = err.Code
		}
		response.Members = append(response.Members, answer)
	}
	g, ok := e.shard.groups.Get(id)
	if !ok {
		for i := range members {
			tell(&members[i], kerr.UnknownMemberID)
		}
		return response
	}
	g = e.own(g)
	left := false
	for i := range members {
		err := e.leaveOne(g, &members[i])
		left = left || err == nil
		tell(&members[i], err)
	}
	if left && g.State != Empty {
		e.rebalance(g)
	}
	return response
}

// leaveOne removes a member by its id, or by the instance id alone: that is how an administrator removes a static one.
func (e *edit) leaveOne(g *Group, r *kmsg.LeaveGroupRequestMember) *kerr.Error {
	id := r.MemberID
	switch {
	case id == "":
		if r.InstanceID == nil {
			return kerr.UnknownMemberID
		}
		now, ok := get(g.static, *r.InstanceID)
		if !ok {
			return kerr.UnknownMemberID
		}
		id = now
	case g.isPending(id):
		e.cancelPending(g, id)
		g.remove(id)
		return nil
	default:
		if err := g.validate(id, r.InstanceID); err != nil {
			return err
		}
	}
	m, _ := g.member(id)
	e.dismiss(g, m)
	return nil
}
