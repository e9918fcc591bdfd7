package api

import "github.com/twmb/franz-go/pkg/kmsg"

// DeleteGroups (key 42) deletes groups that have no members, and their offsets.
//
// Versions 0–3. 3: a message beside the error (KIP-1331).
func (b *Broker) deleteGroups(r *Request) Result {
	return b.toGroups(r, r.Body.(*kmsg.DeleteGroupsRequest), nil)
}
