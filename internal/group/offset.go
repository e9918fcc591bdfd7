package group

import (
	"cmp"

	"github.com/tidwall/btree"
)

// Offset is a committed offset of a group in a partition. It does not change once it is in a shard.
type Offset struct {
	Group, Topic string
	Partition    int32
	LeaderEpoch  int32 // of the last consumed record, -1 if the client did not say
	Offset       int64
	Metadata     string
	TopicID      [16]byte // zero in what Kafka before 4.1 wrote
	CommittedAt  int64    // milliseconds
	ExpiresAt    int64    // milliseconds, -1: by the retention of the broker

	// sequence orders the records of a shard, as a transaction's offsets must not replace newer ones when it ends.
	sequence uint64
}

// pendingOffset is an offset that waits for the end of its transaction.
type pendingOffset struct {
	*Offset
	producerID int64
}

type offsets = btree.BTreeG[*Offset]

type pendingOffsets = btree.BTreeG[pendingOffset]

func newOffsets() *offsets {
	return btree.NewBTreeGOptions(func(a, b *Offset) bool { return compareOffsets(a, b) < 0 }, btree.Options{NoLocks: true})
}

func newPendingByProducer() *pendingOffsets {
	return btree.NewBTreeGOptions(func(a, b pendingOffset) bool {
		if a.producerID != b.producerID {
			return a.producerID < b.producerID
		}
		return compareOffsets(a.Offset, b.Offset) < 0
	}, btree.Options{NoLocks: true})
}

func newPendingByPartition() *pendingOffsets {
	return btree.NewBTreeGOptions(func(a, b pendingOffset) bool {
		if c := compareOffsets(a.Offset, b.Offset); c != 0 {
			return c < 0
		}
		return a.producerID < b.producerID
	}, btree.Options{NoLocks: true})
}

func compareOffsets(a, b *Offset) int {
	return cmp.Or(
		cmp.Compare(a.Group, b.Group),
		cmp.Compare(a.Topic, b.Topic),
		cmp.Compare(a.Partition, b.Partition),
	)
}

// offset finds the committed offset of a partition, or nil.
func (s *Shard) offset(group, topic string, partition int32) *Offset {
	o, _ := s.offsets.Get(&Offset{Group: group, Topic: topic, Partition: partition})
	return o
}

// offsetsOf calls yield for the group's committed offsets by topic and partition, from one position on.
func (s *Shard) offsetsOf(group, topic string, partition int32, yield func(*Offset) bool) {
	s.offsets.Ascend(&Offset{Group: group, Topic: topic, Partition: partition}, func(o *Offset) bool {
		return o.Group == group && yield(o)
	})
}

// firstPartition is where offsetsOf begins to see all partitions of a topic.
const firstPartition = -1 << 31

// hasOpenTransaction says whether an offset of the group waits for the end of a transaction; with a topic given,
// whether one of that partition does.
func (s *Shard) hasOpenTransaction(group string) bool {
	return s.firstPending(group, "", firstPartition, func(o *Offset) bool { return o.Group == group })
}

func (s *Shard) hasPendingOffset(group, topic string, partition int32) bool {
	return s.firstPending(group, topic, partition, func(o *Offset) bool {
		return o.Group == group && o.Topic == topic && o.Partition == partition
	})
}

func (s *Shard) firstPending(group, topic string, partition int32, is func(*Offset) bool) bool {
	found := false
	from := pendingOffset{&Offset{Group: group, Topic: topic, Partition: partition}, -1 << 63}
	s.pendingByPartition.Ascend(from, func(p pendingOffset) bool {
		found = is(p.Offset)
		return false
	})
	return found
}
