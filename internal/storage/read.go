package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// readAttempts is how often a read that met a truncation looks again.
const readAttempts = 3

// errRewound says that the log was truncated under a reader.
var errRewound = errors.New("log was truncated while it was read")

// Region is a run of whole batches in one segment's file. It holds the file open until Close; the zero Region is empty.
type Region struct {
	NextOffset int64 // after the last batch: where to read on

	log      *Log
	segment  *segment
	file     vfs.File
	from     int64 // the offset asked for
	position int64
	length   int
	cuts     uint32
}

// Read returns the whole batches from the one that holds offset from, or the next, while they end below the bound
// and fit into maxBytes; the first one even when it does not fit, if atLeastOne. An empty region is no error.
//
// Errors wrap kerr.OffsetOutOfRange (before the start, after the end), CorruptMessage, KafkaStorageError.
func (l *Log) Read(from, below int64, maxBytes int, atLeastOne bool) (Region, error) {
	if start, end := l.start.Load(), l.end.Load(); from < start || from > end {
		return Region{}, fmt.Errorf("log %s: offset %d is outside %d to %d: %w", l.place.dir, from, start, end, kerr.OffsetOutOfRange)
	}
	if err := l.alive(); err != nil {
		return Region{}, err
	}
	empty := Region{NextOffset: from}
	if from >= below || maxBytes <= 0 && !atLeastOne {
		return empty, nil
	}
	for attempt := 1; ; attempt++ {
		r, err := l.read(from, below, maxBytes, atLeastOne)
		if err == nil {
			return r, nil
		}
		// Retention may have taken the segment, or a truncation the batch, between finding and opening it.
		gone := errors.Is(err, errRewound) || errors.Is(err, errGone) || errors.Is(err, fs.ErrNotExist)
		if gone && attempt < readAttempts {
			continue
		}
		if from < l.start.Load() {
			return Region{}, fmt.Errorf("log %s: offset %d was deleted: %w", l.place.dir, from, kerr.OffsetOutOfRange)
		}
		if isCorrupt(err) {
			l.markDamaged(from, err)
		}
		return Region{}, l.storageError("read", err)
	}
}

// read looks for the offset in its segment, and in the later ones while there is nothing at or behind it.
func (l *Log) read(from, below int64, maxBytes int, atLeastOne bool) (Region, error) {
	list, err := l.list()
	if err != nil {
		return Region{}, err
	}
	scratch := l.place.files.scratch.Get().(*[scratchSize]byte)
	defer l.place.files.scratch.Put(scratch)
	at := max(sort.Search(len(list), func(i int) bool { return list[i].base > from })-1, 0)
	for _, s := range list[at:] {
		if s.base >= below {
			break
		}
		r, found, err := l.readSegment(s, scratch[:], max(from, s.base), below, maxBytes, atLeastOne)
		if err != nil || found {
			return r, err
		}
	}
	return Region{NextOffset: from}, nil
}

func (l *Log) readSegment(s *segment, scratch []byte, from, below int64, maxBytes int, atLeastOne bool) (Region, bool, error) {
	if err := s.load(); err != nil {
		return Region{}, false, err
	}
	cuts := s.cuts.Load()
	h := s.handle(logFile)
	f, err := h.acquire(false)
	if err != nil {
		return Region{}, false, fmt.Errorf("segment %d: %w", s.base, err)
	}
	at, found, err := s.locate(f, scratch, from, below, maxBytes, atLeastOne)
	if s.cuts.Load() != cuts {
		err = errRewound
	}
	if err == nil && at.from < at.to && at.next <= from {
		err = &corruptError{segment: s.base, position: at.from, cause: errBackwards}
	}
	if err != nil || !found || at.from == at.to {
		h.release()
		return Region{NextOffset: from}, found, err
	}
	return Region{
		NextOffset: at.next, log: l, segment: s, file: f, from: from,
		position: at.from, length: int(at.to - at.from), cuts: cuts,
	}, true, nil
}

// Len is the exact size in bytes.
func (r *Region) Len() int { return r.length }

// ReadInto reads the region into dst, which has room for Len bytes, and returns how many of them are good: all, or, when
// what this process has not written or verified before turns out to be damaged, the batches before the
// damage. If that is none the error wraps kerr.CorruptMessage. Bytes of dst behind the returned count are garbage.
func (r *Region) ReadInto(dst []byte) (int, error) {
	if r.length == 0 {
		return 0, nil
	}
	dst = dst[:r.length]
	n, err := r.file.ReadAt(dst, r.position)
	s := r.segment
	if s.cuts.Load() != r.cuts {
		return 0, fmt.Errorf("log %s: %w: %w", r.log.place.dir, errRewound, kerr.NotLeaderForPartition)
	}
	if n < len(dst) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, r.log.storageError(fmt.Sprintf("segment %d: read %d bytes at %d", s.base, len(dst), r.position), err)
	}
	s.mu.RLock()
	verified := s.seen != nil && s.seen.verified.covers(r.position, r.position+int64(n))
	s.mu.RUnlock()
	if !verified {
		if n, err = r.verify(dst); err != nil {
			return 0, err
		}
	}
	r.remember(n)
	return n, nil
}

// verify checks what was read for the first time.
func (r *Region) verify(b []byte) (good int, err error) {
	s := r.segment
	good, err = verifyBatches(b, s.base, r.position, r.from, r.NextOffset)
	if h, headerErr := batch.ParseHeader(b); headerErr == nil && h.LastOffset() < r.from {
		// What holds the offset by its place does not by what it says: offsets go back somewhere before it.
		good, err = 0, &corruptError{segment: s.base, position: r.position, cause: errBackwards}
	}
	s.mu.Lock()
	if s.cuts.Load() == r.cuts {
		s.memory().verified.add(r.position, r.position+int64(good))
	}
	s.mu.Unlock()
	if err != nil {
		r.log.markDamaged(r.NextOffset, err)
		if good == 0 {
			return 0, r.log.storageError("read", err)
		}
	}
	return good, nil
}

// remember notes where this reader stopped, for its next read.
func (r *Region) remember(n int) {
	if n < r.length {
		return
	}
	s := r.segment
	end := boundary{r.NextOffset, r.position + int64(n)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cuts.Load() == r.cuts {
		s.memory().stopped(end)
	}
}

// Close lets go of the file. It must be called once; for an empty region it does nothing.
func (r *Region) Close() {
	if r.segment == nil {
		return
	}
	r.segment.handle(logFile).release()
	r.segment, r.length = nil, 0
}
