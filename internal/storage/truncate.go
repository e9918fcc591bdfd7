package storage

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Truncate removes everything from an offset on: the batch that holds it too, if it is in the midst of one. The log then
// ends at the offset. At or behind the end it only drops leader epochs that have no record. The owner must lower the
// recovery point it keeps before anything is appended: below it nothing would be cut after a power cut.
func (l *Log) Truncate(to int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if to < 0 {
		return fmt.Errorf("log %s: truncate to %d: %w", l.place.dir, to, kerr.OffsetOutOfRange)
	}
	list, err := l.listLocked()
	if err != nil {
		return err
	}
	if to >= l.end.Load() {
		l.epochs.truncateEnd(l.end.Load())
		return nil
	}
	if highWatermark := l.highWatermark.Load(); to < highWatermark {
		l.logger.Warn("truncating below the high watermark", "log", l.place.dir, "offset", to, "high watermark", highWatermark)
	}
	if to < list[0].base {
		return l.restartAt(to)
	}
	if err := l.truncate(list, to); err != nil {
		return l.storageError("truncate", err)
	}
	return nil
}

// truncate cuts the segment that holds an offset and drops the later ones.
func (l *Log) truncate(list []*segment, to int64) error {
	l.rewinds++
	keep := len(list)
	for keep > 1 && list[keep-1].base > to {
		keep--
	}
	for _, s := range list[keep:] {
		s.cuts.Add(1)
	}
	l.publishSegments(slices.Clone(list[:keep]))
	l.end.Store(to)
	l.start.Store(min(l.start.Load(), to))
	l.flushed.Store(min(l.flushed.Load(), to))
	l.highWatermark.Store(min(l.highWatermark.Load(), to))
	l.epochs.truncateEnd(to)
	if err := l.removeNow(list[keep:]); err != nil {
		return err
	}
	s := list[keep-1]
	if err := s.truncateAborted(to); err != nil {
		return err
	}
	if err := s.truncate(to); err != nil {
		return err
	}
	if err := l.settle(s); err != nil {
		return err
	}
	d, err := l.readDirectory()
	if err != nil {
		return err
	}
	l.changed(0)
	return l.rebuildProducers(to, maxOffset, d.snapshots)
}

// settle makes a cut durable, before anything is written in the place of what was cut: a power cut could otherwise leave
// a mixture of old and new batches that fit together and were never one log. It is rare enough to be done under mu.
func (l *Log) settle(s *segment) error {
	if err := s.sync(false); err != nil {
		return err
	}
	if err := l.place.syncDir(); err != nil {
		return err
	}
	l.directoryDirty = false
	return nil
}

// removeNow removes segments' files at once, from the last to the first: what a crash leaves must have no gap.
func (l *Log) removeNow(segments []*segment) error {
	l.directoryDirty = true
	for _, s := range slices.Backward(segments) {
		if err := s.remove(); err != nil {
			return err
		}
		if err := l.place.disk.Remove(l.place.snapshotPath(s.base)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// TruncateAndStartAt removes everything; the log then is empty and starts and ends at offset.
func (l *Log) TruncateAndStartAt(offset int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.listLocked(); err != nil {
		return err
	}
	return l.restartAt(offset)
}

// restartAt empties the log. The caller holds mu and has called listLocked.
func (l *Log) restartAt(offset int64) error {
	l.rewinds++
	list := *l.segments.Load()
	for _, s := range list {
		s.cuts.Add(1)
	}
	d, err := l.readDirectory()
	if err == nil {
		err = l.removeNow(list)
	}
	for _, snapshot := range d.snapshots {
		if removeErr := l.place.disk.Remove(l.place.snapshotPath(snapshot)); removeErr != nil && !errors.Is(removeErr, os.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}
	if err == nil {
		err = l.startAt(offset)
	}
	if err != nil {
		// Half of the log is gone: it must be opened anew, which copes.
		l.fail(fmt.Errorf("restart at %d: %w", offset, err))
		return l.storageError("truncate", err)
	}
	if err := l.settle(l.active()); err != nil {
		return l.storageError("truncate", err)
	}
	l.producers = newProducers(offset)
	l.publishUnstable()
	l.changed(0)
	l.epochs.clear()
	if err := l.epochs.persist(&l.place, false, maxOffset); err != nil {
		return l.storageError("truncate", err)
	}
	return nil
}
