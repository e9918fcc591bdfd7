package storage

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// doomed is a segment that was dropped, whose files go when their delay has passed.
type doomed struct {
	segment *segment
	dueMs   int64
}

// Housekeep rolls and deletes what retention says, forgets expired producers and removes files whose delay has passed.
// It never deletes at or above the high watermark.
func (l *Log) Housekeep(now time.Time) (Housekeeping, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.alive(); err != nil {
		return Housekeeping{}, err
	}
	result := Housekeeping{}
	nowMs := now.UnixMilli()
	removed, err := l.removeDoomed(nowMs)
	result.RemovedFiles = removed
	if err != nil {
		return result, l.storageError("housekeeping", err)
	}
	settings := l.settings.Load()
	expireMs := int64(-1)
	if l.producers != nil {
		expireMs = l.producers.expire(nowMs, settings.ProducerExpirationMs)
	}
	n, err := l.retained(settings, nowMs)
	if err != nil {
		return result, l.storageError("retention", err)
	}
	if n > 0 {
		if err := l.dropFirst(n, &result); err != nil {
			return result, l.storageError("retention", err)
		}
	}
	result.NextDue = l.nextDue(settings, nowMs, expireMs)
	return result, nil
}

// retained returns how many of the oldest segments retention gives up. It needs files only of segments whose largest
// timestamp nobody has asked for since an unclean stop: that of the file may be older than the records by any time.
func (l *Log) retained(settings *Settings, nowMs int64) (n int, err error) {
	infos := l.infos()
	total := int64(0)
	for _, s := range infos {
		total += s.Size
	}
	for i, s := range infos {
		end, last := l.end.Load(), i == len(infos)-1
		if !last {
			end = infos[i+1].BaseOffset
		}
		if end > l.highWatermark.Load() || last && s.Size == 0 {
			break
		}
		deleted := !last && l.start.Load() >= end
		tooMuch := settings.Delete && settings.RetentionBytes >= 0 && total-s.Size >= settings.RetentionBytes
		tooOld := false
		if settings.Delete && settings.RetentionMs >= 0 {
			if s, err = l.dated(i, s); err != nil {
				return 0, err
			}
			tooOld = nowMs-s.largestTimestamp() > settings.RetentionMs
		}
		if !deleted && !tooMuch && !tooOld {
			break
		}
		n, total = i+1, total-s.Size
	}
	return n, nil
}

// dated returns what is known of a segment, with its largest timestamp read from the index if that was not known.
func (l *Log) dated(i int, s SegmentInfo) (SegmentInfo, error) {
	if s.MaxTimestamp >= 0 || s.Size == 0 {
		return s, nil
	}
	list, err := l.listLocked()
	if err != nil {
		return s, err
	}
	if err := list[i].load(); err != nil {
		return s, err
	}
	return list[i].info(), nil
}

// largestTimestamp is that of the records, or, if they have none, of the file.
func (s *SegmentInfo) largestTimestamp() int64 {
	if s.MaxTimestamp >= 0 {
		return s.MaxTimestamp
	}
	return s.ModifiedMs
}

// infos is Segments for whoever holds mu.
func (l *Log) infos() []SegmentInfo {
	if l.manifest != nil {
		return l.manifest.Segments
	}
	list := *l.segments.Load()
	infos := make([]SegmentInfo, 0, len(list))
	for _, s := range list {
		infos = append(infos, s.info())
	}
	return infos
}

// dropFirst drops the n oldest segments; if that is all, an empty one is begun first.
func (l *Log) dropFirst(n int, result *Housekeeping) error {
	list, err := l.listLocked()
	if err != nil {
		return err
	}
	if n == len(list) {
		if err := l.loadProducers(); err != nil {
			return err
		}
		if err := l.roll(l.end.Load()); err != nil {
			return err
		}
		result.Rolled = true
		list = *l.segments.Load()
	}
	l.moveStart(list[n].base)
	dropped := list[:n]
	l.publishSegments(slices.Clone(list[n:]))
	for _, s := range dropped {
		result.DeletedSegments++
		result.DeletedBytes += s.bytes()
	}
	return errors.Join(l.doom(dropped), l.doomSnapshots(dropped))
}

// moveStart raises the start offset. The caller holds mu.
func (l *Log) moveStart(offset int64) {
	if offset <= l.start.Load() {
		return
	}
	l.start.Store(offset)
	l.raiseHighWatermark(offset)
	l.flushed.Store(max(l.flushed.Load(), min(offset, l.end.Load())))
	l.epochs.truncateStart(offset)
	if l.producers != nil {
		l.producers.transactions.decide(offset)
		l.publishUnstable()
	}
	l.changed(0)
}

// raiseHighWatermark never takes back what SetHighWatermark, which does not hold mu, says meanwhile.
func (l *Log) raiseHighWatermark(offset int64) {
	for {
		at := l.highWatermark.Load()
		if at >= offset || l.highWatermark.CompareAndSwap(at, offset) {
			return
		}
	}
}

// doom renames the files of segments that are no longer listed to .deleted and remembers to remove them after
// file.delete.delay.ms. The caller holds mu.
func (l *Log) doom(segments []*segment) error {
	dueMs := l.now().UnixMilli() + l.settings.Load().FileDeleteDelayMs
	var errs []error
	for _, s := range segments {
		l.doomed = append(l.doomed, doomed{s, dueMs})
		if err := s.rename(stageDeleted); err != nil {
			errs = append(errs, err)
		}
	}
	l.directoryDirty = true
	return errors.Join(errs...)
}

// doomSnapshots does so for the producer snapshots at the segments' bases.
func (l *Log) doomSnapshots(segments []*segment) error {
	var errs []error
	for _, s := range segments {
		name := l.place.snapshotPath(s.base)
		if err := l.place.disk.Rename(name, name+deletedSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// removeDoomed removes the files of dropped segments whose delay has passed. What cannot be removed is kept for the
// next round. The caller holds mu.
func (l *Log) removeDoomed(nowMs int64) (removed int, err error) {
	var errs []error
	l.doomed = slices.DeleteFunc(l.doomed, func(d doomed) bool {
		if d.dueMs > nowMs {
			return false
		}
		if err := d.segment.remove(); err != nil {
			errs = append(errs, err)
			return false
		}
		err := l.place.disk.Remove(l.place.snapshotPath(d.segment.base) + deletedSuffix)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
			return false
		}
		removed++
		l.directoryDirty = true
		return true
	})
	return removed, errors.Join(errs...)
}

// nextDue is when Housekeep could have something to do if nothing is appended and no setting changes.
func (l *Log) nextDue(settings *Settings, nowMs, expireMs int64) time.Time {
	due := expireMs
	consider := func(ms int64) {
		if due < 0 || ms < due {
			due = ms
		}
	}
	for _, d := range l.doomed {
		consider(d.dueMs)
	}
	infos := l.infos()
	oldest := infos[0]
	if settings.Delete && settings.RetentionMs >= 0 && (len(infos) > 1 || oldest.Size > 0) {
		consider(oldest.largestTimestamp() + settings.RetentionMs + 1)
	}
	if due < 0 {
		return time.Time{}
	}
	return time.UnixMilli(max(due, nowMs+1))
}

// DeleteRecordsBefore moves the start offset up. kerr.OffsetOutOfRange above the high watermark; below the start: no
// change. Segments that are then wholly below it go with the next Housekeep.
func (l *Log) DeleteRecordsBefore(offset int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.alive(); err != nil {
		return err
	}
	if highWatermark := l.highWatermark.Load(); offset > highWatermark {
		return fmt.Errorf("log %s: delete before %d, high watermark %d: %w", l.place.dir, offset, highWatermark, kerr.OffsetOutOfRange)
	}
	l.moveStart(offset)
	if l.manifest != nil {
		m := *l.manifest
		m.StartOffset = l.start.Load()
		l.manifest = &m
	}
	return nil
}
