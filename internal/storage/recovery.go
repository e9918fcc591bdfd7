package storage

import (
	"errors"
	"fmt"
	"io"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// tailCheck is how much of the end of a log is verified after the process was killed: every completed write is there,
// and the last one, which may be torn, is of this order.
const tailCheck = 1 << 20

// recovery brings the log of a directory into order. How much it distrusts depends on how the log was left:
//
//	closed in order          the end of the last segment is found by its index
//	process killed           the last segment's batches are walked, its tail verified; indexes and producers follow
//	power cut                all batches from the recovery point on are verified; what follows the first bad
//	                         one was never promised and is cut away
//
// Below the recovery point nothing is ever cut: what is bad there is damage, kept as it is, reported and not served.
type recovery struct {
	log         *Log
	checkpoint  Checkpoint
	skipScan    bool
	interrupted func() error
	list        []*segment
	scanned     int // index in list of the first segment that was scanned
	epochs      []EpochEntry
}

// run recovers a log that has segments.
func (r *recovery) run(d directory) error {
	l := r.log
	for _, base := range d.segments {
		s := newSegment(&l.place, base)
		s.size, s.modifiedMs = d.sizes[base], d.modified[base]
		l.adopt(s)
		r.list = append(r.list, s)
	}
	setNext(r.list, maxOffset)
	if err := r.findEnd(); err != nil {
		return err
	}
	if err := r.startPastEnd(); err != nil {
		return err
	}
	active := r.list[len(r.list)-1]
	end := max(active.next, active.base)
	start := min(max(r.checkpoint.LogStartOffset, r.list[0].base), end)
	l.publishSegments(r.list)
	l.start.Store(start)
	l.end.Store(end)
	l.highWatermark.Store(start)
	if r.checkpoint.Clean {
		l.flushed.Store(end)
	} else {
		l.flushed.Store(min(max(r.checkpoint.RecoveryPoint, start), end))
	}
	if err := r.recoverEpochs(); err != nil {
		return err
	}
	return r.recoverProducers(d)
}

const maxOffset = 1<<63 - 1

// findEnd finds the end of the log and repairs what leads up to it.
func (r *recovery) findEnd() error {
	last := len(r.list) - 1
	switch {
	case r.checkpoint.Clean:
		done, err := r.trustEnd(r.list[last])
		if err != nil || done {
			r.scanned = last + 1
			return err
		}
		r.log.logger.Warn("closed in order, but its end is not: it is recovered", "log", r.log.place.dir, "segment", r.list[last].base)
		r.scanned = last
		r.checkpoint.SameBoot = true
	case r.skipScan:
		r.scanned = last
		return r.believe(r.list[last])
	case r.checkpoint.SameBoot:
		r.scanned = last
	default:
		// A segment that ends where what is durable ends may have been completed since the last sync: its records are
		// there, its indexes perhaps not.
		for r.scanned = last; r.scanned > 0 && r.list[r.scanned].base >= r.checkpoint.RecoveryPoint; r.scanned-- {
		}
	}
	for i := r.scanned; i < len(r.list); i++ {
		cut, err := r.scan(i)
		if err != nil || cut {
			return err
		}
	}
	return nil
}

// trustEnd finds the end of a segment that was closed in order, from its last index entry on. done is false if that
// leads nowhere: then the segment needs more care.
func (r *recovery) trustEnd(s *segment) (done bool, err error) {
	if err := s.load(); err != nil {
		return false, err
	}
	err = s.withFile(logFile, false, func(f vfs.File) error {
		scratch := r.log.place.files.scratch.Get().(*[scratchSize]byte)
		defer r.log.place.files.scratch.Put(scratch)
		scan := headerScan{file: f, base: s.base, pos: s.lastOffset.position, end: s.size, next: s.base, buf: scratch[:]}
		if s.offsets.entries() == 0 {
			scan.pos = 0
		}
		for {
			h, err := scan.header()
			if errors.Is(err, io.EOF) {
				s.next = scan.next
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
	})
	if isCorrupt(err) {
		return false, nil
	}
	return err == nil, err
}

// believe takes a file as it is, whatever its end looks like. Only tests of recovery want this.
func (r *recovery) believe(s *segment) error {
	result, err := s.rebuild(rebuildOptions{settings: r.log.settings.Load(), checkFrom: noCheck, visit: r.noteEpoch})
	s.next = result.next
	if isCorrupt(err) {
		return nil
	}
	return err
}

// scan walks one segment. cut says that the log ends in it because what followed was bad and is gone.
func (r *recovery) scan(i int) (cut bool, err error) {
	s, size := r.list[i], r.list[i].size
	o := rebuildOptions{settings: r.log.settings.Load(), checkFrom: r.checkpoint.RecoveryPoint, visit: r.noteEpoch, interrupted: r.interrupted}
	if r.checkpoint.SameBoot {
		o.checkFrom, o.checkTail = noCheck, tailCheck
	}
	result, bad := s.rebuild(o)
	if bad != nil && !isCorrupt(bad) {
		return false, bad
	}
	s.dirty, s.indexesDirty, s.sealed = true, true, i < len(r.list)-1
	if bad != nil {
		if err := s.refuseOldFormat(result.good); err != nil {
			return false, err
		}
	}
	switch {
	case bad == nil && i == len(r.list)-1:
		s.next = result.next
		r.reportMissing(result.next)
		return false, nil
	case bad == nil && (r.log.settings.Load().Compact || result.next >= r.list[i+1].base):
		return false, nil // compaction leaves gaps between segments, nothing else does
	case bad == nil && result.next < r.checkpoint.RecoveryPoint:
		r.log.markDamaged(result.next, errGap)
		return false, nil
	case bad == nil:
		return true, r.cut(i, result, size, errGap)
	case result.next < r.checkpoint.RecoveryPoint:
		return false, r.keepDamage(i, result, bad)
	}
	if r.checkpoint.SameBoot {
		// Each completed write is there, so a torn one has nothing good behind it.
		behind, err := r.goodBehind(s, result)
		if err != nil || behind {
			return false, errors.Join(err, r.keepDamage(i, result, bad))
		}
	}
	return true, r.cut(i, result, size, bad)
}

// errGap is a segment that ends before the next one begins.
var errGap = errors.New("the end of the segment is missing")

// goodBehind says whether there is a good batch behind a bad one.
func (r *recovery) goodBehind(s *segment, result rebuilt) (found bool, err error) {
	err = s.withFile(logFile, false, func(f vfs.File) error {
		_, found, err = findBatchAfter(f, s, result.good+1, result.next)
		return err
	})
	return found, err
}

// noteEpoch collects where leader epochs begin.
func (r *recovery) noteEpoch(h batch.Header) {
	if n := len(r.epochs); h.LeaderEpoch >= 0 && (n == 0 || h.LeaderEpoch > r.epochs[n-1].Epoch) {
		r.epochs = append(r.epochs, EpochEntry{h.LeaderEpoch, h.BaseOffset})
	}
}

// reportMissing tells when the log ends before what was made durable.
func (r *recovery) reportMissing(end int64) {
	if end < r.checkpoint.RecoveryPoint {
		r.log.markDamaged(end, fmt.Errorf("log ends at offset %d, but was durable up to %d", end, r.checkpoint.RecoveryPoint))
	}
}

// cut ends the log before a bad batch that was never promised. Later segments go, too: they follow a gap.
func (r *recovery) cut(i int, result rebuilt, size int64, bad error) error {
	s := r.list[i]
	dropped := size - result.good
	for _, later := range r.list[i+1:] {
		dropped += later.size
		if err := later.remove(); err != nil {
			return err
		}
	}
	level := r.log.logger.Warn
	if errors.Is(bad, errZeros) {
		level = r.log.logger.Info // preallocated, or written by a kernel that lost power
	}
	level("the log's tail is cut: it was not completely written",
		"log", r.log.place.dir, "segment", s.base, "position", result.good, "bytes", dropped, "offset", result.next, "cause", bad)
	r.list = r.list[:i+1]
	s.size, s.next = result.good, result.next
	if err := s.withFile(logFile, false, func(f vfs.File) error { return f.Truncate(s.size) }); err != nil {
		return err
	}
	if err := r.log.settle(s); err != nil {
		return err
	}
	r.reportMissing(result.next)
	return nil
}

// keepDamage keeps a segment with a bad batch among durable data as it is. The scan goes on behind the damage, if
// there is a good batch behind it; else appends go on in a new segment.
func (r *recovery) keepDamage(i int, result rebuilt, bad error) error {
	s := r.list[i]
	r.log.markDamaged(result.next, bad)
	resumed, err := r.resume(s, result)
	if err != nil {
		return err
	}
	if i < len(r.list)-1 {
		return nil // the next segment says where to go on
	}
	s.next = max(resumed, r.checkpoint.RecoveryPoint, s.base+1)
	fresh, err := r.log.newSegment(s.next)
	if err != nil {
		return err
	}
	r.list = append(r.list, fresh)
	return nil
}

// resume looks behind damage for the next whole batch with a matching checksum, and indexes from there on. It returns
// the offset after the last one, or that where the damage begins.
func (r *recovery) resume(s *segment, result rebuilt) (next int64, err error) {
	next = result.next
	position := result.good + 1
	err = s.withFile(logFile, false, func(f vfs.File) error {
		for {
			at, found, err := findBatchAfter(f, s, position, next)
			if err != nil || !found {
				return err
			}
			scan := headerScan{file: f, base: s.base, pos: at, end: s.size, next: next, buf: scanBuffer(s.size)}
			s.sinceIndex = maxIndexInterval // so that the first batch behind the damage gets an index entry
			err = s.rebuildFrom(&scan, rebuildOptions{settings: r.log.settings.Load(), checkFrom: 0, visit: r.noteEpoch})
			next, position = scan.next, scan.pos+1
			if err == nil || !isCorrupt(err) {
				return err
			}
		}
	})
	if err != nil {
		return next, err
	}
	s.addTime()
	return next, s.finishIndexes()
}

// maxIndexInterval is more than any index.interval.bytes.
const maxIndexInterval = 1<<31 - 1

// findBatchAfter searches a file for the start of a good batch.
func findBatchAfter(f io.ReaderAt, s *segment, from, next int64) (position int64, found bool, err error) {
	buf, scratch := scanBuffer(s.size), scanBuffer(s.size)
	const magicAt = 16
	for ; from+batch.HeaderSize <= s.size; from += int64(len(buf)) - batch.HeaderSize {
		b := buf[:min(int64(len(buf)), s.size-from)]
		if _, err := f.ReadAt(b, from); err != nil {
			return 0, false, err
		}
		for i := 0; i+batch.HeaderSize <= len(b); i++ {
			if b[i+magicAt] != byte(batch.MagicCurrent) {
				continue
			}
			scan := headerScan{file: f, base: s.base, pos: from + int64(i), end: s.size, next: next, buf: scratch}
			scan.from, scan.upTo = from, from+int64(len(b))
			scan.buf = b
			h, err := scan.header()
			if err != nil {
				continue
			}
			scan.buf, scan.from, scan.upTo = scratch, 0, 0
			if err := scan.check(h); err == nil {
				return from + int64(i), true, nil
			}
		}
	}
	return 0, false, nil
}

// startPastEnd handles a start offset beyond all data: files were lost, and nothing that is left may be read.
func (r *recovery) startPastEnd() error {
	active := r.list[len(r.list)-1]
	if r.checkpoint.LogStartOffset <= max(active.next, active.base) {
		return nil
	}
	r.log.logger.Warn("the log ends before its start offset: what is left of it is removed",
		"log", r.log.place.dir, "end", active.next, "start", r.checkpoint.LogStartOffset)
	for _, s := range r.list {
		if err := s.remove(); err != nil {
			return err
		}
	}
	fresh, err := r.log.newSegment(r.checkpoint.LogStartOffset)
	if err != nil {
		return err
	}
	r.list, r.scanned, r.epochs = []*segment{fresh}, 0, nil
	return nil
}
