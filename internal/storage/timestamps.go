package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// OffsetForTimestamp finds the first record from the start offset on whose timestamp is ts or later.
func (l *Log) OffsetForTimestamp(ts int64) (Found, bool, error) {
	return l.search(func(list []*segment) (Found, bool, error) {
		start := l.start.Load()
		for _, s := range list {
			if err := s.load(); err != nil {
				return Found{}, false, err
			}
			s.mu.RLock()
			skip := s.largest.timestamp < ts || s.next <= start
			s.mu.RUnlock()
			if skip {
				continue
			}
			found, ok, err := s.findTimestamp(ts, start)
			if err != nil || ok {
				return found, ok, err
			}
		}
		return Found{}, false, nil
	})
}

// MaxTimestamp finds the first record with the largest timestamp.
func (l *Log) MaxTimestamp() (Found, bool, error) {
	return l.search(func(list []*segment) (Found, bool, error) {
		var best *segment
		largest := timeEntry{timestamp: noTimestamp}
		for _, s := range list {
			if err := s.load(); err != nil {
				return Found{}, false, err
			}
			s.mu.RLock()
			if s.largest.timestamp > largest.timestamp {
				best, largest = s, s.largest
			}
			s.mu.RUnlock()
		}
		if best == nil {
			return Found{}, false, nil
		}
		return best.findRecord(largest.offset, func(h batch.Header) bool { return h.MaxTimestamp == largest.timestamp },
			func(r batch.RecordHead) bool { return r.Timestamp == largest.timestamp })
	})
}

// search runs find on the segments, again if retention or a truncation took one of them meanwhile.
func (l *Log) search(find func([]*segment) (Found, bool, error)) (Found, bool, error) {
	for attempt := 1; ; attempt++ {
		list, err := l.list()
		if err != nil {
			return Found{}, false, err
		}
		found, ok, err := find(list)
		gone := errors.Is(err, errGone) || errors.Is(err, fs.ErrNotExist) || isCorrupt(err)
		if gone && attempt < readAttempts {
			continue
		}
		if err != nil {
			return Found{}, false, l.storageError("timestamp search", err)
		}
		return found, ok, nil
	}
}

// findTimestamp finds the first record at or behind an offset with a timestamp of at least ts.
func (s *segment) findTimestamp(ts, start int64) (Found, bool, error) {
	// Up to the offset of the last entry below ts no record is as late.
	entry, err := s.lookupTime(ts - 1)
	if err != nil {
		return Found{}, false, err
	}
	return s.findRecord(max(entry.offset, start), func(h batch.Header) bool { return h.MaxTimestamp >= ts && h.LastOffset() >= start },
		func(r batch.RecordHead) bool { return r.Timestamp >= ts && r.Offset >= start })
}

// findRecord finds the first record that matches, in the batches that may hold one, from the batch of an offset on.
func (s *segment) findRecord(from int64, mayHold func(batch.Header) bool, matches func(batch.RecordHead) bool) (found Found, ok bool, err error) {
	entry, err := s.lookup(nil, func(e offsetEntry) bool { return e.offset <= from })
	if err != nil {
		return Found{}, false, err
	}
	err = s.withFile(logFile, false, func(f vfs.File) error {
		scan := headerScan{file: f, base: s.base, pos: entry.position, end: s.bytes(), next: s.base, buf: make([]byte, scratchSize)}
		for !ok {
			h, err := scan.header()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if mayHold(h) {
				if found, ok, err = findInBatch(f, s, scan.pos, h, matches); err != nil {
					return err
				}
			}
			scan.skip(h)
		}
		return nil
	})
	return found, ok, err
}

// findInBatch reads a batch and goes through its records, which are never all in memory.
func findInBatch(f io.ReaderAt, s *segment, position int64, h batch.Header, matches func(batch.RecordHead) bool) (Found, bool, error) {
	b := make([]byte, h.Size())
	if _, err := f.ReadAt(b, position); err != nil {
		return Found{}, false, err
	}
	if _, err := verifyBatches(b, s.base, position, h.BaseOffset, h.NextOffset()); err != nil {
		return Found{}, false, err
	}
	for r, err := range batch.Scan(b, nil) {
		if err != nil {
			return Found{}, false, fmt.Errorf("batch at offset %d: %w", h.BaseOffset, err)
		}
		if matches(r) {
			return Found{Offset: r.Offset, Timestamp: r.Timestamp, LeaderEpoch: h.LeaderEpoch}, true, nil
		}
	}
	return Found{}, false, nil
}
