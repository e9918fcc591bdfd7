package storage

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// corruptError says which bytes of a segment are no batch. It is kerr.CorruptMessage.
type corruptError struct {
	segment  int64
	position int64
	cause    error
}

func (e *corruptError) Error() string {
	return fmt.Sprintf("segment %d at byte %d: %v", e.segment, e.position, e.cause)
}

func (e *corruptError) Unwrap() []error { return []error{e.cause, kerr.CorruptMessage} }

var (
	errTorn       = errors.New("batch is cut short by the end of the file")
	errZeros      = errors.New("only zeros follow")
	errBackwards  = errors.New("base offset is below the end of what comes before")
	errDeltas     = errors.New("last offset is before the base offset")
	errOutOfRange = errors.New("offsets do not fit the segment")
)

// headerScan walks the batch headers of a segment's file between two positions. Small batches share one read. The
// headers' plausibility is checked, the records' checksum is not.
type headerScan struct {
	file io.ReaderAt
	base int64 // of the segment
	pos  int64 // of the batch that next returns
	end  int64 // where the file ends for us
	next int64 // no batch may begin below this offset
	stop int64 // nor end above this one, 0 if that is not known

	interrupted func() error // may be nil

	buf        []byte // scratch of at least batch.HeaderSize
	from, upTo int64  // the part of the file that buf holds
}

// header returns the batch at pos and does not move. io.EOF at the end, a *corruptError if there is no batch.
func (s *headerScan) header() (batch.Header, error) {
	if s.pos == s.end {
		return batch.Header{}, io.EOF
	}
	if s.end-s.pos < batch.HeaderSize {
		return batch.Header{}, s.corrupt(errTorn)
	}
	if s.pos < s.from || s.pos+batch.HeaderSize > s.upTo {
		if err := s.fill(); err != nil {
			return batch.Header{}, err
		}
	}
	b := s.buf[s.pos-s.from : s.upTo-s.from]
	h, err := batch.ParseHeader(b)
	switch {
	case err != nil && allZero(b[:batch.HeaderSize]):
		return h, s.corrupt(errZeros)
	case err != nil:
		return h, s.corrupt(err)
	case h.LastOffsetDelta < 0:
		return h, s.corrupt(errDeltas)
	case h.BaseOffset < s.next:
		return h, s.corrupt(errBackwards)
	case h.BaseOffset < s.base || h.LastOffset()-s.base > maxRelativeOffset || s.stop > 0 && h.NextOffset() > s.stop:
		return h, s.corrupt(errOutOfRange)
	case s.pos+int64(h.Size()) > s.end:
		return h, s.corrupt(errTorn)
	}
	return h, nil
}

// skip moves behind a batch that header returned.
func (s *headerScan) skip(h batch.Header) {
	s.pos += int64(h.Size())
	s.next = h.NextOffset()
}

func (s *headerScan) fill() error {
	if s.interrupted != nil {
		if err := s.interrupted(); err != nil {
			return err
		}
	}
	n := min(int64(len(s.buf)), s.end-s.pos)
	got, err := s.file.ReadAt(s.buf[:n], s.pos)
	if int64(got) < n {
		s.from, s.upTo = 0, 0
		if err == nil || errors.Is(err, io.EOF) {
			return s.corrupt(errTorn)
		}
		return err
	}
	s.from, s.upTo = s.pos, s.pos+n
	return nil
}

// check verifies the checksum of the batch at pos, which header returned. A batch larger than the buffer is read in
// pieces, so that an impossible length costs no memory.
func (s *headerScan) check(h batch.Header) error {
	size := int64(h.Size())
	if s.pos+size > s.upTo && size <= int64(len(s.buf)) {
		if err := s.fill(); err != nil {
			return err
		}
	}
	if s.pos+size <= s.upTo {
		if err := batch.CheckCRC(s.buf[s.pos-s.from:][:size]); err != nil {
			return s.corrupt(err)
		}
		return nil
	}
	s.from, s.upTo = 0, 0
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	_, err := io.CopyBuffer(onlyWriter{sum}, onlyReader{io.NewSectionReader(s.file, s.pos+crcStart, size-crcStart)}, s.buf)
	if err != nil {
		return err
	}
	if sum.Sum32() != h.CRC {
		return s.corrupt(batch.ErrCRC)
	}
	return nil
}

// crcStart is where the part of a batch begins that its checksum covers.
const crcStart = 21

// onlyReader and onlyWriter hide what else a type can, so that io.CopyBuffer uses its buffer.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

func (s *headerScan) corrupt(cause error) error {
	return &corruptError{segment: s.base, position: s.pos, cause: cause}
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// verifyBatches checks every batch in b, which was read from a position of a segment to answer for the offsets between
// from and below: header, offsets (which no checksum covers), checksum. It returns the number of good bytes, and, if that
// is not all, why the next one is bad.
func verifyBatches(b []byte, segmentBase, position, from, below int64) (good int, err error) {
	// The batch before, if offsets are left out between it and what precedes it, as compaction does.
	behindGap := -1
	for floor, next := segmentBase, from; good < len(b); {
		h, err := batch.ParseHeader(b[good:])
		switch {
		case err != nil:
		case h.Size() > len(b)-good:
			err = errTorn
		case h.BaseOffset < floor || h.LastOffsetDelta < 0:
			err = errBackwards
			if behindGap >= 0 {
				good = behindGap // That one has jumped ahead rather than this one back.
			}
		case h.NextOffset() > below:
			err = errOutOfRange
		}
		if err == nil {
			err = batch.CheckCRC(b[good : good+h.Size()])
		}
		if err != nil {
			return good, &corruptError{segment: segmentBase, position: position + int64(good), cause: err}
		}
		if behindGap = -1; h.BaseOffset > next {
			behindGap = good
		}
		good, floor, next = good+h.Size(), h.NextOffset(), h.NextOffset()
	}
	return good, nil
}
