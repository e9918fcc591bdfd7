package replica

import (
	"sync/atomic"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/storage"
)

// Settings are what a topic's configs mean to its replicas. They are immutable: a change brings new ones.
type Settings struct {
	Storage   *storage.Settings
	Check     batch.CheckOptions // the topic's rules; what differs by request is filled in at each append
	MinInSync int                // min.insync.replicas
	// GroupCommit is flush.messages=1: only what is durable counts for the high watermark, so nothing is readable or
	// acknowledged before it, and all who wait share one sync.
	GroupCommit bool
	// LeaderThrottled and FollowerThrottled are which of this broker's replicas give out, and take in, no more than the throttles
	// allow (leader.replication.throttled.replicas, follower.replication.throttled.replicas).
	LeaderThrottled, FollowerThrottled Throttled
}

// Topic is what the replicas of one topic on this broker share.
type Topic struct {
	Name string
	ID   [16]byte

	// Traffic counts since the broker's start.
	Traffic Traffic

	manager    *Manager
	settings   atomic.Pointer[Settings]
	partitions []*Partition // by number, nil where none is held here; the manager's lock guards it
}

// Traffic counts what went through one topic on this broker. All fields only grow.
type Traffic struct {
	MessagesIn, BytesIn, BytesOut, BytesRejected    atomic.Int64
	ProduceRequests, FailedProduceRequests          atomic.Int64
	FetchRequests, FailedFetchRequests, Conversions atomic.Int64
	ReplicationBytesIn                              atomic.Int64
}

// partition is the replica held here, or nil. The caller holds the manager's lock.
func (t *Topic) partition(index int32) *Partition {
	if index < 0 || int(index) >= len(t.partitions) {
		return nil
	}
	return t.partitions[index]
}

// put shows a replica, or with nil takes it away. The caller holds the manager's lock.
func (t *Topic) put(index int32, p *Partition) {
	if missing := int(index) + 1 - len(t.partitions); missing > 0 {
		t.partitions = append(t.partitions, make([]*Partition, missing)...)
	}
	t.partitions[index] = p
}

// held lists the replicas held here. The caller holds the manager's lock.
func (t *Topic) held() []*Partition {
	held := make([]*Partition, 0, len(t.partitions))
	for _, p := range t.partitions {
		if p != nil {
			held = append(held, p)
		}
	}
	return held
}
