package api

import "github.com/twmb/franz-go/pkg/kmsg"

// LeaveGroup (key 13) removes members from a group.
//
// Versions 0–5. 3: several at once, static ones by their instance id alone (KIP-345). 5: a reason (KIP-800).
func (b *Broker) leaveGroup(r *Request) Result {
	return b.toGroups(r, r.Body.(*kmsg.LeaveGroupRequest), nil)
}
