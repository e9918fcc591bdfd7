//go:build suite

package oracle

import "github.com/twmb/franz-go/pkg/kmsg"

// aboutTheCluster is what tools ask of a cluster of several brokers, asked of one.
func aboutTheCluster() []conversation {
	return []conversation{
		every(kmsg.ElectLeaders, "electing", electing),
		every(kmsg.AlterPartitionAssignments, "reassigning", reassigning),
		every(kmsg.ListPartitionReassignments, "listing", func(t *Talk) {
			there := t.Topic("", 2)
			r := kmsg.NewPtrListPartitionReassignmentsRequest()
			r.Version = t.Version
			t.Ask("all", r)
			named := *r
			named.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{{Topic: there.name, Partitions: []int32{0, 1, 7, -1}}, {Topic: t.Name + "-none", Partitions: []int32{0}}}
			t.Ask("named", &named)
			nothing, late := *r, *r
			nothing.Topics, late.TimeoutMillis = []kmsg.ListPartitionReassignmentsRequestTopic{}, 0
			t.Ask("nothing", &nothing)
			t.Ask("timeout 0", &late)
		}),
		every(kmsg.UnregisterBroker, "unregistering", func(t *Talk) {
			for _, id := range []int32{77, -1} { // the only broker would not come back before it starts again
				r := kmsg.NewPtrUnregisterBrokerRequest()
				r.Version, r.BrokerID = t.Version, id
				t.Ask("broker "+number(id), r)
			}
		}),
		byItself(every(kmsg.UpdateFeatures, "updating", updating)),
		every(kmsg.DescribeQuorum, "describing", describingTheQuorum),
		every(kmsg.AddRaftVoter, "adding", addingVoters),
		every(kmsg.RemoveRaftVoter, "removing", removingVoters),
	}
}

func describingTheQuorum(t *Talk) {
	asking := func(topics ...kmsg.DescribeQuorumRequestTopic) *kmsg.DescribeQuorumRequest {
		r := kmsg.NewPtrDescribeQuorumRequest()
		r.Version, r.Topics = t.Version, topics
		return r
	}
	of := func(name string, partitions ...int32) kmsg.DescribeQuorumRequestTopic {
		topic := kmsg.DescribeQuorumRequestTopic{Topic: name}
		for _, p := range partitions {
			topic.Partitions = append(topic.Partitions, kmsg.DescribeQuorumRequestTopicPartition{Partition: p})
		}
		return topic
	}
	const metadata = "__cluster_metadata"
	t.Ask("the metadata's", asking(of(metadata, 0)))
	t.Ask("another partition", asking(of(metadata, 1)))
	t.Ask("two partitions", asking(of(metadata, 0, 1)))
	t.Ask("another topic", asking(of(t.Name, 0)))
	t.Ask("two topics", asking(of(metadata, 0), of(t.Name, 0)))
	t.Ask("nothing", asking())
}

// addingVoters asks for what cannot be.
func addingVoters(t *Talk) {
	asking := func(id int32, directory byte, listeners ...string) *kmsg.AddRaftVoterRequest {
		r := kmsg.NewPtrAddRaftVoterRequest()
		r.Version, r.TimeoutMillis, r.VoterID, r.VoterDirectoryID = t.Version, 500, id, [16]byte{15: directory}
		for _, name := range listeners {
			r.Listeners = append(r.Listeners, kmsg.AddRaftVoterRequestListener{Name: name, Host: "127.0.0.1", Port: 9})
		}
		return r
	}
	other := asking(7, 100, "CONTROLLER")
	other.ClusterID = kmsg.StringPtr("another")
	t.Ask("in another cluster", other)
	t.Ask("nobody", asking(-1, 100, "CONTROLLER"))
	t.Ask("without a directory", asking(7, 0, "CONTROLLER"))
	t.Ask("nowhere", asking(7, 100))
	t.Ask("one whose id votes", asking(1, 100, "CONTROLLER"))
}

func removingVoters(t *Talk) {
	asking := func(id int32, directory byte) *kmsg.RemoveRaftVoterRequest {
		r := kmsg.NewPtrRemoveRaftVoterRequest()
		r.Version, r.VoterID, r.VoterDirectoryID = t.Version, id, [16]byte{15: directory}
		return r
	}
	other := asking(7, 100)
	other.ClusterID = kmsg.StringPtr("another")
	t.Ask("in another cluster", other)
	t.Ask("nobody", asking(-1, 100))
	t.Ask("without a directory", asking(7, 0))
	t.Ask("who does not vote", asking(7, 100))
}

func electing(t *Talk) {
	there := t.Topic("", 2)
	asking := func(kind int8, topics ...kmsg.ElectLeadersRequestTopic) *kmsg.ElectLeadersRequest {
		r := kmsg.NewPtrElectLeadersRequest()
		r.Version, r.TimeoutMillis, r.ElectionType, r.Topics = t.Version, 30000, kind, topics
		return r
	}
	of := func(name string, partitions ...int32) kmsg.ElectLeadersRequestTopic {
		return kmsg.ElectLeadersRequestTopic{Topic: name, Partitions: partitions}
	}
	t.Ask("led by the preferred", asking(0, of(there.name, 0, 1)))
	t.Ask("unknown partition", asking(0, of(there.name, 7, -1)))
	t.Ask("unknown topic", asking(0, of(t.Name+"-none", 0)))
	t.Ask("bad name", asking(0, of("a b", 0)))
	t.Ask("a partition twice", asking(0, of(there.name, 0, 0)))
	t.Ask("no partitions", asking(0, of(there.name)))
	t.Ask("nothing", asking(0, []kmsg.ElectLeadersRequestTopic{}...))
	late := asking(0, of(there.name, 0))
	late.TimeoutMillis = 0
	t.Ask("timeout 0", late)
	if t.Version >= 1 {
		t.Ask("uncleanly", asking(1, of(there.name, 0)))
		for _, kind := range []int8{2, -1} {
			t.Ask("kind "+number(int32(kind)), asking(kind, of(there.name, 0)))
		}
		empty := asking(2)
		empty.Topics = []kmsg.ElectLeadersRequestTopic{}
		t.Ask("nothing of kind 2", empty)
	}
}

func reassigning(t *Talk) {
	there := t.Topic("", 2)
	asking := func(name string, partition int32, replicas []int32) *kmsg.AlterPartitionAssignmentsRequest {
		r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		r.Version, r.TimeoutMillis = t.Version, 30000
		r.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{
			Topic: name, Partitions: []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Partition: partition, Replicas: replicas}},
		}}
		return r
	}
	t.Ask("to where it is", asking(there.name, 0, []int32{1}))
	t.Ask("nothing to take back", asking(there.name, 0, nil))
	t.Ask("nowhere", asking(there.name, 0, []int32{}))
	t.Ask("unknown broker", asking(there.name, 0, []int32{1, 5}))
	t.Ask("negative broker", asking(there.name, 0, []int32{-1}))
	t.Ask("a broker twice", asking(there.name, 0, []int32{1, 1}))
	t.Ask("unknown partition", asking(there.name, 7, []int32{1}))
	t.Ask("negative partition", asking(there.name, -1, []int32{1}))
	t.Ask("unknown topic", asking(t.Name+"-none", 0, []int32{1}))
	t.Ask("bad name", asking("a b", 0, nil))
	nothing := asking(there.name, 0, nil)
	nothing.Topics = nil
	t.Ask("nothing", nothing)
	late := asking(there.name, 0, []int32{1})
	late.TimeoutMillis = 0
	t.Ask("timeout 0", late)
	if t.Version >= 1 {
		kept := asking(there.name, 0, []int32{1})
		kept.AllowReplicationFactorChange = false
		t.Ask("keeping the factor", kept)
		fewer := asking(there.name, 1, []int32{1, 5})
		fewer.AllowReplicationFactorChange = false
		t.Ask("keeping the factor, unknown broker", fewer)
		empty := asking(there.name, 0, nil)
		empty.Topics, empty.AllowReplicationFactorChange = nil, false
		t.Ask("nothing, keeping the factor", empty)
	}
}

// updating leaves features as they are.
func updating(t *Talk) {
	ask := func(step, feature string, level int16, change func(*kmsg.UpdateFeaturesRequest, *kmsg.UpdateFeaturesRequestFeatureUpdate)) {
		r := kmsg.NewPtrUpdateFeaturesRequest()
		r.Version, r.TimeoutMillis = t.Version, 30000
		u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
		u.Feature, u.MaxVersionLevel = feature, level
		r.FeatureUpdates = append(r.FeatureUpdates, u)
		change(r, &r.FeatureUpdates[0])
		t.Ask(step, r)
	}
	same := func(*kmsg.UpdateFeaturesRequest, *kmsg.UpdateFeaturesRequestFeatureUpdate) {}
	ask("as it is", "metadata.version", 33, same)
	ask("above what is known", "metadata.version", 999, same)
	ask("below 0", "metadata.version", -1, same)
	ask("unknown feature", "nonsense", 1, same)
	ask("no name", "", 1, same)
	ask("down without saying so", "metadata.version", 32, same)
	if t.Version == 0 {
		ask("down", "metadata.version", 32, func(_ *kmsg.UpdateFeaturesRequest, u *kmsg.UpdateFeaturesRequestFeatureUpdate) {
			u.AllowDowngrade = true
		})
		return
	}
	for _, kind := range []int8{2, 3, 0, 9} {
		ask("down of kind "+number(int32(kind)), "metadata.version", 32, func(_ *kmsg.UpdateFeaturesRequest, u *kmsg.UpdateFeaturesRequestFeatureUpdate) { u.UpgradeType = kind })
	}
	ask("validate only", "metadata.version", 33, func(r *kmsg.UpdateFeaturesRequest, _ *kmsg.UpdateFeaturesRequestFeatureUpdate) { r.ValidateOnly = true })
}
