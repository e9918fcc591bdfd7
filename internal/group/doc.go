// Package group decides about consumer groups and keeps their committed offsets.
//
// A shard is all groups and offsets of one partition of __consumer_offsets, as one immutable value. Requests are events
// of a machine (package machine): given the shard and the time they return records, replies and what changed without a
// record: members that are joining, timers. The records have Kafka's formats, and the replay of what members and offsets
// left in the log makes the same shard again, without the volatile part.
//
// Classic groups are complete. Groups of the newer kinds (consumer, share, streams) are known by name only, so that
// what an adopted log says of them is kept and nothing here mistakes them for classic ones.
//
// The package is pure: no goroutine, lock, clock, randomness or file. It must not know which broker leads what, where
// records are written, or whether a topic exists.
package group

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/machine"
)

// Change is what one decision writes: records that are appended together and replayed as one step.
type Change []Record

// Event is a request, or the passing of time, that a shard decides about.
type Event = machine.Event[*Shard, Change]

// Decision is what an event leads to.
type Decision = machine.Decision[*Shard, Change]

// Reply takes the answer to a request, once everything it tells is committed. It must not wait. It may be called a
// second time when a decision that already answered is undone; only the first call counts.
type Reply func(kmsg.Response)

// Caller is what a group remembers of who joined it.
type Caller struct {
	ClientID string
	// ClientHost is the client's address as Kafka writes it: "/127.0.0.1".
	ClientHost string
}

// Config bounds and times a shard's groups. Nothing but MaxRecordBytes changes while the shard is loaded.
type Config struct {
	InitialRebalanceDelayMs int64 // group.initial.rebalance.delay.ms
	MinSessionTimeoutMs     int32 // group.min.session.timeout.ms
	MaxSessionTimeoutMs     int32 // group.max.session.timeout.ms
	MaxSize                 int   // group.max.size
	OffsetsRetentionMs      int64 // offsets.retention.minutes
	RetentionCheckMs        int64 // offsets.retention.check.interval.ms
	OffsetMetadataMaxBytes  int   // offset.metadata.max.bytes, counted in UTF-16 units as Kafka counts
	// MaxRecordBytes is what one record may take in the log now, a little under the topic's max.message.bytes.
	MaxRecordBytes func() int
}

// DefaultConfig has Kafka's defaults.
func DefaultConfig() *Config {
	return &Config{
		InitialRebalanceDelayMs: 3_000,
		MinSessionTimeoutMs:     6_000,
		MaxSessionTimeoutMs:     1_800_000,
		MaxSize:                 1<<31 - 1,
		OffsetsRetentionMs:      10_080 * 60_000,
		RetentionCheckMs:        600_000,
		OffsetMetadataMaxBytes:  4096,
		MaxRecordBytes:          func() int { return 1<<20 - 1024 },
	}
}

const (
	// newMemberJoinTimeoutMs bounds a first JoinGroup. Its member cannot heartbeat, as it does not know its id yet, and
	// a client that went away would else be waited for in every rebalance.
	newMemberJoinTimeoutMs = 300_000
	// maxTimersAtOnce bounds the timers that one decision looks at; the next decision follows at once.
	maxTimersAtOnce = 1_000
	// maxScanAtOnce bounds the offsets that one decision looks at when it seeks expired ones or those of a deleted topic.
	maxScanAtOnce = 20_000
	// maxRecordsAtOnce bounds what one decision writes that nobody asked for in one request.
	maxRecordsAtOnce = 2_000
)
