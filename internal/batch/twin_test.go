package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// slowCheck is Check for a client's one batch in its obvious form: everything copied, nothing skipped, kmsg's decoder
// and readers of the standard library. It only says whether the batch passes, and its records' largest timestamp.
func slowCheck(b []byte, o CheckOptions) (passes bool, maxTimestamp int64) {
	var h kmsg.RecordBatch
	if len(b) < HeaderSize || int64(int32(binary.BigEndian.Uint32(b[8:])))+12 > int64(len(b)) || int32(binary.BigEndian.Uint32(b[8:])) < 49 {
		return false, 0
	}
	whole := b[:12+binary.BigEndian.Uint32(b[8:])]
	rest := b[len(whole):]
	if h.ReadFrom(bytes.Clone(whole)) != nil || h.Magic != 2 {
		return false, 0
	}
	if len(rest) >= 12 {
		size := int32(binary.BigEndian.Uint32(rest[8:]))
		if size < 14 || len(rest) > 16 && (rest[16] > 2 || int64(size)+12 <= int64(len(rest))) {
			return false, 0
		}
	}
	codec := Codec(h.Attributes & 7)
	switch {
	case crc32.Checksum(whole[21:], crc32.MakeTable(crc32.Castagnoli)) != uint32(h.CRC),
		h.FirstOffset != 0, h.NumRecords <= 0, h.LastOffsetDelta != h.NumRecords-1,
		h.Attributes&(bitControl|bitDeleteHorizon) != 0, codec > CodecZstd, codec == CodecZstd && o.ProduceVersion < 7,
		h.ProducerID >= 0 && h.FirstSequence < 0, h.Attributes&bitTransactional != 0 && h.ProducerID < 0,
		o.MaxBatchBytes > 0 && len(whole) > o.MaxBatchBytes:
		return false, 0
	}
	payload, err := Decompress(codec, h.Records, o.MaxDecoded)
	if err != nil {
		return false, 0
	}
	return slowRecords(payload, &h, codec, o)
}

func slowRecords(payload []byte, h *kmsg.RecordBatch, codec Codec, o CheckOptions) (passes bool, maxTimestamp int64) {
	passes, maxTimestamp = true, -1
	r := bytes.NewReader(payload)
	for i := range h.NumRecords {
		size, err := slowVarint(r, 32)
		if err != nil || size < 1 || size > int64(r.Len()) {
			return false, 0
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(r, body); err != nil {
			return false, 0
		}
		delta, offsetDelta, hasKey, err := slowRecord(bytes.NewReader(body))
		if err != nil || codec == CodecNone && offsetDelta != int64(i) {
			return false, 0
		}
		timestamp := h.FirstTimestamp + delta
		if h.Attributes&bitLogAppendTime != 0 {
			timestamp = h.MaxTimestamp
		}
		maxTimestamp = max(maxTimestamp, timestamp)
		age := o.NowMs - timestamp
		switch {
		case o.Compacted && !hasKey:
			passes = false
		case o.LogAppendTime || timestamp == -1:
			passes = passes && h.Attributes&bitLogAppendTime == 0
		default:
			passes = passes && age <= o.BeforeMaxMs && -age <= o.AfterMaxMs
		}
	}
	return passes && r.Len() == 0, maxTimestamp
}

var errSlow = errors.New("does not parse")

func slowRecord(r *bytes.Reader) (timestampDelta, offsetDelta int64, hasKey bool, err error) {
	var errs [6]error
	_, errs[0] = r.ReadByte()
	timestampDelta, errs[1] = slowVarint(r, 64)
	offsetDelta, errs[2] = slowVarint(r, 32)
	hasKey, errs[3] = slowBytes(r)
	_, errs[4] = slowBytes(r)
	var count int64
	count, errs[5] = slowVarint(r, 32)
	if err := errors.Join(errs[:]...); err != nil || count < 0 || count > MaxRecordHeaders {
		return 0, 0, false, errSlow
	}
	for range count {
		notNull, err := slowBytes(r)
		if err != nil || !notNull {
			return 0, 0, false, errSlow
		}
		if _, err := slowBytes(r); err != nil {
			return 0, 0, false, err
		}
	}
	if r.Len() > 0 {
		return 0, 0, false, errSlow
	}
	return timestampDelta, offsetDelta, hasKey, nil
}

func slowBytes(r *bytes.Reader) (notNull bool, err error) {
	size, err := slowVarint(r, 32)
	if err != nil || size > int64(r.Len()) {
		return false, errSlow
	}
	_, err = io.CopyN(io.Discard, r, max(size, 0))
	return size >= 0, err
}

func slowVarint(r *bytes.Reader, bits int) (int64, error) {
	before := r.Len()
	v, err := binary.ReadVarint(r)
	if err != nil || bits == 32 && (v < math.MinInt32 || v > math.MaxInt32 || before-r.Len() > 5) {
		return 0, errSlow
	}
	return v, nil
}
