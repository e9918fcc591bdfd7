package api

import "github.com/twmb/franz-go/pkg/kmsg"

// DescribeGroups (key 15) tells of classic groups: their state, their members, and what these are assigned.
//
// Versions 0–6. 3: what the client may do with the group (KIP-430). 4: static members (KIP-345). 6: a group that does not
// exist is an error (KIP-1043); before, it is a dead one.
func (b *Broker) describeGroups(r *Request) Result {
	req := r.Body.(*kmsg.DescribeGroupsRequest)
	return b.toGroups(r, req, func(response kmsg.Response) kmsg.Response {
		resp := response.(*kmsg.DescribeGroupsResponse)
		for i := range resp.Groups {
			if g := &resp.Groups[i]; req.IncludeAuthorizedOperations && g.ErrorCode == 0 {
				g.AuthorizedOperations = groupOperations
			}
		}
		return resp
	})
}
