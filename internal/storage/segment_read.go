package storage

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// located is a run of whole batches in a segment; empty if from and to are equal.
type located struct {
	from, to int64 // positions
	next     int64 // the offset after it
}

// walkLimit is up to how many bytes are walked header by header. A search in the index file takes several reads, so for
// less than that, as behind a batch that nearly fills a fetch, the walk is cheaper.
const walkLimit = 4 * scratchSize

// locate finds the whole batches from the one that holds an offset, or follows it, while they end below a bound and fit
// into maxBytes. found is false when the segment holds nothing at or behind the offset: look in the next one.
func (s *segment) locate(f io.ReaderAt, buf []byte, from, below int64, maxBytes int, atLeastOne bool) (at located, found bool, err error) {
	s.mu.RLock()
	size, next := s.size, s.next
	start, startKnown := s.seen.find(from)
	if from == s.base {
		start, startKnown = 0, size > 0
	}
	end, endKnown := size, below >= next
	if !endKnown {
		end, endKnown = s.seen.find(below)
	}
	s.mu.RUnlock()
	if from >= next || size == 0 {
		return located{}, false, nil
	}
	scan := headerScan{file: f, base: s.base, end: size, stop: next, buf: buf}
	if !startKnown {
		if start, found, err = s.findBatch(&scan, from); err != nil || !found {
			return located{}, false, err
		}
	}
	if endKnown && start < end && end-start <= int64(maxBytes) {
		return located{start, end, min(below, next)}, true, nil
	}
	scan.pos, scan.next = start, s.base
	first, err := scan.header()
	if errors.Is(err, io.EOF) {
		return located{}, false, nil // a truncation let the log end behind its last batch
	}
	if err != nil {
		return located{}, false, err
	}
	switch {
	case first.NextOffset() > below, first.Size() > maxBytes && !atLeastOne:
		return located{start, start, from}, true, nil
	case first.Size() >= maxBytes:
		return located{start, start + int64(first.Size()), first.NextOffset()}, true, nil
	}
	at, err = s.extend(&scan, first, below, min(size, start+int64(maxBytes)))
	return at, true, err
}

// findBatch positions a scan on the first batch whose last offset is at or behind an offset.
func (s *segment) findBatch(scan *headerScan, offset int64) (position int64, found bool, err error) {
	entry, err := s.lookup(scan.buf, func(e offsetEntry) bool { return e.offset <= offset })
	if err != nil {
		return 0, false, err
	}
	scan.pos, scan.next = min(entry.position, scan.end), s.base
	scan.from, scan.upTo = 0, 0 // the lookup used the buffer
	for {
		h, err := scan.header()
		if errors.Is(err, io.EOF) {
			return 0, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		if h.LastOffset() >= offset {
			return scan.pos, true, nil
		}
		scan.skip(h)
	}
}

// extend takes in more batches behind the first, up to a bound in offsets and a limit in bytes, jumping ahead by index.
// Damage ends the run: what comes before it is good and is served; who reads on will meet it.
func (s *segment) extend(scan *headerScan, first batch.Header, below, limit int64) (located, error) {
	at := located{scan.pos, scan.pos + int64(first.Size()), first.NextOffset()}
	scan.skip(first)
	jumped := false
	if limit-at.to > walkLimit {
		entry, err := s.lookup(nil, func(e offsetEntry) bool { return e.offset < below && e.position < limit })
		if err != nil {
			return at, err
		}
		if jumped = entry.position > at.to; jumped {
			scan.pos = entry.position
		}
	}
	for scan.pos < limit {
		h, err := scan.header()
		if err != nil {
			if isCorrupt(err) {
				err = nil
			}
			return at, err
		}
		if jumped {
			at.to, at.next, jumped = scan.pos, h.BaseOffset, false
		}
		if h.NextOffset() > below || scan.pos+int64(h.Size()) > limit {
			break
		}
		scan.skip(h)
		at.to, at.next = scan.pos, scan.next
	}
	return at, nil
}

// lookup returns the last index entry for which atMost says yes, or the segment's start. buf is scratch, nil to use some
// of its own.
func (s *segment) lookup(buf []byte, atMost func(offsetEntry) bool) (offsetEntry, error) {
	start := offsetEntry{offset: s.base}
	test := func(entry []byte) bool { return atMost(parseOffsetEntry(s.base, entry)) }
	s.mu.RLock()
	written := s.offsets.written
	if entry := s.offsets.searchBlock(s.offsets.pending, test); entry != nil {
		found := parseOffsetEntry(s.base, entry)
		s.mu.RUnlock()
		return found, nil
	}
	s.mu.RUnlock()
	if written == 0 {
		return start, nil
	}
	if buf == nil {
		scratch := s.place.files.scratch.Get().(*[scratchSize]byte)
		defer s.place.files.scratch.Put(scratch)
		buf = scratch[:]
	}
	h := s.handle(offsetIndexFile)
	f, err := h.acquire(false)
	if err != nil {
		return start, fmt.Errorf("segment %d: %w", s.base, err)
	}
	defer h.release()
	index := sparseIndex{entrySize: offsetEntrySize}
	entry, err := index.searchFile(f, buf, written, test)
	if err != nil || entry == nil {
		return start, err
	}
	return parseOffsetEntry(s.base, entry), nil
}

// lookupTime returns the last time index entry with at most a timestamp, or the segment's start.
func (s *segment) lookupTime(timestamp int64) (timeEntry, error) {
	start := timeEntry{timestamp: noTimestamp, offset: s.base}
	test := func(entry []byte) bool { return parseTimeEntry(s.base, entry).timestamp <= timestamp }
	s.mu.RLock()
	written := s.times.written
	if entry := s.times.searchBlock(s.times.pending, test); entry != nil {
		found := parseTimeEntry(s.base, entry)
		s.mu.RUnlock()
		return found, nil
	}
	s.mu.RUnlock()
	if written == 0 {
		return start, nil
	}
	err := s.withFile(timeIndexFile, false, func(f vfs.File) error {
		index := sparseIndex{entrySize: timeEntrySize}
		buf := make([]byte, scratchSize/timeEntrySize*timeEntrySize)
		entry, err := index.searchFile(f, buf, written, test)
		if err == nil && entry != nil {
			start = parseTimeEntry(s.base, entry)
		}
		return err
	})
	return start, err
}

// load makes the indexes ready for use: it reads how many entries they have and the last ones. What is missing or
// impossible is rebuilt from the batches.
func (s *segment) load() error {
	s.mu.RLock()
	loaded := s.loaded
	s.mu.RUnlock()
	if loaded {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded {
		return nil
	}
	err := s.loadIndexes()
	if errors.Is(err, errBadIndex) || errors.Is(err, os.ErrNotExist) {
		_, err = s.rebuild(rebuildOptions{})
		if isCorrupt(err) {
			err = nil // the indexes lead up to the damage; readers meet it there
		}
	}
	if err != nil {
		return fmt.Errorf("segment %d: %w", s.base, err)
	}
	s.loaded = true
	return nil
}

// errBadIndex says that an index cannot belong to its segment and is to be rebuilt.
var errBadIndex = errors.New("impossible index")

// loadIndexes reads the ends of both index files. The caller holds mu.
func (s *segment) loadIndexes() error {
	if s.size == 0 {
		s.offsets.written, s.times.written = 0, 0
		return nil
	}
	err := s.withFile(offsetIndexFile, false, func(f vfs.File) error {
		n, first, last, err := s.offsets.ends(f)
		if err == nil && n == 0 && s.size > maxUnindexed {
			err = fmt.Errorf("no entry for %d bytes: %w", s.size, errBadIndex)
		}
		if err != nil || n == 0 {
			return err
		}
		s.offsets.written, s.lastOffset = n, parseOffsetEntry(s.base, last)
		return checkOffsetIndex(s.base, s.size, parseOffsetEntry(s.base, first), s.lastOffset)
	})
	if err != nil {
		return err
	}
	return s.withFile(timeIndexFile, false, func(f vfs.File) error {
		n, first, last, err := s.times.ends(f)
		if err != nil || n == 0 {
			return err
		}
		s.times.written, s.lastTime = n, parseTimeEntry(s.base, last)
		s.largest = s.lastTime
		return checkTimeIndex(s.base, parseTimeEntry(s.base, first), s.lastTime)
	})
}

// isCorrupt says that bytes were read but are no batch.
func isCorrupt(err error) bool {
	var corrupt *corruptError
	return errors.As(err, &corrupt)
}
