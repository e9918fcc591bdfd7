package api

import "github.com/twmb/franz-go/pkg/kmsg"

// SyncGroup (key 14) brings the leader's assignment to the group, and each member its part of it. Followers wait for the
// leader.
//
// Versions 0–5. 3: static members (KIP-345). 5: members say which protocol they believe in (KIP-559).
func (b *Broker) syncGroup(r *Request) Result {
	return b.toGroups(r, r.Body.(*kmsg.SyncGroupRequest), nil)
}
