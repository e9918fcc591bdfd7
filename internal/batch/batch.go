// Package batch knows Kafka's record batches as bytes: the current format (magic 2) and the message sets of old
// clients (magic 0 and 1). It parses, checks, builds, converts, compresses. docs/format/record-batch.md draws them.
//
// It must not know where batches are kept, who leads a partition, what a producer sent before or what an API is.
// Its errors wrap the kerr error that a client is to be told.
//
// Everything here takes bytes from strangers: no function panics on its input, reads past it, or
// allocates by a number found in it before the bytes to back that number have been seen.
package batch

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// HeaderSize is the size of a batch without records.
const HeaderSize = 61

// LogOverhead is the size of the offset and length that come before what Length counts.
const LogOverhead = 12

// MagicCurrent is the format that is written; MagicV0 and MagicV1 are read from old producers and made for old consumers.
const (
	MagicV0      int8 = 0
	MagicV1      int8 = 1
	MagicCurrent int8 = 2
)

// What stands where nothing is known.
const (
	NoTimestamp     int64 = -1
	NoProducerID    int64 = -1
	NoProducerEpoch int16 = -1
	NoSequence      int32 = -1
	NoLeaderEpoch   int32 = -1
)

// Positions in the header, from the start of the batch.
const (
	posLength          = 8
	posLeaderEpoch     = 12
	posMagic           = 16
	posCRC             = 17
	posAttributes      = 21
	posLastOffsetDelta = 23
	posBaseTimestamp   = 27
	posMaxTimestamp    = 35
	posProducerID      = 43
	posProducerEpoch   = 51
	posBaseSequence    = 53
	posNumRecords      = 57
)

// Bits of the attributes.
const (
	maskCodec         = 0x07
	bitLogAppendTime  = 0x08
	bitTransactional  = 0x10
	bitControl        = 0x20
	bitDeleteHorizon  = 0x40
	maskAttributesAll = maskCodec | bitLogAppendTime | bitTransactional | bitControl | bitDeleteHorizon
)

// Header is the fixed part of a batch of magic 2, as parsed; it holds no reference to the bytes.
type Header struct {
	BaseOffset      int64
	Length          int32 // of everything behind this field
	LeaderEpoch     int32
	Magic           int8
	CRC             uint32 // of everything behind this field
	Attributes      int16
	LastOffsetDelta int32
	BaseTimestamp   int64 // of the first record; the delete horizon if DeleteHorizon
	MaxTimestamp    int64 // the append time if LogAppendTime
	ProducerID      int64
	ProducerEpoch   int16
	BaseSequence    int32
	NumRecords      int32
}

// Size is the size of the whole batch in bytes.
func (h Header) Size() int { return LogOverhead + int(h.Length) }

// LastOffset is the offset of the last record. After compaction that record may be gone; the offset stays.
func (h Header) LastOffset() int64 { return h.BaseOffset + int64(h.LastOffsetDelta) }

// NextOffset is the offset behind the batch.
func (h Header) NextOffset() int64 { return h.LastOffset() + 1 }

// Codec is the codec of the records; values over CodecZstd are none that exists.
func (h Header) Codec() Codec { return Codec(h.Attributes & maskCodec) }

// LogAppendTime says that MaxTimestamp is the time of every record, whatever the records say.
func (h Header) LogAppendTime() bool { return h.Attributes&bitLogAppendTime != 0 }

// timestamp is the time of a record with this delta.
func (h *Header) timestamp(delta int64) int64 {
	if h.LogAppendTime() {
		return h.MaxTimestamp
	}
	return h.BaseTimestamp + delta
}

// Transactional says that the batch belongs to a transaction of its producer.
func (h Header) Transactional() bool { return h.Attributes&bitTransactional != 0 }

// Control says that the record is a marker, not data.
func (h Header) Control() bool { return h.Attributes&bitControl != 0 }

// DeleteHorizon returns the time after which compaction may drop the batch's tombstones or marker, if one is set.
func (h Header) DeleteHorizon() (ms int64, ok bool) {
	return h.BaseTimestamp, h.Attributes&bitDeleteHorizon != 0
}

// HasProducer says that the batch carries a producer id: its producer is idempotent or transactional.
func (h Header) HasProducer() bool { return h.ProducerID > NoProducerID }

// LastSequence is the sequence number of the last record; it wraps from 2^31-1 to 0.
func (h Header) LastSequence() int32 {
	if h.BaseSequence == NoSequence {
		return NoSequence
	}
	return AddSequence(h.BaseSequence, h.LastOffsetDelta)
}

// AddSequence adds to a sequence number, wrapping from 2^31-1 to 0. Neither argument may be negative.
func AddSequence(sequence, n int32) int32 {
	if sequence > math.MaxInt32-n {
		return n - (math.MaxInt32 - sequence) - 1
	}
	return sequence + n
}

// PeekMagic returns the format of the batch or message at the start of b, for all formats; ErrShort if b ends before it.
func PeekMagic(b []byte) (int8, error) {
	if len(b) <= posMagic {
		return 0, ErrShort
	}
	return int8(b[posMagic]), nil
}

// ParseHeader parses the header at the start of b, which needs HeaderSize bytes of it and may hold less or more than
// the batch. ErrShort means that more bytes are needed to tell; ErrMagic and ErrLength that this is no batch of magic 2.
// The checksum is not looked at.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		if len(b) > posMagic && int8(b[posMagic]) != MagicCurrent {
			return Header{}, ErrMagic
		}
		return Header{}, ErrShort
	}
	h := Header{
		BaseOffset:      int64(binary.BigEndian.Uint64(b)),
		Length:          int32(binary.BigEndian.Uint32(b[posLength:])),
		LeaderEpoch:     int32(binary.BigEndian.Uint32(b[posLeaderEpoch:])),
		Magic:           int8(b[posMagic]),
		CRC:             binary.BigEndian.Uint32(b[posCRC:]),
		Attributes:      int16(binary.BigEndian.Uint16(b[posAttributes:])),
		LastOffsetDelta: int32(binary.BigEndian.Uint32(b[posLastOffsetDelta:])),
		BaseTimestamp:   int64(binary.BigEndian.Uint64(b[posBaseTimestamp:])),
		MaxTimestamp:    int64(binary.BigEndian.Uint64(b[posMaxTimestamp:])),
		ProducerID:      int64(binary.BigEndian.Uint64(b[posProducerID:])),
		ProducerEpoch:   int16(binary.BigEndian.Uint16(b[posProducerEpoch:])),
		BaseSequence:    int32(binary.BigEndian.Uint32(b[posBaseSequence:])),
		NumRecords:      int32(binary.BigEndian.Uint32(b[posNumRecords:])),
	}
	if h.Magic != MagicCurrent {
		return h, ErrMagic
	}
	if h.Length < HeaderSize-LogOverhead || h.Length > math.MaxInt32-LogOverhead {
		return h, ErrLength
	}
	return h, nil
}

// Next splits b into its first batch and the rest. ErrShort means that b ends within the batch.
func Next(b []byte) (h Header, whole, rest []byte, err error) {
	h, err = ParseHeader(b)
	if err != nil {
		return h, nil, b, err
	}
	if h.Size() > len(b) {
		return h, nil, b, ErrShort
	}
	return h, b[:h.Size():h.Size()], b[h.Size():], nil
}

// put writes the header to the start of b and does not compute the checksum.
func (h Header) put(b []byte) {
	_ = b[HeaderSize-1]
	binary.BigEndian.PutUint64(b, uint64(h.BaseOffset))
	binary.BigEndian.PutUint32(b[posLength:], uint32(h.Length))
	binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(h.LeaderEpoch))
	b[posMagic] = byte(h.Magic)
	binary.BigEndian.PutUint32(b[posCRC:], h.CRC)
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(h.Attributes))
	binary.BigEndian.PutUint32(b[posLastOffsetDelta:], uint32(h.LastOffsetDelta))
	binary.BigEndian.PutUint64(b[posBaseTimestamp:], uint64(h.BaseTimestamp))
	binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(h.MaxTimestamp))
	binary.BigEndian.PutUint64(b[posProducerID:], uint64(h.ProducerID))
	binary.BigEndian.PutUint16(b[posProducerEpoch:], uint16(h.ProducerEpoch))
	binary.BigEndian.PutUint32(b[posBaseSequence:], uint32(h.BaseSequence))
	binary.BigEndian.PutUint32(b[posNumRecords:], uint32(h.NumRecords))
}

// castagnoli has hardware instructions on amd64 and arm64; package crc32 finds them by this table.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// CheckCRC checks the checksum of b, which is one whole batch; ErrCRC if it does not match.
func CheckCRC(b []byte) error {
	if len(b) < HeaderSize {
		return ErrShort
	}
	if crc32.Checksum(b[posAttributes:], castagnoli) != binary.BigEndian.Uint32(b[posCRC:]) {
		return ErrCRC
	}
	return nil
}

// SetCRC writes the checksum of b, which is one whole batch.
func SetCRC(b []byte) {
	binary.BigEndian.PutUint32(b[posCRC:], crc32.Checksum(b[posAttributes:], castagnoli))
}

// SetBaseOffset writes the base offset of the batch at the start of b; the checksum does not cover it.
func SetBaseOffset(b []byte, offset int64) { binary.BigEndian.PutUint64(b, uint64(offset)) }

// SetLeaderEpoch writes the leader epoch of the batch at the start of b; the checksum does not cover it.
func SetLeaderEpoch(b []byte, epoch int32) {
	binary.BigEndian.PutUint32(b[posLeaderEpoch:], uint32(epoch))
}

// SetTimestamps writes the max timestamp and the kind of timestamps of b, which is one whole batch, and, if that changed
// anything, its checksum.
func SetTimestamps(b []byte, maxTimestamp int64, logAppendTime bool) {
	before := int16(binary.BigEndian.Uint16(b[posAttributes:]))
	attributes := before &^ bitLogAppendTime
	if logAppendTime {
		attributes |= bitLogAppendTime
	}
	if attributes == before && int64(binary.BigEndian.Uint64(b[posMaxTimestamp:])) == maxTimestamp {
		return
	}
	binary.BigEndian.PutUint16(b[posAttributes:], uint16(attributes&maskAttributesAll))
	binary.BigEndian.PutUint64(b[posMaxTimestamp:], uint64(maxTimestamp))
	SetCRC(b)
}
