package storage

// ManifestEntry is all that a cleanly closed log needs to be opened without touching a file. It is plain data: its owner
// keeps it, with others, where it wants, and must not hand it in after anybody else wrote to the directory.
type ManifestEntry struct {
	StartOffset, EndOffset, FlushedOffset int64
	HighWatermark                         int64
	FirstUnstableOffset                   int64 // of the oldest open transaction, -1 if there is none
	ProducerSnapshot                      int64 // offset of the snapshot that holds the producers' state, -1 if there are none
	Segments                              []SegmentInfo
	Epochs                                []EpochEntry
	Recent                                []RecentBatches // of producers with more than the one that a snapshot keeps
}

// RecentBatches are a producer's remembered batches, oldest first. Kafka's snapshots keep but the newest; a retry of an
// older one would be refused after the log was closed for a while.
type RecentBatches struct {
	ProducerID int64
	Batches    []producerBatch
}

// EpochAt is the leader epoch of the record at an offset, -1 if unknown.
func (m *ManifestEntry) EpochAt(offset int64) int32 { return epochAt(m.Epochs, offset) }

// SegmentInfo is a segment as others see it.
type SegmentInfo struct {
	BaseOffset, Size int64
	MaxTimestamp     int64 // -1: no record has one
	ModifiedMs       int64 // when it was last written, for retention without timestamps
}
