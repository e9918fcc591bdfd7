package storage

import (
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Close lets go of the files; then every method fails with kerr.KafkaStorageError. With clean it first writes what a
// clean stop leaves, synced: indexes, producers' state, leader epochs. The entry is valid only then.
func (l *Log) Close(clean bool) (ManifestEntry, error) {
	if !clean {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.shut()
		return ManifestEntry{}, nil
	}
	if err := l.finish(); err != nil {
		return ManifestEntry{}, err
	}
	// What is appended from here on would make the sync below incomplete; owners stop appends first.
	if err := l.Sync(); err != nil {
		return ManifestEntry{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flushed.Load() != l.end.Load() {
		return ManifestEntry{}, l.appendedWhileClosed()
	}
	entry := l.entry()
	l.shut()
	return entry, nil
}

// Finish writes what a clean stop leaves, without syncing it, and returns the log's end. An owner of many logs lets each finish,
// syncs the whole disk once and then calls CloseSynced, instead of Close for each, which syncs file by file.
func (l *Log) Finish() (end int64, err error) {
	if err := l.finish(); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.epochs.persist(&l.place, false, l.end.Load()); err != nil {
		return 0, l.storageError("close", err)
	}
	return l.end.Load(), nil
}

// CloseSynced is Close(true) for a log whose files and names have all been made durable since Finish returned that end.
func (l *Log) CloseSynced(end int64) (ManifestEntry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.alive(); err != nil {
		return ManifestEntry{}, err
	}
	if l.end.Load() != end {
		return ManifestEntry{}, l.appendedWhileClosed()
	}
	l.flushed.Store(end)
	entry := l.entry()
	l.shut()
	return entry, nil
}

func (l *Log) appendedWhileClosed() error {
	return fmt.Errorf("log %s: appended to while it was closed: %w", l.place.dir, kerr.KafkaStorageError)
}

// finish writes what is only in memory.
func (l *Log) finish() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.alive(); err != nil {
		return err
	}
	if l.manifest != nil {
		return nil // nothing was ever loaded, so nothing changed but perhaps the epochs, which Sync writes
	}
	if err := l.writeState(); err != nil {
		return err
	}
	if _, err := l.removeDoomed(math.MaxInt64); err != nil {
		return l.storageError("close", err)
	}
	return nil
}

// writeState writes the active segment's indexes and the producers' state. The caller holds mu; the segments are there.
func (l *Log) writeState() error {
	if err := l.active().finish(); err != nil {
		return l.storageError("close", err)
	}
	if l.producers != nil {
		if err := l.takeSnapshot(); err != nil {
			return l.storageError("close", err)
		}
	}
	return nil
}

// finish seals a segment and sees that it has both indexes, even empty ones: Kafka rebuilds them with an error otherwise.
func (s *segment) finish() error {
	offsets, err := s.exists(offsetIndexFile)
	if err != nil {
		return err
	}
	times, err := s.exists(timeIndexFile)
	if err != nil {
		return err
	}
	s.mu.RLock()
	changed := s.loaded
	s.mu.RUnlock()
	if !changed && offsets && times {
		return nil
	}
	s.dirty = s.dirty || !offsets || !times
	if err := s.seal(); err != nil {
		return err
	}
	return s.trimAborted()
}

// shut closes the files. The caller holds mu.
func (l *Log) shut() {
	l.fail(errClosed)
	if p := l.segments.Load(); p != nil {
		for _, s := range *p {
			s.close()
		}
	}
	for _, d := range l.doomed {
		d.segment.close()
	}
}

// entry describes the log for its next opening. The caller holds mu.
func (l *Log) entry() ManifestEntry {
	if l.manifest != nil {
		m := *l.manifest
		m.Epochs = l.epochs.all()
		m.HighWatermark = l.highWatermark.Load()
		return m
	}
	firstOpen := l.firstUnstable.Load()
	if l.producers != nil {
		// Completed transactions are not known after a restart: they hold back nothing then.
		firstOpen = -1
		if open := l.producers.transactions.open; len(open) > 0 {
			firstOpen = open[0].first
		}
	}
	m := ManifestEntry{
		StartOffset: l.start.Load(), EndOffset: l.end.Load(), FlushedOffset: l.flushed.Load(),
		HighWatermark: l.highWatermark.Load(), FirstUnstableOffset: firstOpen,
		ProducerSnapshot: -1, Epochs: l.epochs.all(), Recent: l.recent,
	}
	if l.producers != nil {
		m.Recent = l.producers.recent()
	}
	for _, s := range *l.segments.Load() {
		m.Segments = append(m.Segments, s.info())
	}
	return m
}
