package api

import "github.com/twmb/franz-go/pkg/kmsg"

// JoinGroup (key 11) makes the client a member of a group, or says that it still is one, and answers with the generation
// that results: when all members have joined, or the time for that is over.
//
// Versions 0–9. 1: a rebalance timeout (KIP-62); before, the session timeout is it. 4: a new member is sent away for its
// id (KIP-394). 5: static members (KIP-345). 7: the protocol type in the answer (KIP-559). 8: a reason (KIP-800). 9: a
// static leader that was restarted may skip the assignment (KIP-814).
func (b *Broker) joinGroup(r *Request) Result {
	return b.toGroups(r, r.Body.(*kmsg.JoinGroupRequest), nil)
}
