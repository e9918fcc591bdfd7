package storage

import (
	"fmt"
	"slices"
)

// maybeRoll begins a new segment when the active one cannot, or by its settings should not, take what is to be appended:
// size, time, full indexes, offsets too far from the base. The caller holds mu.
func (l *Log) maybeRoll(more int64, next Appended, settings *Settings, nowMs int64) error {
	s := l.active()
	if err := s.load(); err != nil {
		return err
	}
	full := s.size > min(settings.SegmentBytes, maxSegmentSize)-more
	tooFar := next.LastOffset-s.base > maxRelativeOffset
	offsets, times := s.offsets.entries(), s.times.entries()
	indexFull := offsets >= int(settings.SegmentIndexBytes)/offsetEntrySize || times >= int(settings.SegmentIndexBytes)/timeEntrySize-1
	late := false
	if s.size > 0 && !full && !tooFar && !indexFull {
		waited, err := s.timeWaited(nowMs, next.MaxTimestamp)
		if err != nil {
			return err
		}
		late = waited > settings.maxSegmentMs()-s.jitterMs
	}
	if s.size == 0 && !tooFar {
		return nil // rolling an empty segment would give it its own name again
	}
	if full || tooFar || indexFull || late {
		return l.roll(max(next.BaseOffset, l.end.Load()))
	}
	return nil
}

// timeWaited is how much time has gone on since the segment's first batch, by the timestamps of records if they have
// any. The caller holds Log.mu.
func (s *segment) timeWaited(nowMs, maxTimestamp int64) (int64, error) {
	if err := s.readFirstTimestamp(); err != nil {
		return 0, err
	}
	if s.firstKnown && s.firstTimestamp >= 0 {
		return maxTimestamp - s.firstTimestamp, nil
	}
	return nowMs - s.createdMs, nil
}

// roll seals the active segment and begins a new one, with a snapshot of the producers' state before it. On an error
// the log goes on with the old one. The caller holds mu and has the producers loaded.
func (l *Log) roll(base int64) error {
	old := l.active()
	if err := old.seal(); err != nil {
		return err
	}
	if old.base == base {
		return fmt.Errorf("segment %d: roll to its own base", base)
	}
	l.producers.end = base // it may lie beyond the end
	if err := l.takeSnapshot(); err != nil {
		return err
	}
	s, err := l.newSegment(base)
	if err != nil {
		return err
	}
	l.publishSegments(append(slices.Clone(*l.segments.Load()), s))
	return nil
}
