package meta

import (
	"iter"
	"maps"
	"slices"
)

// Snapshot is the records that make the image when they are replayed into an
// empty one, in the order in which Kafka writes them: metadata.version first,
// for it says how the rest is to be read. Fields that records of the image's
// metadata.version cannot hold are left out, as Kafka does.
func (im *Image) Snapshot() iter.Seq[Record] {
	return func(yield func(Record) bool) {
		_ = im.snapshotFeatures(yield) && im.snapshotNodes(yield) && im.snapshotTopics(yield) &&
			im.snapshotConfigs(yield) && im.snapshotQuotas(yield) && im.snapshotProducerIDs(yield) &&
			each(im.acls, yield) && each(im.scram, yield) && each(im.tokens, yield) && im.snapshotRest(yield)
	}
}

func each[V Record](t tree[string, V], yield func(Record) bool) bool {
	for r := range t.values() {
		if !yield(r) {
			return false
		}
	}
	return true
}

func (im *Image) snapshotFeatures(yield func(Record) bool) bool {
	if im.level != 0 && !yield(&FeatureLevelRecord{Name: FeatureMetadataVersion, FeatureLevel: im.level}) {
		return false
	}
	for _, name := range slices.Sorted(maps.Keys(im.features)) {
		if !yield(&FeatureLevelRecord{Name: name, FeatureLevel: im.features[name]}) {
			return false
		}
	}
	return true
}

func (im *Image) snapshotNodes(yield func(Record) bool) bool {
	for b := range im.Brokers() {
		if !yield(im.brokerRecord(b)) {
			return false
		}
	}
	for c := range im.Controllers() {
		r := &RegisterControllerRecord{
			ControllerID: c.ID, IncarnationID: c.Incarnation, ZkMigrationReady: c.ZkMigrationReady,
			EndPoints: c.Listeners, Features: c.Features,
		}
		if !yield(r) {
			return false
		}
	}
	return true
}

func (im *Image) brokerRecord(b *Broker) *RegisterBrokerRecord {
	r := &RegisterBrokerRecord{
		BrokerID: b.ID, BrokerEpoch: b.Epoch, IncarnationID: b.Incarnation,
		EndPoints: b.Listeners, Features: b.Features, Rack: b.Rack,
		Fenced: b.Fenced, InControlledShutdown: b.InControlledShutdown,
	}
	version := RecordVersion(r.Kind(), im.level)
	if version >= 2 {
		r.IsMigratingZkBroker = b.MigratingZk
	}
	if version >= 3 {
		r.LogDirs = b.LogDirs
	}
	if version >= 4 {
		r.CordonedLogDirs = b.CordonedLogDirs
	}
	return r
}

func (im *Image) snapshotTopics(yield func(Record) bool) bool {
	for t := range im.Topics() {
		if !yield(&TopicRecord{Name: t.Name, TopicID: t.ID}) {
			return false
		}
		for i, p := range t.Partitions {
			if p.Exists() && !yield(im.partitionRecord(t.ID, int32(i), p)) {
				return false
			}
		}
	}
	return true
}

func (im *Image) partitionRecord(topic ID, index int32, p *Partition) *PartitionRecord {
	r := &PartitionRecord{
		PartitionID: index, TopicID: topic, Replicas: p.Replicas, ISR: p.ISR,
		RemovingReplicas: p.Removing, AddingReplicas: p.Adding,
		Leader: p.Leader, LeaderRecoveryState: p.LeaderRecovery,
		LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch,
	}
	version := RecordVersion(r.Kind(), im.level)
	if version >= 1 {
		r.Directories = p.Directories
	}
	if version >= 2 {
		r.EligibleLeaderReplicas, r.LastKnownELR = nilWhenEmpty(p.ELR), nilWhenEmpty(p.LastKnownELR)
	}
	return r
}

func nilWhenEmpty(ids []int32) []int32 {
	if len(ids) == 0 {
		return nil
	}
	return ids
}

func (im *Image) snapshotConfigs(yield func(Record) bool) bool {
	for resource, values := range im.ConfigResources() {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			value := values[name]
			r := &ConfigRecord{ResourceType: resource.Type, ResourceName: resource.Name, Name: name, Value: &value}
			if !yield(r) {
				return false
			}
		}
	}
	return true
}

func (im *Image) snapshotQuotas(yield func(Record) bool) bool {
	for q := range im.ClientQuotas() {
		for _, key := range slices.Sorted(maps.Keys(q.Values)) {
			if !yield(&ClientQuotaRecord{Entity: q.Entity, Key: key, Value: q.Values[key]}) {
				return false
			}
		}
	}
	return true
}

func (im *Image) snapshotProducerIDs(yield func(Record) bool) bool {
	if !im.producerIDs {
		return true
	}
	return yield(&ProducerIDsRecord{BrokerID: -1, BrokerEpoch: -1, NextProducerID: im.nextProducerID})
}

// snapshotRest is what Kafka's snapshots do not have: kinds that are kept but
// not acted on, and a transaction that has not ended.
func (im *Image) snapshotRest(yield func(Record) bool) bool {
	if im.zkMigration != nil && !yield(im.zkMigration) {
		return false
	}
	for _, r := range im.unknown {
		if !yield(r) {
			return false
		}
	}
	if im.pending == nil {
		return true
	}
	if !yield(im.pending.begin) {
		return false
	}
	for _, r := range im.pending.records {
		if !yield(r) {
			return false
		}
	}
	return true
}
