package batch

import (
	"cmp"
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
	MaxBytes        int    // the most that the batch may become; 0: what its length can say
}

// Builder builds one batch of magic 2. Records are encoded as they are added, so that they may be reused afterwards, and
// compressed on the way if they are many: its memory is that of the result.
type Builder struct {
	options       BuilderOptions
	body          body // with room for the header
	count         int32
	lastOffset    int64
	baseTimestamp int64
	maxTimestamp  int64
	deltaOfMax    int32 // of the first record with maxTimestamp
}

// NewBuilder returns a builder without records.
func NewBuilder(o BuilderOptions) *Builder {
	b := &Builder{
		options: o, lastOffset: o.BaseOffset - 1,
		body: body{
			codec: o.Codec, levels: o.Levels, limit: o.MaxBytes, room: HeaderSize, staged: make([]byte, HeaderSize, 512),
		},
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
		panic(err) // 2^31 records or bytes do not fit a batch; who sets MaxBytes calls AppendAt
	}
}

// AppendAt adds a record at r.Offset, which has to be above the last one and within 2^31 of the base offset. An error
// that wraps kerr.MessageTooLarge says that the batch outgrew MaxBytes. After an error the builder is of no use.
func (b *Builder) AppendAt(r Record) error {
	timestampDelta, offsetDelta, err := b.place(r.Offset, r.Timestamp)
	if err != nil {
		return err
	}
	b.body.staged = appendRecord(b.body.staged, &r, timestampDelta, offsetDelta)
	return b.body.drain()
}

// place counts a record in and returns its deltas.
func (b *Builder) place(offset, timestamp int64) (timestampDelta int64, offsetDelta int32, err error) {
	delta := offset - b.options.BaseOffset
	if offset <= b.lastOffset || delta < 0 || delta > math.MaxInt32 {
		return 0, 0, fmt.Errorf("record at offset %d in a batch from %d to %d", offset, b.options.BaseOffset, b.lastOffset)
	}
	if b.count == 0 && b.options.DeleteHorizonMs == nil {
		b.baseTimestamp = timestamp
	}
	b.count++
	b.lastOffset = offset
	if timestamp > b.maxTimestamp {
		b.maxTimestamp, b.deltaOfMax = timestamp, int32(delta)
	}
	return timestamp - b.baseTimestamp, int32(delta), nil
}

// AppendFrom adds those records of source, one whole batch of magic 2, that keep wants by their index. They keep offset and
// timestamp, and pass from one codec into the other in a stream. Errors are those of AppendAt and Scan.
func (b *Builder) AppendFrom(source []byte, keep func(index int) bool) error {
	h, whole, _, err := Next(source)
	if err != nil {
		return err
	}
	return b.copyRecords(h, whole[HeaderSize:], MaxDecodedBytes, func(index int32, offset int64) (int64, bool) {
		return offset, keep(int(index))
	})
}

// copyRecords adds the records of a payload where place puts them by their index and offset.
func (b *Builder) copyRecords(h Header, payload []byte, limit int, place func(index int32, offset int64) (at int64, ok bool)) error {
	s, err := openRecords(h.Codec(), payload, limit)
	if err != nil {
		return err
	}
	defer s.from.close()
	var m recordMeta
	for i := range h.NumRecords {
		end := s.head(&m)
		if at, ok := place(i, h.BaseOffset+int64(m.offsetDelta)); !ok {
			s.pass(end-s.taken, nil)
		} else if s.err == nil {
			err = b.copyRecord(&s, end-s.taken, at, h.timestamp(m.timestampDelta))
		}
		if err != nil || s.err != nil {
			return fmt.Errorf("record %d of %d: %w", i, h.NumRecords, cmp.Or(s.err, err))
		}
	}
	return s.end()
}

// copyRecord adds a record whose key, value and headers are the next bytes of a stream.
func (b *Builder) copyRecord(s *recordStream, rest, offset, timestamp int64) error {
	timestampDelta, offsetDelta, err := b.place(offset, timestamp)
	if err != nil {
		return err
	}
	size := 1 + int64(varintSize(timestampDelta)+varintSize(int64(offsetDelta))) + rest
	if size > math.MaxInt32 {
		return ErrDecodedTooLarge
	}
	b.body.staged = appendRecordHead(b.body.staged, int(size), timestampDelta, offsetDelta)
	s.pass(rest, &b.body)
	return b.body.drain()
}

// SetLastOffset lets the batch end at an offset that has no record any more, as compaction leaves it.
func (b *Builder) SetLastOffset(offset int64) { b.lastOffset = offset }

// Count is the number of records added.
func (b *Builder) Count() int { return int(b.count) }

// Size is the size of the batch so far, before compression.
func (b *Builder) Size() int { return b.body.encoded() }

// Build returns the batch, in memory that nobody else uses. The builder must not be used afterwards. There has to be a record
// (EmptyBatch makes what compaction leaves of a batch without).
func (b *Builder) Build() []byte {
	if b.count == 0 {
		panic("batch: build without records")
	}
	if b.options.Transactional && b.options.Producer == nil {
		panic("batch: transactional batch without a producer")
	}
	return finish(b.body.finish(), b.header())
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
