package batch

import (
	"errors"
	"iter"
)

// This file only publishes signatures while the implementations are being written.

var errNotYet = errors.New("batch: not written yet")

// Check: all of Kafka's LogValidator.
func Check(b []byte, o CheckOptions) (Checked, error) { return Checked{}, errNotYet }

// Records decodes the records of b, one whole batch of magic 2 (0 and 1 too); maxDecoded 0 means MaxDecodedBytes.
// Keys and values alias b or one decompressed buffer.
func Records(b []byte, maxDecoded int) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) { yield(Record{}, errNotYet) }
}

// Producer is the identity of an idempotent or transactional producer.
type Producer struct {
	ID           int64
	Epoch        int16
	BaseSequence int32
}

// BuilderOptions say what batch is built.
type BuilderOptions struct {
	BaseOffset      int64
	LeaderEpoch     int32
	Codec           Codec
	Levels          Levels
	Producer        *Producer // nil: none
	Transactional   bool
	Control         bool
	LogAppendTime   bool
	AppendTimeMs    int64 // with LogAppendTime
	DeleteHorizonMs *int64
}

// Builder builds one batch.
type Builder struct{}

func NewBuilder(o BuilderOptions) *Builder { return &Builder{} }

// Append adds a record at the next offset, whatever r.Offset.
func (b *Builder) Append(r Record) {}

// AppendAt adds a record at r.Offset, which must be above the last one.
func (b *Builder) AppendAt(r Record) error { return errNotYet }

// SetLastOffset makes the batch end at an offset that has no record (compaction).
func (b *Builder) SetLastOffset(offset int64) {}

// Count and Size of what was added, uncompressed, header included.
func (b *Builder) Count() int { return 0 }
func (b *Builder) Size() int  { return 0 }

// Build returns the batch, new memory.
func (b *Builder) Build() []byte { panic("not written yet") }

// ConvertOptions for UpConvert.
type ConvertOptions struct {
	Codec       Codec // CodecProducer: that of the message set
	Levels      Levels
	KeepOffsets bool // else offsets from 0
	MaxDecoded  int
}

// UpConvert: v0/v1 message set to one v2 batch.
func UpConvert(messageSet []byte, o ConvertOptions) ([]byte, error) { return nil, errNotYet }

// DownConvert: whole batches to a message set of magic 0 or 1.
func DownConvert(batches []byte, magic int8, from int64, maxBytes int) ([]byte, error) {
	return nil, errNotYet
}

// ControlType is the kind of a control record.
type ControlType int16

const (
	ControlAbort          ControlType = 0
	ControlCommit         ControlType = 1
	ControlLeaderChange   ControlType = 2
	ControlSnapshotHeader ControlType = 3
	ControlSnapshotFooter ControlType = 4
	ControlKRaftVersion   ControlType = 5
	ControlKRaftVoters    ControlType = 6
)

// EndTxnMarker is a transaction marker.
type EndTxnMarker struct {
	Commit           bool
	CoordinatorEpoch int32
}

// BuildEndTxnMarker builds the control batch that ends a transaction of a producer.
func BuildEndTxnMarker(producerID int64, producerEpoch int16, m EndTxnMarker, nowMs int64) []byte {
	panic("not written yet")
}

// ControlRecord makes the record of a control batch (BuilderOptions.Control).
func ControlRecord(t ControlType, value []byte, timestamp int64) Record { return Record{} }

// ParseControlType reads the key of a control record.
func ParseControlType(key []byte) (ControlType, error) { return 0, errNotYet }

// ParseEndTxnMarker reads a transaction marker's record.
func ParseEndTxnMarker(r Record) (EndTxnMarker, error) { return EndTxnMarker{}, errNotYet }

// Compress and Decompress of whole payloads.
func Compress(c Codec, l Levels, dst, payload []byte) []byte             { return nil }
func Decompress(c Codec, payload []byte, maxDecoded int) ([]byte, error) { return nil, errNotYet }
