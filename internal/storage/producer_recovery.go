package storage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// recoverProducers rebuilds the producers' state and, for segments that were scanned, the transaction indexes.
func (r *recovery) recoverProducers(d directory) error {
	l := r.log
	end := l.end.Load()
	rewriteFrom := int64(maxOffset)
	switch {
	case !r.checkpoint.Clean && !r.checkpoint.SameBoot && r.scanned < len(r.list):
		rewriteFrom = r.list[r.scanned].base
	case r.scanned < len(r.list):
		for _, s := range r.list[r.scanned:] {
			if err := s.truncateAborted(end); err != nil {
				return err
			}
		}
	}
	if err := l.rebuildProducers(end, rewriteFrom, d.snapshots); err != nil {
		return err
	}
	return l.removeStraySnapshots(d.snapshots)
}

// loadProducers makes the producers' state known. The caller holds mu.
func (l *Log) loadProducers() error {
	if l.producers != nil {
		return nil
	}
	d, err := l.readDirectory()
	if err != nil {
		return err
	}
	if err := l.rebuildProducers(l.end.Load(), maxOffset, d.snapshots); err != nil {
		return err
	}
	l.producers.recall(l.recent)
	l.recent = nil
	return nil
}

// rebuildProducers makes the state that of an offset: from the newest good snapshot up to it, and the batches that
// follow. From the segment at rewriteFrom on the transaction indexes are written anew. The caller holds mu.
func (l *Log) rebuildProducers(upTo, rewriteFrom int64, snapshots []int64) error {
	p := newProducers((*l.segments.Load())[0].base)
	nowMs := l.now().UnixMilli()
	for _, offset := range slices.Backward(snapshots) {
		if offset > upTo {
			if err := l.place.disk.Remove(l.place.snapshotPath(offset)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			continue
		}
		if offset > rewriteFrom {
			continue
		}
		err := l.readSnapshot(p, offset, nowMs)
		if err == nil {
			break
		}
		if !errors.Is(err, errBadSnapshot) && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		l.logger.Warn("producer snapshot is not used", "log", l.place.dir, "offset", offset, "error", err)
	}
	l.producers = p
	for _, s := range *l.segments.Load() {
		if s.base >= rewriteFrom {
			if err := s.resetAborted(); err != nil {
				return err
			}
		}
		if s.next <= p.end || s.base >= upTo {
			continue
		}
		if err := l.replay(s, upTo, rewriteFrom); err != nil {
			return fmt.Errorf("producers of segment %d: %w", s.base, err)
		}
	}
	p.end = upTo
	p.transactions.decide(l.highWatermark.Load())
	l.publishUnstable()
	return nil
}

// replay counts a segment's batches in for their producers.
func (l *Log) replay(s *segment, upTo, rewriteFrom int64) error {
	if err := s.load(); err != nil {
		return err
	}
	return s.withFile(logFile, false, func(f vfs.File) error {
		scan := headerScan{file: f, base: s.base, end: s.size, next: s.base, buf: scanBuffer(s.size)}
		entry, err := s.lookup(nil, func(e offsetEntry) bool { return e.offset <= l.producers.end })
		if err != nil {
			return err
		}
		scan.pos = entry.position
		for {
			h, err := scan.header()
			if errors.Is(err, io.EOF) || isCorrupt(err) {
				return nil // what is behind damage is not known; markDamaged has told
			}
			if err != nil {
				return err
			}
			if h.BaseOffset >= upTo {
				return nil
			}
			if h.HasProducer() && h.LastOffset() >= l.producers.end {
				if err := l.replayBatch(s, f, scan.pos, h, s.base >= rewriteFrom); err != nil {
					return err
				}
			}
			l.producers.end = max(l.producers.end, h.NextOffset())
			scan.skip(h)
		}
	})
}

func (l *Log) replayBatch(s *segment, f io.ReaderAt, position int64, h batch.Header, rewrite bool) error {
	p := l.producers
	p.prepare()
	if h.Control() {
		b := make([]byte, h.Size())
		if _, err := f.ReadAt(b, position); err != nil {
			return err
		}
		if err := p.appendMarker(b, &h, AppendOptions{Origin: Replication}, l.logger); err != nil {
			l.logger.Warn("control batch is skipped", "log", l.place.dir, "offset", h.BaseOffset, "error", err)
			return nil
		}
	} else if err := p.appendData(&h, Replication, l.logger); err != nil {
		return err
	}
	if rewrite && len(p.completed) > 0 {
		if _, err := s.appendAborted(p.aborted()); err != nil {
			return err
		}
	}
	p.commit(h.NextOffset())
	return nil
}

// resetAborted empties the transaction index.
func (s *segment) resetAborted() error {
	s.setAborted(0)
	return s.trimAborted()
}

// removeStraySnapshots keeps a snapshot for each segment and the newest.
func (l *Log) removeStraySnapshots(offsets []int64) error {
	for i, offset := range offsets {
		if i == len(offsets)-1 || offset == l.producers.lastSnapshot || offset > l.end.Load() {
			continue
		}
		if err := l.removeStraySnapshot(offset); err != nil {
			return err
		}
	}
	return nil
}
