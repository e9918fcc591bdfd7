package batch

import (
	"fmt"
	"hash"
	"iter"
	"slices"
)

// RecordHead is what Scan tells of a record: all but what it carries.
type RecordHead struct {
	Offset    int64
	Timestamp int64 // the append time where the batch has one
	HasKey    bool  // it is not null
	HasValue  bool
}

// Scan walks the records of b, which is one whole batch of magic 2, in a stream: its memory does not depend on what they
// decompress to. key, unless nil, has been reset and given a record's key when the record is yielded. After an error
// there is nothing more. The checksum is the caller's (CheckCRC).
func Scan(b []byte, key hash.Hash) iter.Seq2[RecordHead, error] {
	return func(yield func(RecordHead, error) bool) {
		err := eachRecord(b, func(h *Header, s *recordStream) bool {
			var m recordMeta
			if key == nil {
				s.record(&m, nil)
			} else {
				key.Reset()
				s.record(&m, key)
			}
			return s.err != nil || yield(RecordHead{
				Offset: h.BaseOffset + int64(m.offsetDelta), Timestamp: h.timestamp(m.timestampDelta),
				HasKey: m.hasKey, HasValue: m.hasValue,
			}, nil)
		})
		if err != nil {
			yield(RecordHead{}, err)
		}
	}
}

// singly is Records with one record in memory at a time, of at most maxRecord bytes and valid until the next.
func singly(b []byte, maxRecord int) iter.Seq2[Record, error] {
	if magic, err := PeekMagic(b); err == nil && magic != MagicCurrent {
		return Records(b, 0)
	}
	return func(yield func(Record, error) bool) {
		var buf recordBuffer
		err := eachRecord(b, func(h *Header, s *recordStream) bool {
			size := s.varint32()
			if size < 1 {
				s.fail(errRecordStructure)
			} else if int(size) > maxRecord {
				s.fail(ErrDecodedTooLarge)
			}
			buf = buf[:0]
			s.pass(int64(size), &buf)
			r, ok := parseRecordBody(buf, *h)
			if !ok {
				s.fail(errRecordStructure)
			}
			return s.err != nil || yield(r, nil)
		})
		if err != nil {
			yield(Record{}, err)
		}
	}
}

// recordBuffer collects a record from its pieces. It grows as they come: a record's size is a claim.
type recordBuffer []byte

func (b *recordBuffer) Write(piece []byte) (int, error) {
	*b = append(slices.Grow(*b, len(piece)), piece...)
	return len(piece), nil
}

// eachRecord opens a stream over a batch's records and has take take one at a time, until it wants no more or the
// stream fails.
func eachRecord(b []byte, take func(h *Header, s *recordStream) (more bool)) error {
	h, whole, _, err := Next(b)
	if err != nil {
		return err
	}
	if h.NumRecords < 0 {
		return invalid("batch of %d records", h.NumRecords)
	}
	s, err := openRecords(h.Codec(), whole[HeaderSize:], MaxDecodedBytes)
	if err != nil {
		return err
	}
	defer s.from.close()
	for i := range h.NumRecords {
		if !take(&h, &s) {
			return nil
		}
		if s.err != nil {
			return fmt.Errorf("record %d of %d: %w", i, h.NumRecords, s.err)
		}
	}
	return s.end()
}
