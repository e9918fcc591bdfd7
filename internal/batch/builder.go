package batch

import (
	"fmt"
	"math"
)

// Producer is the identity of an idempotent or transactional producer in a batch.
type Producer struct {
	ID           int64
	Epoch        int16
	BaseSequence int32 // NoSequence in markers
}

// BuilderOptions say what kind of batch is built. The zero value is a plain, uncompressed batch at offset 0.
type BuilderOptions struct {
	BaseOffset      int64
	LeaderEpoch     int32
	Codec           Codec
	Levels          Levels
	Producer        *Producer // nil: none
	Transactional   bool
	Control         bool
	LogAppendTime   bool
	AppendTimeMs    int64  // the time of all records, with LogAppendTime
	DeleteHorizonMs *int64 // nil: none
}

// Builder builds one batch of magic 2. Records are encoded as they are added, so that they may be reused afterwards.
type Builder struct {
	options       BuilderOptions
	buf           []byte // room for the header, then the records, uncompressed
	count         int32
	lastOffset    int64
	baseTimestamp int64
	maxTimestamp  int64
	deltaOfMax    int32 // of the first record with maxTimestamp
}

// NewBuilder returns a builder without records.
func NewBuilder(o BuilderOptions) *Builder {
	b := &Builder{
		options: o, buf: make([]byte, HeaderSize, 512), lastOffset: o.BaseOffset - 1,
		baseTimestamp: NoTimestamp, maxTimestamp: NoTimestamp,
	}
	if o.DeleteHorizonMs != nil {
		b.baseTimestamp = *o.DeleteHorizonMs
	}
	return b
}

// Append adds a record at the next offset, whatever r.Offset says.
func (b *Builder) Append(r Record) {
	r.Offset = b.lastOffset + 1
	if err := b.AppendAt(r); err != nil {
		panic(err) // 2^31 records do not fit a batch
	}
}

// AppendAt adds a record at r.Offset, which has to be above the last one and within 2^31 of the base offset.
func (b *Builder) AppendAt(r Record) error {
	delta := r.Offset - b.options.BaseOffset
	if r.Offset <= b.lastOffset || delta < 0 || delta > math.MaxInt32 {
		return fmt.Errorf("record at offset %d in a batch from %d to %d", r.Offset, b.options.BaseOffset, b.lastOffset)
	}
	if b.count == 0 && b.options.DeleteHorizonMs == nil {
		b.baseTimestamp = r.Timestamp
	}
	b.buf = appendRecord(b.buf, &r, r.Timestamp-b.baseTimestamp, int32(delta))
	b.count++
	b.lastOffset = r.Offset
	if r.Timestamp > b.maxTimestamp {
		b.maxTimestamp, b.deltaOfMax = r.Timestamp, int32(delta)
	}
	return nil
}

// SetLastOffset lets the batch end at an offset that has no record any more, as compaction leaves it.
func (b *Builder) SetLastOffset(offset int64) { b.lastOffset = offset }

// Count is the number of records added.
func (b *Builder) Count() int { return int(b.count) }

// Size is the size of the batch so far, before compression.
func (b *Builder) Size() int { return len(b.buf) }

// Build returns the batch, in memory that nobody else uses. The builder must not be used afterwards. There has to be a record
// (EmptyBatch makes what compaction leaves of a batch without).
func (b *Builder) Build() []byte {
	if b.count == 0 {
		panic("batch: build without records")
	}
	if b.options.Transactional && b.options.Producer == nil {
		panic("batch: transactional batch without a producer")
	}
	out := b.buf
	if b.options.Codec != CodecNone {
		out = make([]byte, HeaderSize, HeaderSize+len(b.buf)/2)
		out = Compress(b.options.Codec, b.options.Levels, out, b.buf[HeaderSize:])
	}
	b.buf = nil
	return finish(out, b.header())
}

func (b *Builder) header() Header {
	o := b.options
	h := Header{
		BaseOffset: o.BaseOffset, LeaderEpoch: o.LeaderEpoch, Attributes: int16(o.Codec),
		LastOffsetDelta: int32(b.lastOffset - o.BaseOffset), BaseTimestamp: b.baseTimestamp, MaxTimestamp: b.maxTimestamp,
		ProducerID: NoProducerID, ProducerEpoch: NoProducerEpoch, BaseSequence: NoSequence, NumRecords: b.count,
	}
	if p := o.Producer; p != nil {
		h.ProducerID, h.ProducerEpoch, h.BaseSequence = p.ID, p.Epoch, p.BaseSequence
	}
	if o.LogAppendTime {
		h.Attributes |= bitLogAppendTime
		h.MaxTimestamp = o.AppendTimeMs
	}
	if o.Transactional {
		h.Attributes |= bitTransactional
	}
	if o.Control {
		h.Attributes |= bitControl
	}
	if o.DeleteHorizonMs != nil {
		h.Attributes |= bitDeleteHorizon
	}
	return h
}

// finish writes the header in front of the records in b, with magic, length and checksum.
func finish(b []byte, h Header) []byte {
	if len(b) > math.MaxInt32 {
		panic(fmt.Sprintf("batch: %d bytes in one batch", len(b)))
	}
	h.Magic = MagicCurrent
	h.Length = int32(len(b) - LogOverhead)
	h.put(b)
	SetCRC(b)
	return b
}

// OptionsOf returns the options by which a builder makes batches like one with this header: its
// base offset, epoch, codec, producer and kind.
func OptionsOf(h Header) BuilderOptions {
	o := BuilderOptions{
		BaseOffset: h.BaseOffset, LeaderEpoch: h.LeaderEpoch, Codec: h.Codec(),
		Transactional: h.Transactional(), Control: h.Control(),
		LogAppendTime: h.LogAppendTime(), AppendTimeMs: h.MaxTimestamp,
	}
	if h.HasProducer() {
		o.Producer = &Producer{ID: h.ProducerID, Epoch: h.ProducerEpoch, BaseSequence: h.BaseSequence}
	}
	if ms, ok := h.DeleteHorizon(); ok {
		o.DeleteHorizonMs = &ms
	}
	return o
}

// EmptyBatch returns what compaction leaves of a batch whose records are all gone but whose last offset or
// producer's sequence must be remembered: its header, without records, codec and base timestamp.
func EmptyBatch(h Header) []byte {
	h.Attributes &^= maskCodec | bitDeleteHorizon
	h.BaseTimestamp = NoTimestamp
	h.NumRecords = 0
	return finish(make([]byte, HeaderSize), h)
}
