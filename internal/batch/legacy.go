package batch

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// Message sets of magic 0 and 1: each message by itself, or a wrapper whose value is a compressed message set. Inner
// offsets are absolute in magic 0 and count from the first message in magic 1, where the wrapper carries the last one's.

// Positions in a message, from its offset field.
const (
	posLegacyCRC        = 12
	posLegacyMagic      = 16
	posLegacyAttributes = 17
	posLegacyTimestamp  = 18 // magic 1 only
	posLegacyKeyV0      = 18
	posLegacyKeyV1      = 26
)

// legacyOverhead is the size of a message of each magic without key and value.
var legacyOverhead = [2]int{posLegacyKeyV0 + 8, posLegacyKeyV1 + 8}

// maxSetMessages bounds a message set: parsed, small messages take four times their size, and they compress to nothing.
const maxSetMessages = 1 << 20

// maxConvertedBytes bounds what conversion holds uncompressed: a wrapper's set on its way up, one record on its way down.
// Old messages cannot be made in a stream, as each begins with the checksum of what follows.
const maxConvertedBytes = 64 << 20

type legacyMessage struct {
	offset     int64
	magic      int8
	attributes byte
	timestamp  int64
	key, value []byte
}

func (m *legacyMessage) codec() Codec { return Codec(m.attributes & maskCodec) }

func (m *legacyMessage) logAppendTime() bool {
	return m.magic == MagicV1 && m.attributes&bitLogAppendTime != 0
}

// parseLegacyMessage parses b, which is one whole message of magic 0 or 1 as framed.
func parseLegacyMessage(b []byte) (legacyMessage, error) {
	m := legacyMessage{
		offset: int64(binary.BigEndian.Uint64(b)), magic: int8(b[posLegacyMagic]), attributes: b[posLegacyAttributes],
		timestamp: NoTimestamp,
	}
	if crc32.ChecksumIEEE(b[posLegacyMagic:]) != binary.BigEndian.Uint32(b[posLegacyCRC:]) {
		return m, ErrCRC
	}
	if len(b) < legacyOverhead[m.magic] {
		return m, invalid("message of %d bytes", len(b))
	}
	at := posLegacyKeyV0
	if m.magic == MagicV1 {
		m.timestamp = int64(binary.BigEndian.Uint64(b[posLegacyTimestamp:]))
		at = posLegacyKeyV1
	}
	m.key, at = readSized(b, at)
	m.value, at = readSized(b, at)
	if at < 0 {
		return m, invalid("message does not parse")
	}
	return m, nil
}

// readSized reads a 32-bit length and that many bytes; a negative length is null. An i of -1 stays.
func readSized(b []byte, i int) ([]byte, int) {
	if i < 0 || len(b)-i < 4 {
		return nil, -1
	}
	size := int(int32(binary.BigEndian.Uint32(b[i:])))
	i += 4
	if size < 0 {
		return nil, i
	}
	if size > len(b)-i {
		return nil, -1
	}
	return b[i : i+size : i+size], i + size
}

// messageSet is a parsed message set, wrappers resolved.
type messageSet struct {
	magic         int8
	codec         Codec // of the wrapper
	logAppendTime bool  // the producer, or broker, claims to have set the timestamps
	records       []Record
}

// parseMessageSet parses whole messages; half a message at the end is dropped, as brokers cut answers anywhere. check is
// asked about the size of each. A wrapper has to be alone.
func parseMessageSet(b []byte, maxDecoded int, check func(size int) error) (messageSet, error) {
	var set messageSet
	for n := 0; ; n++ {
		size, magic, err := frame(b)
		if err != nil || size == 0 {
			return set, err
		}
		if n == 0 {
			set.magic = magic
		}
		if n == maxSetMessages {
			return set, ErrDecodedTooLarge
		}
		if magic != set.magic || magic > MagicV1 {
			return set, invalid("messages of magic %d and %d together", set.magic, magic)
		}
		if err := check(size); err != nil {
			return set, err
		}
		m, err := parseLegacyMessage(b[:size])
		if err != nil {
			return set, err
		}
		if n > 0 && (set.codec != CodecNone || m.codec() != CodecNone) {
			return set, invalid("compressed message that is not alone")
		}
		set.logAppendTime = set.logAppendTime || m.logAppendTime()
		if set.codec = m.codec(); set.codec == CodecNone {
			set.records = append(set.records, m.record())
		} else if set.records, err = unwrap(&m, maxDecoded); err != nil {
			return set, err
		}
		b = b[size:]
	}
}

func (m *legacyMessage) record() Record {
	return Record{Offset: m.offset, Timestamp: m.timestamp, Key: m.key, Value: m.value}
}

// unwrap returns the messages inside a wrapper, with absolute offsets.
func unwrap(wrapper *legacyMessage, maxDecoded int) ([]Record, error) {
	if c := wrapper.codec(); c > CodecLZ4 {
		return nil, invalid("codec %d in a message of magic %d", c, wrapper.magic)
	}
	if wrapper.value == nil {
		return nil, invalid("compressed message with a null value")
	}
	limit := min(decodeLimit(maxDecoded), maxConvertedBytes)
	inner, err := decompress(wrapper.codec(), wrapper.value, limit, wrapper.magic == MagicV0)
	if err != nil {
		return nil, err
	}
	var records []Record
	for {
		size, magic, err := frame(inner)
		if err != nil {
			return nil, err
		}
		if size == 0 {
			break
		}
		if len(records) == maxSetMessages {
			return nil, ErrDecodedTooLarge
		}
		if magic != wrapper.magic {
			return nil, invalid("message of magic %d inside one of magic %d", magic, wrapper.magic)
		}
		m, err := parseLegacyMessage(inner[:size])
		if err != nil {
			return nil, err
		}
		if m.codec() != CodecNone {
			return nil, invalid("compressed message inside a compressed message")
		}
		if wrapper.logAppendTime() {
			m.timestamp = wrapper.timestamp
		}
		records = append(records, m.record())
		inner = inner[size:]
	}
	if len(records) == 0 {
		return nil, invalid("compressed message without messages")
	}
	return records, makeAbsolute(records, wrapper)
}

// makeAbsolute turns inner offsets of magic 1 into absolute ones. A wrapper at offset 0 comes from a producer that left
// it unset, old librdkafka among them.
func makeAbsolute(records []Record, wrapper *legacyMessage) error {
	if wrapper.magic == MagicV0 || wrapper.offset == 0 {
		return nil
	}
	last := records[len(records)-1].Offset
	if wrapper.offset < last {
		return invalid("wrapper at offset %d around a message at %d", wrapper.offset, last)
	}
	for i := range records {
		records[i].Offset += wrapper.offset - last
	}
	return nil
}

// yieldLegacy is Records for one message.
func yieldLegacy(b []byte, maxDecoded int, yield func(Record, error) bool) {
	size, _, err := frame(b)
	if err == nil && size == 0 {
		err = ErrShort
	}
	if err != nil {
		yield(Record{}, err)
		return
	}
	set, err := parseMessageSet(b[:size], maxDecoded, anySize)
	if err != nil {
		yield(Record{}, err)
		return
	}
	for _, r := range set.records {
		if !yield(r, nil) {
			return
		}
	}
}

func anySize(int) error { return nil }

// appendLegacyMessage appends a message with its offset, length and checksum.
func appendLegacyMessage(dst []byte, m *legacyMessage) []byte {
	start := len(dst)
	size := legacyOverhead[m.magic] - LogOverhead + len(m.key) + len(m.value)
	if size > math.MaxInt32 {
		panic("batch: message of more than 2 GiB") // callers bound what they convert
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(m.offset))
	dst = binary.BigEndian.AppendUint32(dst, uint32(size))
	dst = binary.BigEndian.AppendUint32(dst, 0) // checksum, below
	dst = append(dst, byte(m.magic), m.attributes)
	if m.magic == MagicV1 {
		dst = binary.BigEndian.AppendUint64(dst, uint64(m.timestamp))
	}
	dst = appendSized(dst, m.key)
	dst = appendSized(dst, m.value)
	binary.BigEndian.PutUint32(dst[start+posLegacyCRC:], crc32.ChecksumIEEE(dst[start+posLegacyMagic:]))
	return dst
}

func appendSized(dst, value []byte) []byte {
	if value == nil {
		return binary.BigEndian.AppendUint32(dst, math.MaxUint32) // -1
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(value)))
	return append(dst, value...)
}
