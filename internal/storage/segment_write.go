package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

const (
	// preallocateFrom is the size from which a segment's file is reserved ahead: what stays small reserves nothing.
	preallocateFrom = 1 << 20
	// preallocateStep is the most that is reserved ahead at once; below it, as much as the segment already holds.
	preallocateStep = 64 << 20
)

// append writes batches behind the last one and makes them visible to readers. headers are those of the batches in b.
// On an error the segment is as before. The caller holds Log.mu.
func (s *segment) append(b []byte, headers []batch.Header, o *Settings) error {
	h := s.handle(logFile)
	f, err := h.acquire(false)
	if err != nil {
		return err
	}
	defer h.release()
	s.reserve(f, int64(len(b)), o)
	s.dirty, s.indexesDirty, s.sealed = true, true, false
	if n, err := f.WriteAt(b, s.size); err != nil || n < len(b) {
		if err == nil {
			err = io.ErrShortWrite
		}
		s.dropTail(f)
		return err
	}
	if !s.firstKnown && s.size == 0 {
		s.firstTimestamp, s.firstKnown = headers[0].MaxTimestamp, true
	}
	s.publish(b, headers, o)
	return nil
}

// publish counts written batches in: indexes, largest timestamp, size.
func (s *segment) publish(b []byte, headers []batch.Header, o *Settings) {
	s.mu.Lock()
	defer s.mu.Unlock()
	memory := s.memory()
	position := s.size
	for i := range headers {
		h := &headers[i]
		s.index(h, position, o)
		position += int64(h.Size())
		s.next = h.NextOffset()
		memory.wrote(boundary{s.next, position})
	}
	memory.verified.add(s.size, position)
	s.size = position
	if len(s.offsets.pending) >= indexBufferEntries*offsetEntrySize {
		// A failure is not one of the append: the entries stay in memory, sealing tries again and must succeed.
		_ = s.writeIndexes()
	}
}

// index counts a batch in for the largest timestamp, and adds index entries each interval. The caller holds mu.
func (s *segment) index(h *batch.Header, position int64, o *Settings) {
	if h.MaxTimestamp > s.largest.timestamp {
		s.largest = timeEntry{h.MaxTimestamp, h.LastOffset()}
	}
	if s.sinceIndex > int(o.IndexIntervalBytes) {
		if s.offsets.entries() < int(o.SegmentIndexBytes)/offsetEntrySize && (s.offsets.entries() == 0 || h.LastOffset() > s.lastOffset.offset) {
			s.lastOffset = offsetEntry{h.LastOffset(), position}
			s.offsets.pending = appendOffsetEntry(s.offsets.pending, s.base, s.lastOffset)
		}
		if s.times.entries() < int(o.SegmentIndexBytes)/timeEntrySize-1 {
			s.addTime()
		}
		s.sinceIndex = 0
	}
	s.sinceIndex += h.Size()
}

// addTime adds the largest timestamp to the time index unless it is there. The caller holds mu.
func (s *segment) addTime() {
	if s.largest.timestamp <= s.lastTime.timestamp {
		return
	}
	s.lastTime = s.largest
	s.times.pending = appendTimeEntry(s.times.pending, s.base, s.lastTime)
}

// writeIndexes writes the entries kept in memory, creating the files. The caller holds mu.
func (s *segment) writeIndexes() error {
	if err := s.withFile(offsetIndexFile, true, s.offsets.writePending); err != nil {
		return err
	}
	return s.withFile(timeIndexFile, true, s.times.writePending)
}

// reserve preallocates ahead of a growing file. It is for speed: a failure (a disk nearly full) is left to the write.
func (s *segment) reserve(f vfs.File, more int64, o *Settings) {
	need := s.size + more
	if need <= s.reserved {
		return
	}
	target := o.SegmentBytes
	if !o.Preallocate {
		if s.size < preallocateFrom {
			return
		}
		target = min(need+min(s.size, preallocateStep), max(o.SegmentBytes, need))
	}
	from := max(s.size, s.reserved)
	if target <= from {
		return
	}
	if f.Preallocate(from, target-from) == nil {
		s.reserved = target
	} else {
		s.reserved = need // do not try again at once
	}
}

// dropTail cuts the file back to its data. If that fails, too, the good end is remembered: the next write begins there,
// and sealing must cut first. The caller holds Log.mu.
func (s *segment) dropTail(f vfs.File) {
	if err := f.Truncate(s.size); err != nil {
		s.tail = true
		return
	}
	s.tail, s.reserved = false, 0
}

// seal finishes a segment that gets no more appends: its largest timestamp is in the time index, the indexes are in
// their files, what was reserved is given back. The caller holds Log.mu. It can be repeated, and appends may go on after it.
func (s *segment) seal() error {
	if err := s.load(); err != nil {
		return err
	}
	s.mu.Lock()
	s.addTime()
	err := s.writeIndexes()
	if err == nil {
		s.offsets.pending, s.times.pending = nil, nil
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("segment %d: index: %w", s.base, err)
	}
	if s.reserved > s.size || s.tail {
		err := s.withFile(logFile, false, func(f vfs.File) error { return f.Truncate(s.size) })
		if err != nil {
			return fmt.Errorf("segment %d: cut to its data: %w", s.base, err)
		}
		s.tail, s.reserved = false, 0
	}
	s.sealed = true
	return nil
}

// sync makes the segment's batches durable, and with indexes what finds them. The caller need not hold Log.mu.
func (s *segment) sync(indexes bool) error {
	if err := s.withFile(logFile, false, vfs.File.Sync); err != nil {
		return fmt.Errorf("segment %d: %w", s.base, err)
	}
	if !indexes {
		return nil
	}
	for _, kind := range []fileKind{offsetIndexFile, timeIndexFile, txnIndexFile} {
		err := s.withFile(kind, false, vfs.File.Sync)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("segment %d: %w", s.base, err)
		}
	}
	return nil
}

// truncate removes the batch that holds an offset and everything behind it; with it go the index entries. The caller
// holds Log.mu.
func (s *segment) truncate(to int64) error {
	if err := s.load(); err != nil {
		return err
	}
	scratch := s.place.files.scratch.Get().(*[scratchSize]byte)
	defer s.place.files.scratch.Put(scratch)
	return s.withFile(logFile, false, func(f vfs.File) error {
		scan := headerScan{file: f, base: s.base, end: s.size, buf: scratch[:]}
		position, found, err := s.findBatch(&scan, to)
		if err != nil && !isCorrupt(err) {
			return err
		}
		if isCorrupt(err) {
			position, found = scan.pos, true
		}
		if !found {
			position = s.size
		}
		return s.truncateFile(f, scratch[:], position, to)
	})
}

// truncateFile cuts the log file at a position, and all that leads behind it.
func (s *segment) truncateFile(f vfs.File, buf []byte, position, to int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cuts.Add(1)
	s.dirty, s.indexesDirty, s.sealed = true, true, false
	if err := s.truncateIndexes(buf, position, to); err != nil {
		return err
	}
	if err := f.Truncate(position); err != nil {
		return err
	}
	s.size, s.next = position, max(to, s.base)
	s.tail, s.reserved, s.sinceIndex = false, 0, 0
	if position == 0 {
		s.firstKnown = false
	}
	if s.seen != nil {
		s.seen.cut(position)
	}
	return s.findLargest(f, buf)
}

// truncateIndexes keeps the entries below an offset. The caller holds mu.
func (s *segment) truncateIndexes(buf []byte, position, to int64) error {
	if err := s.writeIndexes(); err != nil {
		return err
	}
	err := s.withFile(offsetIndexFile, true, func(f vfs.File) error {
		n, err := s.offsets.countFile(f, buf, func(b []byte) bool {
			e := parseOffsetEntry(s.base, b)
			return e.offset < to && e.position < position
		})
		if err != nil {
			return err
		}
		s.lastOffset = offsetEntry{offset: s.base}
		if n > 0 {
			last, err := s.offsets.fileEntries(f, buf, n-1, 1)
			if err != nil {
				return err
			}
			s.lastOffset = parseOffsetEntry(s.base, last)
		}
		return s.offsets.truncate(n, f)
	})
	if err != nil {
		return err
	}
	return s.withFile(timeIndexFile, true, func(f vfs.File) error {
		n, err := s.times.countFile(f, buf, func(b []byte) bool { return parseTimeEntry(s.base, b).offset < to })
		if err != nil {
			return err
		}
		s.lastTime = timeEntry{timestamp: noTimestamp, offset: s.base}
		if n > 0 {
			last, err := s.times.fileEntries(f, buf, n-1, 1)
			if err != nil {
				return err
			}
			s.lastTime = parseTimeEntry(s.base, last)
		}
		return s.times.truncate(n, f)
	})
}

// findLargest computes the largest timestamp anew: that of the last time index entry or of what follows it. The caller
// holds mu; the indexes are in their files.
func (s *segment) findLargest(f vfs.File, buf []byte) error {
	s.largest = s.lastTime
	scan := headerScan{file: f, base: s.base, end: s.size, buf: buf}
	err := s.withFile(offsetIndexFile, false, func(index vfs.File) error {
		entry, err := s.offsets.searchFile(index, buf, s.offsets.written, func(b []byte) bool {
			return parseOffsetEntry(s.base, b).offset <= s.largest.offset
		})
		if err == nil && entry != nil {
			scan.pos = parseOffsetEntry(s.base, entry).position
		}
		return err
	})
	if err != nil {
		return err
	}
	for {
		h, err := scan.header()
		if errors.Is(err, io.EOF) || isCorrupt(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.MaxTimestamp > s.largest.timestamp {
			s.largest = timeEntry{h.MaxTimestamp, h.LastOffset()}
		}
		scan.skip(h)
	}
}

// readFirstTimestamp finds the largest timestamp of the first batch, by which rolling goes. The caller holds Log.mu.
func (s *segment) readFirstTimestamp() error {
	if s.firstKnown || s.size == 0 {
		return nil
	}
	var buf [batch.HeaderSize]byte
	return s.withFile(logFile, false, func(f vfs.File) error {
		scan := headerScan{file: f, base: s.base, end: s.size, buf: buf[:]}
		h, err := scan.header()
		if isCorrupt(err) {
			return nil
		}
		if err != nil {
			return err
		}
		s.firstTimestamp, s.firstKnown = h.MaxTimestamp, true
		return nil
	})
}

// exists says whether the segment has one of its files.
func (s *segment) exists(kind fileKind) (bool, error) {
	_, err := s.place.disk.Stat(s.path(kind))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
