package storage

import (
	"log/slog"
	"time"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// Settings are a topic's settings as far as its logs act on them, under Kafka's names. A value is shared by the logs of
// a topic and never changed: SetSettings replaces it.
type Settings struct {
	SegmentBytes         int64 // segment.bytes: roll before a segment grows beyond it
	SegmentMs            int64 // segment.ms: roll when record time has gone on by so much since the segment's first batch
	SegmentJitterMs      int64 // segment.jitter.ms: at most so much earlier, drawn once per segment
	SegmentIndexBytes    int32 // segment.index.bytes: roll when an index is full
	IndexIntervalBytes   int32 // index.interval.bytes: an index entry every so many bytes
	RetentionMs          int64 // retention.ms; negative: without limit
	RetentionBytes       int64 // retention.bytes; negative: without limit
	Delete, Compact      bool  // cleanup.policy
	FlushMessages        int64 // flush.messages; acted on by the owner
	FlushMs              int64 // flush.ms; acted on by the owner
	FileDeleteDelayMs    int64 // file.delete.delay.ms: how long a dropped segment's files stay, renamed to .deleted
	DeleteRetentionMs    int64 // delete.retention.ms
	MinCompactionLagMs   int64 // min.compaction.lag.ms
	MaxCompactionLagMs   int64 // max.compaction.lag.ms
	MinCleanableRatio    float64
	Preallocate          bool  // preallocate: reserve a whole segment at once, not in growing steps
	ProducerExpirationMs int64 // producer.id.expiration.ms: forget an idle producer; 0 or negative: never
	MaxMessageBytes      int32 // max.message.bytes; bounds the cleaner's buffers
}

// maxSegmentMs is the time after which a segment is rolled: a compacted topic also rolls so that records become
// cleanable within max.compaction.lag.ms.
func (s *Settings) maxSegmentMs() int64 {
	if s.Compact && s.MaxCompactionLagMs > 0 {
		return min(s.SegmentMs, s.MaxCompactionLagMs)
	}
	return s.SegmentMs
}

// Options say where a log lives and what is known of it. Dir, FS, Files, Settings are required.
type Options struct {
	FS       vfs.FS
	Dir      string // the partition's own directory
	Files    *Files
	Settings *Settings
	Now      func() time.Time // nil: time.Now
	Logger   *slog.Logger     // nil: nothing is logged

	// Checkpoint is what the data directory's checkpoints say. It is not used when there is a Manifest.
	Checkpoint Checkpoint
	// Manifest, when set, is what Close returned at a clean stop after which nobody touched the directory: Open then
	// touches no file at all.
	Manifest *ManifestEntry

	// Appended, when set, is called after each append with its size, and with 0 when the start or end offset
	// moved otherwise, under the log's lock: it must not block or call the log.
	Appended func(l *Log, bytes int)

	// Interrupted, when set, is asked during a long recovery, and ends it with its error: the log is then not opened.
	Interrupted func() error

	// SkipRecoveryScan leaves out the check of a log's tail after an unclean stop. Only the crash tests set it, to
	// prove that they would notice.
	SkipRecoveryScan bool
}

// Checkpoint is what is known of a log from outside its directory.
type Checkpoint struct {
	// RecoveryPoint is the offset below which everything was made durable: recovery after a power cut starts there,
	// and damage below it is never cut away.
	RecoveryPoint int64
	// LogStartOffset is the offset below which records are deleted though a segment may still hold them.
	LogStartOffset int64
	// Clean: the log was closed in order. Nothing is scanned.
	Clean bool
	// SameBoot: the machine has not restarted since the log was last open, so each completed write is there; only the
	// last one may be torn.
	SameBoot bool
}

// Origin says on whose behalf an append is made, and so which checks it gets.
type Origin int8

const (
	// Client is a producer's batch: duplicates are answered, sequences checked.
	Client Origin = iota
	// Coordinator is a coordinator's own batch: no sequences.
	Coordinator
	// Replication is what the leader has already checked: offsets and epochs are given, producers' state follows.
	Replication
	// Marker is a transaction's end: one control batch, producer and coordinator epochs checked.
	Marker
)

// AppendOptions are the terms of one append.
type AppendOptions struct {
	LeaderEpoch        int32 // written into the batches unless FirstOffsetIsGiven
	Origin             Origin
	NowMs              int64 // the time of rolling decisions; 0: Options.Now
	FirstOffsetIsGiven bool  // keep the offsets and epochs that the batches have (a follower)
	// TransactionVersion of the transaction that a Marker ends: from 2 on each transaction has an epoch of its own, and
	// the marker must carry a newer one than its data (KIP-1228).
	TransactionVersion int16
	// MustBeOngoing refuses a transactional batch that would begin a transaction here: its producer has not been
	// verified with the coordinator (KIP-890).
	MustBeOngoing bool
}

// Appended tells where an append went. For a duplicate the offsets are those of the first time.
type Appended struct {
	BaseOffset, LastOffset int64
	LogStartOffset         int64
	EndOffset              int64 // of the log, after the append
	MaxTimestamp           int64 // the largest in the batches
	Duplicate              bool
}

// Found is a record found by its timestamp.
type Found struct {
	Offset, Timestamp int64
	LeaderEpoch       int32
}

// AbortedTransaction is one whose records between FirstOffset and LastOffset, the offset of its marker, a consumer with
// read_committed skips.
type AbortedTransaction struct {
	ProducerID              int64
	FirstOffset, LastOffset int64
	LastStableOffset        int64 // at the time of the abort; the index is ordered by LastOffset
}

// EpochEntry says that a leader epoch's first record has StartOffset.
type EpochEntry struct {
	Epoch       int32
	StartOffset int64
}

// ProducerState is what the log knows about a producer.
type ProducerState struct {
	ProducerID       int64
	Epoch            int16
	LastSequence     int32 // -1: no batch in this epoch
	LastOffset       int64 // of its newest batch, -1 if none
	LastTimestamp    int64
	CoordinatorEpoch int32
	// TransactionStart is the first offset of the open transaction, -1 if there is none.
	TransactionStart int64
}

// Housekeeping is what one round did and when the next is due.
type Housekeeping struct {
	Rolled          bool
	DeletedSegments int
	DeletedBytes    int64
	RemovedFiles    int       // whose delay had passed
	NextDue         time.Time // zero: nothing to do before the next append or change of settings
}
