package group

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// groupNotFoundVersion is the DescribeGroups version from which a missing group is an error (KIP-1043). Before, it is
// a dead one.
const groupNotFoundVersion = 6

// Describe tells of a group, as DescribeGroups of that version does.
func (s *Shard) Describe(id string, version int16) kmsg.DescribeGroupsResponseGroup {
	d := kmsg.NewDescribeGroupsResponseGroup()
	d.Group = id
	g, ok := s.groups.Get(id)
	if !ok {
		d.State = "Dead"
		if version >= groupNotFoundVersion {
			why := fmt.Sprintf("Group %s not found.", id)
			if _, other := s.kinds.Get(id); other {
				why = fmt.Sprintf("Group %s is not a classic group.", id)
			}
			d.ErrorCode, d.ErrorMessage = kerr.GroupIDNotFound.Code, &why
		}
		return d
	}
	d.State, d.ProtocolType = g.State.String(), g.ProtocolType
	if g.State == Stable {
		d.Protocol = g.Protocol
	}
	for _, m := range g.memberList() {
		member := kmsg.DescribeGroupsResponseGroupMember{
			MemberID: m.ID, InstanceID: m.InstanceID, ClientID: m.ClientID, ClientHost: m.ClientHost,
			MemberAssignment: m.Assignment,
		}
		if g.State == Stable {
			member.ProtocolMetadata = m.metadata(g.Protocol)
		}
		d.Members = append(d.Members, member)
	}
	return d
}

// List gives the groups in the states and of the types that are asked for, all where the filters are empty. Case does
// not matter.
func (s *Shard) List(states, types []string) []kmsg.ListGroupsResponseGroup {
	var listed []kmsg.ListGroupsResponseGroup
	want := func(filter []string, value string) bool {
		return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool {
			return strings.EqualFold(strings.TrimSpace(f), value)
		})
	}
	for g := range s.Groups() {
		if want(states, g.State.String()) && want(types, Classic.String()) {
			listed = append(listed, kmsg.ListGroupsResponseGroup{
				Group: g.ID, ProtocolType: g.ProtocolType, GroupState: g.State.String(), GroupType: strings.ToLower(Classic.String()),
			})
		}
	}
	s.kinds.Scan(func(id string, kind Kind) bool {
		if want(states, Empty.String()) && want(types, kind.String()) {
			listed = append(listed, kmsg.ListGroupsResponseGroup{
				Group: id, ProtocolType: kind.protocolType(), GroupState: Empty.String(), GroupType: strings.ToLower(kind.String()),
			})
		}
		return true
	})
	return listed
}

func (k Kind) protocolType() string { return strings.ToLower(k.String()) }
