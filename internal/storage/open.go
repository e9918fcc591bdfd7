package storage

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
)

// Open opens the log of an existing directory, recovering it as far as Checkpoint says it must be. A directory without
// any segment is an empty log at Checkpoint.LogStartOffset.
func Open(o Options) (*Log, error) {
	l := newLog(o)
	if o.Manifest != nil {
		l.openManifest(o.Manifest)
		return l, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.open(o); err != nil {
		return nil, l.storageError("open", err)
	}
	return l, nil
}

// openManifest believes the manifest; files are opened when they are needed.
func (l *Log) openManifest(m *ManifestEntry) {
	l.manifest, l.recent = m, m.Recent
	l.epochs.restore(m.Epochs, m.EndOffset)
	l.start.Store(m.StartOffset)
	l.end.Store(m.EndOffset)
	l.flushed.Store(m.FlushedOffset)
	l.highWatermark.Store(min(max(m.HighWatermark, m.StartOffset), m.EndOffset))
	l.firstUnstable.Store(m.FirstUnstableOffset)
}

// segmentsOf makes the segments that a manifest lists.
func (l *Log) segmentsOf(m *ManifestEntry) []*segment {
	list := make([]*segment, 0, len(m.Segments))
	for _, info := range m.Segments {
		s := newSegment(&l.place, info.BaseOffset)
		s.size, s.modifiedMs = info.Size, info.ModifiedMs
		s.largest.timestamp = info.MaxTimestamp
		l.adopt(s)
		list = append(list, s)
	}
	setNext(list, m.EndOffset)
	return list
}

// setNext lets each segment end where the next one begins.
func setNext(list []*segment, end int64) {
	for i, s := range list {
		s.next = end
		if i+1 < len(list) {
			s.next = list[i+1].base
		}
	}
}

// directory is what a log's directory holds.
type directory struct {
	segments  []int64 // base offsets of .log files, sorted
	sizes     map[int64]int64
	modified  map[int64]int64
	snapshots []int64 // sorted
	orphans   []string
}

// open reads the directory and brings the log into order. The caller holds mu.
func (l *Log) open(o Options) error {
	if done, err := l.openEmpty(o.Checkpoint); done || err != nil {
		return err
	}
	if err := l.finishSwaps(); err != nil {
		return err
	}
	d, err := l.readDirectory()
	if err != nil {
		return err
	}
	for _, name := range d.orphans {
		l.logger.Warn("file without its segment is removed", "log", l.place.dir, "file", name)
		if err := l.place.disk.Remove(l.place.path(name)); err != nil {
			return err
		}
	}
	r := recovery{log: l, checkpoint: o.Checkpoint, skipScan: o.SkipRecoveryScan, interrupted: o.Interrupted}
	if len(d.segments) == 0 {
		return r.empty(d)
	}
	if err := r.run(d); err != nil {
		return err
	}
	// Thousands may be opened one after the other, and most of them never used.
	for _, s := range *l.segments.Load() {
		s.letGo()
	}
	return nil
}

// openEmpty opens a log in which nothing was ever kept, which many are, by its directory's names alone: one segment without
// a byte, and no other file that could say something. Whatever way it was left, there is nothing to recover.
func (l *Log) openEmpty(c Checkpoint) (done bool, err error) {
	entries, err := l.place.list()
	if err != nil {
		return false, err
	}
	info := SegmentInfo{BaseOffset: -1, MaxTimestamp: noTimestamp}
	for _, e := range entries {
		base, suffix, ok := parseOffsetName(e.Name())
		kind := slices.Index([]string{logFile.suffix(), offsetIndexFile.suffix(), timeIndexFile.suffix()}, suffix)
		if !ok && !e.IsDir() && e.Name() != epochCheckpointName && filepath.Ext(e.Name()) != temporarySuffix {
			continue // the owner's
		}
		if !ok || kind < 0 || info.BaseOffset >= 0 && base != info.BaseOffset {
			return false, nil
		}
		file, err := e.Info()
		if err != nil {
			return false, err
		}
		if file.Size() > 0 {
			return false, nil
		}
		info.BaseOffset = base
		if kind == int(logFile) {
			info.ModifiedMs = file.ModTime().UnixMilli()
		}
	}
	if info.ModifiedMs == 0 || info.BaseOffset < max(c.LogStartOffset, c.RecoveryPoint) {
		return false, nil
	}
	at := info.BaseOffset
	l.openManifest(&ManifestEntry{
		StartOffset: at, EndOffset: at, FlushedOffset: at, HighWatermark: at, FirstUnstableOffset: -1, ProducerSnapshot: -1,
		Segments: []SegmentInfo{info},
	})
	return true, nil
}

// readDirectory lists segments and snapshots.
func (l *Log) readDirectory() (directory, error) {
	entries, err := l.place.list()
	if err != nil {
		return directory{}, err
	}
	d := directory{sizes: map[int64]int64{}, modified: map[int64]int64{}}
	for _, e := range entries {
		base, suffix, ok := parseOffsetName(e.Name())
		if !ok || e.IsDir() {
			continue
		}
		switch suffix {
		case logFile.suffix():
			info, err := e.Info()
			if err != nil {
				return d, err
			}
			if info.Size() > maxSegmentSize {
				return d, fmt.Errorf("%s has %d bytes, more than a segment can have", e.Name(), info.Size())
			}
			d.segments = append(d.segments, base)
			d.sizes[base], d.modified[base] = info.Size(), info.ModTime().UnixMilli()
		case snapshotSuffix:
			d.snapshots = append(d.snapshots, base)
		}
	}
	slices.Sort(d.segments)
	slices.Sort(d.snapshots)
	for _, e := range entries {
		base, suffix, ok := parseOffsetName(e.Name())
		isIndex := suffix == offsetIndexFile.suffix() || suffix == timeIndexFile.suffix() || suffix == txnIndexFile.suffix()
		if _, there := d.sizes[base]; ok && isIndex && !there {
			d.orphans = append(d.orphans, e.Name())
		}
	}
	return d, nil
}

// empty makes the log of a directory without segments.
func (r *recovery) empty(d directory) error {
	l := r.log
	for _, offset := range d.snapshots {
		if err := l.place.disk.Remove(l.place.snapshotPath(offset)); err != nil {
			return err
		}
	}
	if err := l.startAt(r.checkpoint.LogStartOffset); err != nil {
		return err
	}
	l.producers = newProducers(r.checkpoint.LogStartOffset)
	entries, _, err := loadEpochs(&l.place)
	if err != nil && !errors.Is(err, errBadCheckpoint) {
		return err
	}
	l.epochs.entries = entries
	l.epochs.truncateEnd(l.end.Load() + 1)
	return nil
}
