package api

import "github.com/twmb/franz-go/pkg/kmsg"

// ListGroups (key 16) lists the groups that this broker coordinates.
//
// Versions 0–5. 4: their states, and a filter by state (KIP-518). 5: their types, and a filter by type (KIP-848).
func (b *Broker) listGroups(r *Request) Result {
	return b.toGroups(r, r.Body.(*kmsg.ListGroupsRequest), nil)
}
