//go:build suite

package oracle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// subscription is what a consumer says of itself. Kafka 3.9 never answers a member whose metadata is something else.
func subscription(topics ...string) []byte {
	m := kmsg.NewConsumerMemberMetadata()
	m.Version, m.Topics = 1, topics
	return m.AppendTo(nil)
}

func joining(version int16, group, member string, change func(r *kmsg.JoinGroupRequest)) *kmsg.JoinGroupRequest {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.MemberID, r.ProtocolType = version, group, member, "consumer"
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 30000, 30000
	for _, name := range []string{"range", "roundrobin"} {
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = name, subscription("a topic for "+name)
		r.Protocols = append(r.Protocols, p)
	}
	change(r)
	return r
}

func unchanged(*kmsg.JoinGroupRequest) {}

// static gives a member an instance id.
func static(id string) func(r *kmsg.JoinGroupRequest) {
	return func(r *kmsg.JoinGroupRequest) { r.InstanceID = &id }
}

// Join brings a member in, with the id that it is told where the version wants that.
func (t *Talk) Join(step, connection, group string, version int16, change func(r *kmsg.JoinGroupRequest)) *kmsg.JoinGroupResponse {
	got, ok := t.Take(step, t.Send(connection, joining(version, group, "", change))).(*kmsg.JoinGroupResponse)
	const memberIDRequired = 79
	if ok && got.ErrorCode == memberIDRequired {
		got, ok = t.Take(step+" with its id", t.Send(connection, joining(version, group, got.MemberID, change))).(*kmsg.JoinGroupResponse)
	}
	if !ok {
		panic(failed{fmt.Errorf("%s: no answer", step)})
	}
	return got
}

func syncing(version int16, group, member string, generation int32, change func(r *kmsg.SyncGroupRequest), assignments ...string) *kmsg.SyncGroupRequest {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.MemberID, r.Generation = version, group, member, generation
	r.ProtocolType, r.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	for i := 0; i+1 < len(assignments); i += 2 {
		a := kmsg.NewSyncGroupRequestGroupAssignment()
		a.MemberID, a.MemberAssignment = assignments[i], []byte(assignments[i+1])
		r.GroupAssignment = append(r.GroupAssignment, a)
	}
	change(r)
	return r
}

func beating(version int16, group, member string, generation int32) *kmsg.HeartbeatRequest {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.Generation = version, group, member, generation
	return r
}

func leaving(version int16, group string, members ...string) *kmsg.LeaveGroupRequest {
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version, r.Group = version, group
	for _, m := range members {
		r.MemberID = m
		one := kmsg.NewLeaveGroupRequestMember()
		one.MemberID = m
		r.Members = append(r.Members, one)
	}
	return r
}

func committing(version int16, group, member string, generation int32, of topic, partition int32, offset int64, note *string) *kmsg.OffsetCommitRequest {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group, r.MemberID, r.Generation, r.RetentionTimeMillis = version, group, member, generation, -1
	one := kmsg.NewOffsetCommitRequestTopic()
	one.Topic, one.TopicID = of.name, of.id
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.Timestamp = partition, offset, 3, note, -1
	one.Partitions = append(one.Partitions, p)
	r.Topics = append(r.Topics, one)
	return r
}

// fetchingOffsets asks for a topic's committed offsets; without partitions for all of the group.
func fetchingOffsets(version int16, group string, of topic, partitions ...int32) *kmsg.OffsetFetchRequest {
	r := kmsg.NewPtrOffsetFetchRequest()
	r.Version, r.Group = version, group
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group, g.MemberEpoch = group, -1
	if partitions != nil {
		one := kmsg.NewOffsetFetchRequestTopic()
		one.Topic, one.Partitions = of.name, partitions
		r.Topics = append(r.Topics, one)
		two := kmsg.NewOffsetFetchRequestGroupTopic()
		two.Topic, two.TopicID, two.Partitions = of.name, of.id, partitions
		g.Topics = append(g.Topics, two)
	}
	r.Groups = append(r.Groups, g)
	return r
}

func describingGroups(version int16, groups ...string) *kmsg.DescribeGroupsRequest {
	r := kmsg.NewPtrDescribeGroupsRequest()
	r.Version, r.Groups = version, groups
	return r
}

func aboutGroups() []conversation {
	return []conversation{
		every(kmsg.JoinGroup, "one member", func(t *Talk) {
			g := t.Name
			m := t.Join("joins", "", g, t.Version, unchanged)
			t.Ask("described before sync", describingGroups(5, g))
			t.Ask("synced", syncing(3, g, m.MemberID, m.Generation, noSync, m.MemberID, "work"))
			t.Ask("described", describingGroups(5, g))
			t.Ask("beats", beating(3, g, m.MemberID, m.Generation))
			t.Ask("joins again", joining(t.Version, g, m.MemberID, unchanged))
			t.Ask("beats old generation", beating(3, g, m.MemberID, m.Generation))
			t.Ask("beats new generation", beating(3, g, m.MemberID, m.Generation+1))
			t.Ask("leaves", leaving(1, g, m.MemberID))
			t.Ask("described empty", describingGroups(5, g))
			t.Join("joins anew", "", g, t.Version, unchanged)
		}),
		every(kmsg.JoinGroup, "bad input", func(t *Talk) {
			ask := func(step, group, member string, change func(r *kmsg.JoinGroupRequest)) {
				t.Ask(step, joining(t.Version, group, member, change))
			}
			ask("empty group", "", "", unchanged)
			ask("unknown member", t.Name+"-a", "nobody", unchanged)
			ask("session too short", t.Name+"-b", "", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1 })
			ask("session too long", t.Name+"-c", "", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1 << 30 })
			ask("session negative", t.Name+"-c", "", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = -1 })
			ask("no protocols", t.Name+"-d", "", func(r *kmsg.JoinGroupRequest) { r.Protocols = nil })
			ask("metadata that is no subscription", t.Name+"-g", "", func(r *kmsg.JoinGroupRequest) { r.Protocols[0].Metadata = []byte("nonsense") })
			ask("no protocol type", t.Name+"-e", "", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "" })
			if t.Version >= 5 {
				for _, id := range []string{"", "a b", ".", strings.Repeat("x", 300)} {
					ask(fmt.Sprintf("instance id %.10q", id), t.Name+"-f"+number(len(id)), "", static(id))
				}
			}
			m := t.Join("a member", "", t.Name, t.Version, unchanged)
			ask("another protocol type", t.Name, "", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" })
			ask("another protocol", t.Name, "", func(r *kmsg.JoinGroupRequest) {
				r.Protocols = r.Protocols[:1]
				r.Protocols[0].Name = "sticky"
			})
			t.Must(leaving(1, t.Name, m.MemberID))
		}),
		every(kmsg.JoinGroup, "two members", func(t *Talk) {
			g := t.Name
			a := t.Join("first joins", "a", g, t.Version, unchanged)
			t.Take("first syncs", t.Send("a", syncing(3, g, a.MemberID, a.Generation, noSync, a.MemberID, "all")))
			join := joining(t.Version, g, "", unchanged)
			if t.Version >= 4 {
				told := t.Take("second asks", t.Send("b", join)).(*kmsg.JoinGroupResponse)
				join = joining(t.Version, g, told.MemberID, unchanged)
			}
			second := t.Send("b", join)
			t.await("the rebalance", func() bool {
				return t.Must(beating(3, g, a.MemberID, a.Generation)).(*kmsg.HeartbeatResponse).ErrorCode == 27
			})
			t.Ask("first beats", beating(3, g, a.MemberID, a.Generation))
			t.Ask("first commits", committing(5, g, a.MemberID, a.Generation, topic{name: t.Name}, 0, 1, nil))
			t.Ask("first syncs while rebalancing", syncing(3, g, a.MemberID, a.Generation, noSync))
			first := t.Send("a", joining(t.Version, g, a.MemberID, unchanged))
			again := t.Take("first joins again", first).(*kmsg.JoinGroupResponse)
			b := t.Take("second joins", second).(*kmsg.JoinGroupResponse)
			follower := t.Send("b", syncing(3, g, b.MemberID, b.Generation, noSync))
			t.Take("leader syncs", t.Send("a", syncing(3, g, again.MemberID, again.Generation, noSync, again.MemberID, "half", b.MemberID, "the other half")))
			t.Take("follower syncs", follower)
			t.Ask("follower syncs again", syncing(3, g, b.MemberID, b.Generation, noSync))
			t.Ask("follower joins unchanged", joining(t.Version, g, b.MemberID, unchanged))
			t.Ask("leader beats", beating(3, g, again.MemberID, again.Generation))
			t.Ask("follower leaves", leaving(1, g, b.MemberID))
			t.Ask("leader beats after that", beating(3, g, again.MemberID, again.Generation))
			t.Ask("follower beats after that", beating(3, g, b.MemberID, b.Generation))
			t.Must(leaving(1, g, again.MemberID))
		}),
		since(kmsg.JoinGroup, 5, "static members", func(t *Talk) {
			g := t.Name
			a := t.Join("joins", "a", g, t.Version, static("one"))
			t.Take("syncs", t.Send("a", syncing(3, g, a.MemberID, a.Generation, noSync, a.MemberID, "work")))
			b := t.Join("comes back", "b", g, t.Version, static("one"))
			t.Ask("the old one beats", asked(3, beating(3, g, a.MemberID, a.Generation), func(r *kmsg.HeartbeatRequest) { r.InstanceID = kmsg.StringPtr("one") }))
			t.Ask("the old one beats without its instance", beating(3, g, a.MemberID, a.Generation))
			t.Ask("the new one beats", asked(3, beating(3, g, b.MemberID, b.Generation), func(r *kmsg.HeartbeatRequest) { r.InstanceID = kmsg.StringPtr("one") }))
			t.Ask("the new one syncs", syncing(3, g, b.MemberID, b.Generation, noSync))
			t.Ask("described", describingGroups(5, g))
			t.Ask("an unknown instance beats", asked(3, beating(3, g, b.MemberID, b.Generation), func(r *kmsg.HeartbeatRequest) { r.InstanceID = kmsg.StringPtr("two") }))
			t.Ask("the old one joins", joining(t.Version, g, a.MemberID, static("one")))
			t.Ask("the old one commits", asked(7, committing(7, g, a.MemberID, a.Generation, topic{name: t.Name}, 0, 1, nil), func(r *kmsg.OffsetCommitRequest) { r.InstanceID = kmsg.StringPtr("one") }))
			byInstance := func(id string) *kmsg.LeaveGroupRequest {
				r := leaving(3, g, "")
				r.Members[0].InstanceID = &id
				return r
			}
			t.Ask("an unknown instance is removed", byInstance("two"))
			t.Ask("it is removed", byInstance("one"))
			t.Ask("described empty", describingGroups(5, g))
		}),
		every(kmsg.SyncGroup, "syncing", func(t *Talk) {
			g := t.Name
			m := t.Join("joins", "", g, 3, unchanged)
			t.Ask("unknown member", syncing(t.Version, g, "nobody", m.Generation, noSync))
			t.Ask("wrong generation", syncing(t.Version, g, m.MemberID, m.Generation+1, noSync))
			t.Ask("unknown group", syncing(t.Version, g+"-none", m.MemberID, m.Generation, noSync))
			t.Ask("empty group", syncing(t.Version, "", m.MemberID, m.Generation, noSync))
			if t.Version >= 5 {
				t.Ask("another protocol type", syncing(t.Version, g, m.MemberID, m.Generation, func(r *kmsg.SyncGroupRequest) { r.ProtocolType = kmsg.StringPtr("x") }))
				t.Ask("another protocol", syncing(t.Version, g, m.MemberID, m.Generation, func(r *kmsg.SyncGroupRequest) { r.Protocol = kmsg.StringPtr("x") }))
				t.Ask("no protocol", syncing(t.Version, g, m.MemberID, m.Generation, func(r *kmsg.SyncGroupRequest) { r.Protocol, r.ProtocolType = nil, nil }))
			}
			if t.Version >= 3 {
				t.Ask("an unknown instance", syncing(t.Version, g, m.MemberID, m.Generation, func(r *kmsg.SyncGroupRequest) { r.InstanceID = kmsg.StringPtr("x") }))
			}
			t.Ask("an assignment for nobody", syncing(t.Version, g, m.MemberID, m.Generation, noSync, "nobody", "work"))
			t.Ask("again with another", syncing(t.Version, g, m.MemberID, m.Generation, noSync, m.MemberID, "work"))
			t.Must(leaving(1, g, m.MemberID))
		}),
		every(kmsg.Heartbeat, "beating", func(t *Talk) {
			g := t.Name
			m := t.Join("joins", "", g, 3, unchanged)
			t.Ask("before sync", beating(t.Version, g, m.MemberID, m.Generation))
			t.Must(syncing(3, g, m.MemberID, m.Generation, noSync))
			t.Ask("good", beating(t.Version, g, m.MemberID, m.Generation))
			t.Ask("wrong generation", beating(t.Version, g, m.MemberID, m.Generation+1))
			t.Ask("generation -1", beating(t.Version, g, m.MemberID, -1))
			t.Ask("unknown member", beating(t.Version, g, "nobody", m.Generation))
			t.Ask("empty member", beating(t.Version, g, "", m.Generation))
			t.Ask("unknown group", beating(t.Version, g+"-none", m.MemberID, m.Generation))
			t.Ask("empty group", beating(t.Version, "", m.MemberID, m.Generation))
			t.Must(leaving(1, g, m.MemberID))
			t.Ask("after leaving", beating(t.Version, g, m.MemberID, m.Generation))
		}),
		every(kmsg.LeaveGroup, "leaving", func(t *Talk) {
			g := t.Name
			m := t.Join("joins", "", g, 3, unchanged)
			t.Ask("unknown member", leaving(t.Version, g, "nobody"))
			t.Ask("unknown group", leaving(t.Version, g+"-none", m.MemberID))
			t.Ask("empty group", leaving(t.Version, "", m.MemberID))
			t.Ask("empty member", leaving(t.Version, g, ""))
			if t.Version >= 3 {
				t.Ask("nobody", leaving(t.Version, g))
				t.Ask("two of which one is unknown", leaving(t.Version, g, "nobody", m.MemberID))
			} else {
				t.Ask("it leaves", leaving(t.Version, g, m.MemberID))
			}
			t.Ask("again", leaving(t.Version, g, m.MemberID))
		}),
		every(kmsg.DescribeGroups, "describing", func(t *Talk) {
			g := t.Name
			t.Ask("unknown", describingGroups(t.Version, g+"-none"))
			m := t.Join("joins", "", g, 3, unchanged)
			t.Ask("before sync", describingGroups(t.Version, g))
			t.Must(syncing(3, g, m.MemberID, m.Generation, noSync, m.MemberID, "work"))
			t.Ask("stable", describingGroups(t.Version, g))
			t.Ask("two", describingGroups(t.Version, g, g+"-none"))
			t.Ask("the same twice", describingGroups(t.Version, g, g))
			t.Ask("empty name", describingGroups(t.Version, ""))
			t.Ask("nothing", describingGroups(t.Version))
			if t.Version >= 3 {
				r := describingGroups(t.Version, g)
				r.IncludeAuthorizedOperations = true
				t.Ask("operations", r)
			}
			t.Must(leaving(1, g, m.MemberID))
			t.Ask("empty", describingGroups(t.Version, g))
		}),
		byItself(every(kmsg.ListGroups, "listing", func(t *Talk) {
			g := t.Name
			m := t.Join("joins", "", g, 3, unchanged)
			t.Must(syncing(3, g, m.MemberID, m.Generation, noSync, m.MemberID, "work"))
			t.Must(committing(5, g+"-simple", "", -1, t.Topic("", 1), 0, 1, nil))
			list := func(states, types []string) *kmsg.ListGroupsRequest {
				r := kmsg.NewPtrListGroupsRequest()
				r.Version, r.StatesFilter, r.TypesFilter = t.Version, states, types
				return r
			}
			t.Ask("all", list(nil, nil))
			if t.Version >= 4 {
				t.Ask("stable", list([]string{"Stable"}, nil))
				t.Ask("lower case", list([]string{"stable"}, nil))
				t.Ask("two states", list([]string{"Stable", "Empty"}, nil))
				t.Ask("unknown state", list([]string{"Nonsense"}, nil))
			}
			if t.Version >= 5 {
				for _, kind := range []string{"classic", "CLASSIC", "consumer", "share", "streams", "nonsense", "simple"} {
					t.Ask("type "+kind, list(nil, []string{kind}))
				}
				t.Ask("state and type", list([]string{"Empty"}, []string{"classic"}))
			}
			t.Must(leaving(1, g, m.MemberID))
			deleted := kmsg.NewPtrDeleteGroupsRequest()
			deleted.Version, deleted.Groups = 1, []string{g, g + "-simple"}
			t.Must(deleted)
		})),
		every(kmsg.DeleteGroups, "deleting", func(t *Talk) {
			g := t.Name
			asking := func(groups ...string) *kmsg.DeleteGroupsRequest {
				r := kmsg.NewPtrDeleteGroupsRequest()
				r.Version, r.Groups = t.Version, groups
				return r
			}
			m := t.Join("joins", "", g, 3, unchanged)
			t.Ask("with a member", asking(g))
			t.Must(leaving(1, g, m.MemberID))
			t.Ask("unknown", asking(g+"-none"))
			t.Ask("empty name", asking(""))
			t.Ask("one and an unknown one", asking(g, g+"-none"))
			t.Ask("again", asking(g))
			t.Ask("nothing", asking())
			t.Must(committing(5, g+"-simple", "", -1, t.Topic("", 1), 0, 1, nil))
			t.Ask("the same twice", asking(g+"-simple", g+"-simple"))
		}),
		every(kmsg.FindCoordinator, "finding", func(t *Talk) {
			find := func(kind int8, keys ...string) *kmsg.FindCoordinatorRequest {
				r := kmsg.NewPtrFindCoordinatorRequest()
				r.Version, r.CoordinatorType, r.CoordinatorKeys = t.Version, kind, keys
				if len(keys) > 0 {
					r.CoordinatorKey = keys[0]
				}
				return r
			}
			t.Ask("group", find(0, "x"))
			t.Ask("empty name", find(0, ""))
			t.Ask("several", find(0, "x", "y", "x"))
			t.Ask("none", find(0))
			t.Ask("type 9", find(9, "x"))
			t.Ask("type -1", find(-1, "x"))
			t.Ask("share malformed", find(2, "x"))
			// The first such key has Kafka make the topic in which it keeps share groups.
			t.Until("share", find(2, t.Name+":AQIDBAUGBwgJCgsMDQ4PEA:0"), func(r kmsg.Response) bool {
				const notAvailable = 15
				got := r.(*kmsg.FindCoordinatorResponse)
				return got.ErrorCode != notAvailable && !slices.ContainsFunc(got.Coordinators, func(c kmsg.FindCoordinatorResponseCoordinator) bool {
					return c.ErrorCode == notAvailable
				})
			})
		}),
	}
}

func noSync(*kmsg.SyncGroupRequest) {}
