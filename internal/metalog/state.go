package metalog

import (
	"errors"
	"fmt"
	"iter"
)

// State yields what makes the state at the position that Restore set: the newest checkpoint, and the log behind it.
func (l *Log) State() iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		l.mu.Lock()
		end := l.end
		from, err := l.stateCheckpoint(end)
		segments := append([]segment(nil), l.segments[:l.active+1]...)
		l.mu.Unlock()
		if err != nil {
			yield(Batch{}, fmt.Errorf("metadata log %s: %w", l.o.Dir, err))
			return
		}
		if from != nil {
			for b, err := range ReadCheckpoint(l.o.FS, l.path(checkpointName(from.Position))) {
				b.End = from.Position
				if !yield(b, err) || err != nil {
					return
				}
			}
		}
		start := int64(0)
		if from != nil {
			start = from.Offset
		}
		l.yieldLog(segments, start, end.Offset, yield)
	}
}

// stateCheckpoint gives the checkpoint that the state at a position is read from: nil if the log begins at 0 and there
// is none.
func (l *Log) stateCheckpoint(at Position) (*checkpointFile, error) {
	c, err := l.newestCheckpoint(at)
	if err == nil {
		return &c, nil
	}
	for _, known := range l.checkpoints {
		if !at.before(known.Position) {
			return nil, err // there are some, and all are damaged
		}
	}
	if at.Offset > 0 && l.segments[0].base > 0 {
		return nil, err
	}
	return nil, nil
}

// yieldLog yields the batches of [from, to), all of which must be there.
func (l *Log) yieldLog(segments []segment, from, to int64, yield func(Batch, error) bool) {
	next := from
	for i, s := range segments {
		if i+1 < len(segments) && segments[i+1].base <= from {
			continue
		}
		for r, err := range scanFile(l.o.FS, s.name) {
			if next >= to {
				return
			}
			if err != nil && !errors.Is(err, errTorn) {
				yield(Batch{}, fmt.Errorf("metadata log: %w", err))
				return
			}
			if err != nil || r.header.BaseOffset > next {
				break
			}
			if r.header.NextOffset() <= next {
				continue
			}
			b, err := toBatch(r, next)
			if !yield(b, err) || err != nil {
				return
			}
			next = b.End.Offset
		}
	}
	if next < to {
		yield(Batch{}, fmt.Errorf("%w: %s ends at offset %d, the state is that of %d", ErrCorrupt, l.o.Dir, next, to))
	}
}
