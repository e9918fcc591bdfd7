package batch

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
)

// MaxDecodedBytes is how much the records of one batch may decompress to unless options say otherwise: the largest that
// max.decompressed.message.bytes may be, so that whoever reads the log takes what any producer was allowed. It
// bounds work, not memory, as batches are walked and recompressed in a stream.
const MaxDecodedBytes = 1<<31 - 9

// Origin is who brings a batch.
type Origin int8

const (
	FromClient      Origin = iota // a producer: everything is checked
	FromCoordinator               // this broker itself: control batches are allowed
	FromReplication               // the leader, who checked: frames and checksums only, several batches, offsets stay
)

// CheckOptions are a topic's settings and the circumstances of an append.
type CheckOptions struct {
	Codec          Codec // compression.type: CodecProducer keeps the producer's
	Levels         Levels
	Compacted      bool  // cleanup.policy has compact: records need keys
	LogAppendTime  bool  // message.timestamp.type
	BeforeMaxMs    int64 // message.timestamp.before.max.ms
	AfterMaxMs     int64 // message.timestamp.after.max.ms
	NowMs          int64
	MaxBatchBytes  int   // max.message.bytes; 0: no limit
	MaxDecoded     int   // 0: MaxDecodedBytes
	ProduceVersion int16 // of the request, for clients
	Origin         Origin
}

// Checked is what Check lets pass.
type Checked struct {
	// Bytes are whole batches of magic 2, ready for offsets and epoch to be written into them. They are the memory that Check
	// was given, perhaps changed in place (timestamps, checksum), unless Rebuilt. Empty only if an old producer
	// (Produce before version 3) sent an empty message set, to which Kafka answers success.
	Bytes []byte
	// Header is the header of the first batch in Bytes.
	Header Header
	// MaxTimestamp is the largest timestamp of the records, or the append time; NoTimestamp if they have none.
	MaxTimestamp int64
	// DeltaOfMaxTimestamp is the offset of the first record with that timestamp, counted from the base offset.
	// Unknown, and the batch's last, for replicated batches.
	DeltaOfMaxTimestamp int32
	// Rebuilt says that Bytes is new memory: recompressed, converted, or given consecutive offsets.
	Rebuilt bool
}

// Version gates of Produce.
const (
	produceVersionMagic2 = 3 // exactly one batch of magic 2 from here on
	produceVersionZstd   = 7
)

// Check does everything that Kafka does to a partition's records before they go into the log, bar the offsets: frames,
// checksum, the batch's own statements, each record's structure, key and timestamp, the size, and the conversion to the
// topic's codec, kind of timestamps and format. A batch that passed breaks no consumer.
//
// b belongs to the caller again afterwards, with what was changed in it; on an error it is unchanged. Errors wrap
// the kerr error to answer; *RecordErrors names the records.
func Check(b []byte, o CheckOptions) (Checked, error) {
	if o.Origin == FromReplication {
		return checkReplicated(b)
	}
	size, magic, err := frame(b)
	if err != nil {
		return Checked{}, err
	}
	if size == 0 {
		if o.Origin == FromClient && o.ProduceVersion < produceVersionMagic2 {
			return Checked{}, nil
		}
		return Checked{}, invalid("no whole batch in the records")
	}
	if magic < MagicCurrent {
		if o.Origin != FromClient || o.ProduceVersion >= produceVersionMagic2 {
			return Checked{}, invalid("magic %d in Produce version %d", magic, o.ProduceVersion)
		}
		return checkLegacy(b, o)
	}
	return checkCurrent(b[:size:size], b[size:], o)
}

// frame returns size and magic of the batch or message at the start of b, of any format; size 0 if b ends within it,
// which at the end of a producer's records is ignored, as half a batch always was.
func frame(b []byte) (size int, magic int8, err error) {
	const smallest = 14 // what a message of magic 0 counts at least
	if len(b) < LogOverhead {
		return 0, 0, nil
	}
	length := int32(binary.BigEndian.Uint32(b[posLength:]))
	if length < smallest {
		return 0, 0, ErrLength
	}
	if len(b) <= posMagic {
		return 0, 0, nil
	}
	magic = int8(b[posMagic])
	if magic < MagicV0 || magic > MagicCurrent {
		return 0, 0, ErrMagic
	}
	if int64(length)+LogOverhead > int64(len(b)) {
		return 0, 0, nil
	}
	return int(length) + LogOverhead, magic, nil
}

func checkCurrent(b, rest []byte, o CheckOptions) (Checked, error) {
	if len(b) < HeaderSize {
		return Checked{}, ErrLength
	}
	h, err := ParseHeader(b)
	if err != nil {
		return Checked{}, err
	}
	if o.Origin == FromClient && h.Codec() == CodecZstd && o.ProduceVersion < produceVersionZstd {
		return Checked{}, fmt.Errorf("zstd in Produce version %d: %w", o.ProduceVersion, kerr.UnsupportedCompressionType)
	}
	if size, _, err := frame(rest); err != nil {
		return Checked{}, err
	} else if size > 0 {
		return Checked{}, invalid("more than one batch in a partition's records")
	}
	if o.Origin == FromClient && h.BaseOffset != 0 {
		return Checked{}, invalid("base offset %d, has to be 0", h.BaseOffset)
	}
	if err := checkSize(len(b), o); err != nil {
		return Checked{}, err
	}
	if err := CheckCRC(b); err != nil {
		return Checked{}, err
	}
	if err := checkHeader(h, o.Origin); err != nil {
		return Checked{}, err
	}
	return checkRecords(b, h, o)
}

func checkSize(size int, o CheckOptions) error {
	if o.MaxBatchBytes > 0 && size > o.MaxBatchBytes {
		return fmt.Errorf("batch of %d bytes, more than %d: %w", size, o.MaxBatchBytes, kerr.MessageTooLarge)
	}
	return nil
}

// checkHeader checks what the header says by itself.
func checkHeader(h Header, from Origin) error {
	if !h.Codec().Known() {
		return invalid("codec %d does not exist", h.Codec())
	}
	if h.NumRecords < 0 || h.LastOffsetDelta < 0 {
		return invalid("%d records up to offset delta %d", h.NumRecords, h.LastOffsetDelta)
	}
	if from != FromClient {
		return nil
	}
	if h.NumRecords == 0 || int64(h.NumRecords) != int64(h.LastOffsetDelta)+1 {
		return invalid("%d records, but last offset delta %d", h.NumRecords, h.LastOffsetDelta)
	}
	if h.Control() {
		return invalid("clients do not write control batches")
	}
	if _, set := h.DeleteHorizon(); set {
		return invalid("clients do not set a delete horizon")
	}
	if h.HasProducer() && h.BaseSequence < 0 {
		return invalid("producer %d with sequence %d", h.ProducerID, h.BaseSequence)
	}
	if h.Transactional() && !h.HasProducer() {
		return invalid("transactional batch without a producer id")
	}
	return nil
}

// checkRecords walks the records and does to the batch what the topic's settings ask for.
func checkRecords(b []byte, h Header, o CheckOptions) (Checked, error) {
	w := walk{header: h, options: o, maxTimestamp: NoTimestamp}
	var err error
	if h.Codec() == CodecNone {
		err = w.plain(b[HeaderSize:])
	} else {
		err = w.compressed(b[HeaderSize:])
	}
	if err != nil {
		return Checked{}, err
	}
	if w.errors != nil {
		return Checked{}, w.errors
	}
	target := o.target(h)
	if target != h.Codec() || w.gaps {
		return rebuild(b, h, target, o)
	}
	if w.maxTimestamp == NoTimestamp {
		w.deltaOfMax = 0
	}
	if o.LogAppendTime {
		w.maxTimestamp, w.deltaOfMax = o.NowMs, 0
	}
	SetTimestamps(b, w.maxTimestamp, o.LogAppendTime)
	h, err = ParseHeader(b)
	return Checked{Bytes: b, Header: h, MaxTimestamp: w.maxTimestamp, DeltaOfMaxTimestamp: w.deltaOfMax}, err
}

// target is the codec in which the batch is to be stored. Control batches stay as they are: they are one small record.
func (o *CheckOptions) target(h Header) Codec {
	if o.Codec == CodecProducer || h.Control() {
		return h.Codec()
	}
	return o.Codec
}

// rebuild makes the batch anew, in another codec and with consecutive offsets.
func rebuild(b []byte, h Header, target Codec, o CheckOptions) (Checked, error) {
	options := OptionsOf(h)
	options.Codec, options.Levels = target, o.Levels
	options.LogAppendTime, options.AppendTimeMs = o.LogAppendTime, o.NowMs
	options.MaxBytes = o.MaxBatchBytes
	builder := NewBuilder(options)
	err := builder.copyRecords(h, b[HeaderSize:], decodeLimit(o.MaxDecoded), func(index int32, _ int64) (int64, bool) {
		return h.BaseOffset + int64(index), true
	})
	if err != nil {
		return Checked{}, err
	}
	return o.built(builder)
}

// built finishes a batch that Check made itself, and checks its size again: it may have grown.
func (o *CheckOptions) built(builder *Builder) (Checked, error) {
	if builder.Size() > math.MaxInt32 {
		return Checked{}, ErrDecodedTooLarge
	}
	c := Checked{Bytes: builder.Build(), Rebuilt: true, DeltaOfMaxTimestamp: builder.deltaOfMax}
	if err := checkSize(len(c.Bytes), *o); err != nil {
		return Checked{}, err
	}
	h, err := ParseHeader(c.Bytes)
	c.Header, c.MaxTimestamp = h, h.MaxTimestamp
	if o.LogAppendTime {
		c.DeltaOfMaxTimestamp = 0
	}
	return c, err
}

// checkReplicated checks what a follower received: whole batches with right checksums and rising offsets. Half a batch at
// the end is cut off.
func checkReplicated(b []byte) (Checked, error) {
	c := Checked{MaxTimestamp: NoTimestamp}
	at, last := 0, int64(-1)
	for {
		size, magic, err := frame(b[at:])
		if err != nil {
			return Checked{}, err
		}
		if size == 0 {
			c.Bytes = b[:at:at]
			return c, nil
		}
		if magic != MagicCurrent {
			return Checked{}, ErrMagic
		}
		h, err := ParseHeader(b[at : at+size])
		if err != nil {
			return Checked{}, ErrLength
		}
		if err := CheckCRC(b[at : at+size]); err != nil {
			return Checked{}, fmt.Errorf("batch at offset %d: %w", h.BaseOffset, err)
		}
		if h.BaseOffset <= last || h.LastOffsetDelta < 0 {
			return Checked{}, fmt.Errorf("batch from %d to %d behind offset %d: %w",
				h.BaseOffset, h.LastOffset(), last, kerr.CorruptMessage)
		}
		if at == 0 {
			c.Header = h
		}
		if h.MaxTimestamp > c.MaxTimestamp {
			c.MaxTimestamp = h.MaxTimestamp
			c.DeltaOfMaxTimestamp = int32(min(h.LastOffset()-c.Header.BaseOffset, math.MaxInt32))
		}
		at, last = at+size, h.LastOffset()
	}
}
