package batch

import (
	"errors"
	"io"
)

// recordMeta is what the walks see of a record: everything but what it carries.
type recordMeta struct {
	timestampDelta int64
	offsetDelta    int32
	hasKey         bool
	hasValue       bool // set by recordStream only
}

// walkRecord checks the structure of the record at b[at:] and returns where it ends, or -1. It runs for every record
// of every produce request: no copy, no allocation, headers counted and skipped.
func walkRecord(b []byte, at int, m *recordMeta) int {
	size, i := readVarint32(b, at)
	if i < 0 || size < 1 || int(size) > len(b)-i {
		return -1
	}
	body := b[i : i+int(size)]
	end := i + int(size)
	var keySize, count int32
	m.timestampDelta, i = readVarint64(body, 1)
	m.offsetDelta, i = readVarint32(body, i)
	keySize, i = readVarint32(body, i)
	if i < 0 || int(keySize) > len(body)-i {
		return -1
	}
	m.hasKey = keySize >= 0
	i = skipBytes(body, i+max(int(keySize), 0)) // the value
	count, i = readVarint32(body, i)
	if i < 0 || !validHeaderCount(count, len(body)-i) {
		return -1
	}
	for range count {
		keySize, i = readVarint32(body, i)
		if i < 0 || keySize < 0 || int(keySize) > len(body)-i {
			return -1
		}
		i = skipBytes(body, i+int(keySize))
	}
	if i != len(body) {
		return -1
	}
	return end
}

// skipBytes skips a length and that many bytes, none if it is negative.
func skipBytes(b []byte, i int) int {
	size, i := readVarint32(b, i)
	if i < 0 || int(size) > len(b)-i {
		return -1
	}
	return i + max(int(size), 0)
}

// recordStream walks the records of a compressed payload without holding more of it than the codec's current piece.
type recordStream struct {
	from  chunks
	codec Codec
	piece []byte
	left  int64 // how much more may be decoded
	err   error // the first; everything after it fails
	taken int64 // bytes taken since the start
}

// openRecords opens a stream over a payload; the caller closes its from.
func openRecords(c Codec, payload []byte, limit int) (recordStream, error) {
	from, err := openChunks(c, payload, limit, false)
	if err != nil {
		return recordStream{}, undecodable(c, err)
	}
	return recordStream{from: from, codec: c, left: int64(limit)}, nil
}

func (s *recordStream) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// fill gets the next piece and says whether there is one; the proper end is not an error yet.
func (s *recordStream) fill() bool {
	if s.err != nil {
		return false
	}
	piece, err := s.from.next()
	if errors.Is(err, io.EOF) {
		return false
	}
	if err != nil {
		s.fail(undecodable(s.codec, err))
		return false
	}
	if s.left -= int64(len(piece)); s.left < 0 {
		s.fail(ErrDecodedTooLarge)
		return false
	}
	s.piece = piece
	return true
}

func (s *recordStream) byte() byte {
	if len(s.piece) == 0 && !s.fill() {
		s.fail(errRecordStructure)
		return 0
	}
	c := s.piece[0]
	s.piece = s.piece[1:]
	s.taken++
	return c
}

func (s *recordStream) varint(maxSize int) int64 {
	var encoded [maxVarint64Size]byte
	for n := range maxSize {
		encoded[n] = s.byte()
		if s.err != nil {
			return 0
		}
		if encoded[n] < 0x80 {
			v, end := readLongVarint(encoded[:n+1], 0, maxSize)
			if end < 0 {
				break
			}
			return v
		}
	}
	s.fail(errRecordStructure)
	return 0
}

func (s *recordStream) varint32() int32 {
	v := s.varint(maxVarint32Size)
	if v != int64(int32(v)) {
		s.fail(errRecordStructure)
		return 0
	}
	return int32(v)
}

// pass hands the next n bytes to a writer, or to nobody if that is nil; none if n is negative.
func (s *recordStream) pass(n int64, to io.Writer) {
	for n > 0 && s.err == nil {
		if len(s.piece) == 0 && !s.fill() {
			s.fail(errRecordStructure)
			return
		}
		step := min(n, int64(len(s.piece)))
		if to != nil {
			if _, err := to.Write(s.piece[:step]); err != nil {
				s.fail(err)
			}
		}
		s.piece = s.piece[step:]
		s.taken += step
		n -= step
	}
}

func (s *recordStream) skip(n int32) { s.pass(int64(n), nil) }

// head reads a record up to its key and returns where the record ends.
func (s *recordStream) head(m *recordMeta) (end int64) {
	size := s.varint32()
	if size < 1 {
		s.fail(errRecordStructure)
	}
	end = s.taken + int64(size)
	s.byte() // attributes
	m.timestampDelta = s.varint(maxVarint64Size)
	m.offsetDelta = s.varint32()
	if s.taken > end {
		s.fail(errRecordStructure)
	}
	return end
}

// record walks one record, whose key it hands on; afterwards s.err says whether it was one. A number read after an
// error is 0.
func (s *recordStream) record(m *recordMeta, key io.Writer) {
	end := s.head(m)
	keySize := s.varint32()
	m.hasKey = keySize >= 0
	s.pass(int64(keySize), key)
	valueSize := s.varint32()
	m.hasValue = valueSize >= 0
	s.skip(valueSize)
	count := s.varint32()
	if !validHeaderCount(count, int(max(end-s.taken, 0))) {
		s.fail(errRecordStructure)
	}
	for ; count > 0 && s.err == nil && s.taken < end; count-- {
		keySize := s.varint32()
		if keySize < 0 {
			s.fail(errRecordStructure)
		}
		s.skip(keySize)
		s.skip(s.varint32())
	}
	if count != 0 || s.taken != end {
		s.fail(errRecordStructure)
	}
}

// end says whether nothing is left, which also makes codecs check their checksums.
func (s *recordStream) end() error {
	if s.err == nil && (len(s.piece) > 0 || s.fill()) {
		s.fail(invalid("bytes behind the last record"))
	}
	return s.err
}
