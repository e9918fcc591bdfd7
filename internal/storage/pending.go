package storage

import (
	"errors"
	"time"
)

// errNotYet is answered by what is being written.
var errNotYet = errors.New("storage: not yet")

// Log is one partition's log. All methods may be called concurrently.
type Log struct{}

// Create makes an empty log at Checkpoint.LogStartOffset in a directory that holds none, creating the directory.
func Create(o Options) (*Log, error) { return nil, errNotYet }

// Open opens the log of an existing directory, recovering it as far as Checkpoint says it must be. A directory without
// any segment is an empty log.
func Open(o Options) (*Log, error) { return nil, errNotYet }

// Append writes one or more whole v2 batches, already through batch.Check, to the end. Offsets and leader epoch are written
// into the bytes given. On an error nothing was appended.
//
// Errors wrap kerr.InvalidProducerEpoch, OutOfOrderSequenceNumber, InvalidTxnState, TransactionCoordinatorFenced, RecordListTooLarge (larger than a
// segment), CorruptMessage (not whole v2 batches; offsets that go back), KafkaStorageError.
func (l *Log) Append(batches []byte, o AppendOptions) (Appended, error) { return Appended{}, errNotYet }

// Read returns the whole batches from the one that holds offset from, or the next, while they end below the bound
// and fit into maxBytes; the first one even when it does not fit, if atLeastOne. An empty region is no error.
//
// Errors wrap kerr.OffsetOutOfRange (before the start, after the end), KafkaStorageError.
func (l *Log) Read(from, below int64, maxBytes int, atLeastOne bool) (Region, error) {
	return Region{}, errNotYet
}

// Region is a run of whole batches in one segment's file. It holds the file open until Close.
type Region struct {
	BaseOffset int64 // of the first batch; 0 when the region is empty
	NextOffset int64 // after the last batch: where to read on
}

// Len is the exact size in bytes.
func (r *Region) Len() int { return 0 }

// ReadInto reads the region into dst, which has room for Len bytes. What this process has not written or verified before it
// verifies now: a bad batch is kerr.CorruptMessage.
func (r *Region) ReadInto(dst []byte) (int, error) { return 0, errNotYet }

// Close lets go of the file. It must be called once, also for an empty region.
func (r *Region) Close() {}

// StartOffset is the log start offset: the first that may be read.
func (l *Log) StartOffset() int64 { return 0 }

// EndOffset is the offset that the next record gets.
func (l *Log) EndOffset() int64 { return 0 }

// FlushedOffset is the offset below which everything survives a power cut.
func (l *Log) FlushedOffset() int64 { return 0 }

// LastFlush is when Sync last succeeded; before the first time, when the log was opened.
func (l *Log) LastFlush() time.Time { return time.Time{} }

// HighWatermark is what SetHighWatermark last said.
func (l *Log) HighWatermark() int64 { return 0 }

// SetHighWatermark tells which records are committed: retention stays below it, and the last stable offset too.
// It is bounded by the log's start and end.
func (l *Log) SetHighWatermark(offset int64) {}

// LastStableOffset is the offset below which every transaction is decided, at most the high watermark.
func (l *Log) LastStableOffset() int64 { return 0 }

// Size is the sum of the segments' sizes.
func (l *Log) Size() int64 { return 0 }

// Segments lists the segments, oldest first; the last one is the active one.
func (l *Log) Segments() []SegmentInfo { return nil }

// OffsetForTimestamp finds the first record from the start offset on whose timestamp is ts or later.
func (l *Log) OffsetForTimestamp(ts int64) (Found, bool, error) { return Found{}, false, errNotYet }

// MaxTimestamp finds the first record with the largest timestamp.
func (l *Log) MaxTimestamp() (Found, bool, error) { return Found{}, false, errNotYet }

// EpochEnd answers OffsetForLeaderEpoch: the largest epoch ≤ the asked one and where it ends; -1, -1 if unknown.
func (l *Log) EpochEnd(epoch int32) (found int32, end int64) { return -1, -1 }

// EpochAt is the leader epoch of the record at an offset, -1 if unknown.
func (l *Log) EpochAt(offset int64) int32 { return -1 }

// LatestEpoch is the newest leader epoch that the log knows of, -1 if there is none.
func (l *Log) LatestEpoch() int32 { return -1 }

// BeginEpoch notes, in memory, that a leader epoch starts at an offset. It reaches the disk before that epoch's first
// append.
func (l *Log) BeginEpoch(epoch int32, start int64) {}

// AbortedTransactions lists the aborted transactions with records in [from, below).
func (l *Log) AbortedTransactions(from, below int64) ([]AbortedTransaction, error) {
	return nil, errNotYet
}

// Producers lists the active producers, by id.
func (l *Log) Producers() ([]ProducerState, error) { return nil, errNotYet }

// OngoingTransaction says whether a producer has an open transaction here in this epoch.
func (l *Log) OngoingTransaction(producerID int64, epoch int16) (bool, error) {
	return false, errNotYet
}

// DeleteRecordsBefore moves the start offset up. kerr.OffsetOutOfRange above the high watermark; below the start: no change.
func (l *Log) DeleteRecordsBefore(offset int64) error { return errNotYet }

// Truncate removes everything from an offset on. The owner must lower the recovery point it keeps before anything is
// appended.
func (l *Log) Truncate(to int64) error { return errNotYet }

// TruncateAndStartAt removes everything; the log then is empty and starts and ends at offset.
func (l *Log) TruncateAndStartAt(offset int64) error { return errNotYet }

// Sync makes everything appended before the call durable: one fdatasync per changed file, outside the log's lock, shared by
// concurrent callers. After a failure the log takes no more appends: what the kernel dropped is unknown.
func (l *Log) Sync() error { return errNotYet }

// Housekeep rolls and deletes what retention says, forgets expired producers and removes files whose delay has passed.
func (l *Log) Housekeep(now time.Time) (Housekeeping, error) { return Housekeeping{}, errNotYet }

// SetSettings replaces the settings; they act from the next append or Housekeep on.
func (l *Log) SetSettings(s *Settings) {}

// Damaged returns the offset and cause of committed data found damaged, or -1. A damaged replica must not lead.
func (l *Log) Damaged() (offset int64, cause error) { return -1, nil }

// Close lets go of the files; then every method fails with kerr.KafkaStorageError. With clean it first writes what a clean
// stop leaves, synced: indexes, producers' state. The entry is valid only then.
func (l *Log) Close(clean bool) (ManifestEntry, error) { return ManifestEntry{}, errNotYet }

// Files is a process-wide set of open files with a limit, closing the least recently used. Its methods may be called
// concurrently.
type Files struct{}

// NewFiles returns a set of at most limit open files; those in use at this moment may exceed it.
func NewFiles(limit int) *Files { return nil }

// AppendTo appends the entry's encoding: versioned, self-delimiting, without a checksum.
func (m *ManifestEntry) AppendTo(b []byte) []byte { return b }

// DecodeManifestEntry reads what AppendTo wrote and returns the bytes behind it.
func DecodeManifestEntry(b []byte) (entry ManifestEntry, rest []byte, err error) {
	return ManifestEntry{}, b, errNotYet
}
