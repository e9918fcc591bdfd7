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
}

// Topic is what the replicas of one topic on this broker share.
type Topic struct {
	Name string
	ID   [16]byte

	// Traffic counts since the broker's start.
	Traffic Traffic

	manager    *Manager
	settings   atomic.Pointer[Settings]
	partitions map[int32]*Partition // those held here; the manager's lock guards it
}

// Traffic counts what went through one topic on this broker. All fields only grow.
type Traffic struct {
	MessagesIn, BytesIn, BytesOut, BytesRejected    atomic.Int64
	ProduceRequests, FailedProduceRequests          atomic.Int64
	FetchRequests, FailedFetchRequests, Conversions atomic.Int64
}
