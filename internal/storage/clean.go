package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// CleanerOptions are the means that a cleaner has.
type CleanerOptions struct {
	DedupeBytes int64   // log.cleaner.dedupe.buffer.size: the most that the map of keys may take
	LoadFactor  float64 // log.cleaner.io.buffer.load.factor
	BufferBytes int     // log.cleaner.io.buffer.size: read and written at once; grows for a larger batch
	// Throttle, when set, is told of bytes read or written, and waits as long as they should take.
	Throttle func(ctx context.Context, bytes int) error
}

// Dirt is what a cleaning of a log could do: where it would begin, and how much it would find.
type Dirt struct {
	FirstDirty       int64 // below it the log has been cleaned
	FirstUncleanable int64 // base of the first segment that must not be cleaned yet
	CleanBytes       int64
	CleanableBytes   int64
	Overdue          bool // max.compaction.lag.ms has passed for something
	// Reset says that the offset handed in does not belong to this log as it is: it begins at FirstDirty.
	Reset bool
	// Pending says that there are segments behind FirstDirty, cleanable now or, without a further append, later.
	Pending bool
}

// Ratio is how much of what would be read is dirty, as min.cleanable.dirty.ratio counts it.
func (d Dirt) Ratio() float64 {
	if d.CleanableBytes == 0 {
		return 0
	}
	return float64(d.CleanableBytes) / float64(d.CleanBytes+d.CleanableBytes)
}

// CleanStats is what a cleaning did. CleanedTo is the first offset that has not been cleaned.
type CleanStats struct {
	CleanedTo                int64
	Keys                     int
	MapFull                  bool // the rest of the dirty part is left for another cleaning
	SegmentsRead, Written    int
	BytesRead, BytesKept     int64
	RecordsRead, RecordsKept int64
	InvalidRecords           int64 // without a key
}

// ErrCleanAborted says that the log changed under the cleaner, by truncation, retention or its end: nothing was replaced that
// is not whole, and another cleaning may do better.
var ErrCleanAborted = errors.New("cleaning aborted")

// Dirt measures what a cleaning could do, given the first dirty offset that the last one left (0: there was none).
// Nothing is cleaned that is not stable, nor the active segment, nor what is younger than min.compaction.lag.ms.
func (l *Log) Dirt(firstDirty int64, now time.Time) (Dirt, error) {
	list, err := l.list()
	if err != nil {
		return Dirt{}, err
	}
	d := Dirt{FirstDirty: firstDirty}
	if start := l.StartOffset(); firstDirty < start || firstDirty > l.EndOffset() {
		d.FirstDirty, d.Reset = start, firstDirty != 0
	}
	settings := l.settings.Load()
	closed := list[:len(list)-1]
	bound := min(l.LastStableOffset(), list[len(list)-1].base)
	d.Pending = len(closed) > 0 && list[len(list)-1].base > d.FirstDirty
	for _, s := range segmentsBetween(closed, d.FirstDirty, list[len(list)-1].base) {
		largest, first, err := l.timesOf(s)
		if err != nil {
			return Dirt{}, l.storageError("measure dirt", err)
		}
		if settings.MinCompactionLagMs > 0 && largest > now.UnixMilli()-settings.MinCompactionLagMs {
			bound = min(bound, s.base)
		}
		if first > 0 && first < now.UnixMilli()-max(settings.MaxCompactionLagMs, 0) {
			d.Overdue = true
		}
	}
	d.FirstUncleanable = floorSegment(list, max(bound, d.FirstDirty)).base
	for _, s := range closed {
		if s.base < d.FirstDirty {
			d.CleanBytes += s.bytes()
		}
	}
	for _, s := range segmentsBetween(closed, min(d.FirstDirty, d.FirstUncleanable), d.FirstUncleanable) {
		d.CleanableBytes += s.bytes()
	}
	return d, nil
}

// timesOf returns the largest timestamp of a segment and that of its first batch.
func (l *Log) timesOf(s *segment) (largest, first int64, err error) {
	if err := s.load(); err != nil {
		return 0, 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := s.readFirstTimestamp(); err != nil {
		return 0, 0, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.firstKnown {
		first = s.firstTimestamp
	}
	return s.largest.timestamp, first, nil
}

// floorSegment is the segment that holds an offset, or the first one.
func floorSegment(list []*segment, offset int64) *segment {
	floor := list[0]
	for _, s := range list {
		if s.base <= offset {
			floor = s
		}
	}
	return floor
}

// segmentsBetween lists those from the one that holds an offset up to, not including, the first that begins at or behind
// another.
func segmentsBetween(list []*segment, from, to int64) []*segment {
	if len(list) == 0 || from >= to {
		return nil
	}
	first := slices.Index(list, floorSegment(list, from))
	last := first
	for last < len(list) && list[last].base < to {
		last++
	}
	return list[first:last]
}

// Clean compacts a log as far as Dirt says: of each key only the newest record stays, a tombstone for delete.retention.ms. Offsets
// stay as they are, and so does the last offset of each batch that is kept. Several segments become one where that fits. Only one
// cleaning of a log may run at a time; it may be read and appended to meanwhile.
func (l *Log) Clean(ctx context.Context, d Dirt, now time.Time, o CleanerOptions) (CleanStats, error) {
	list, err := l.list()
	if err != nil {
		return CleanStats{}, err
	}
	c := &cleaning{ctx: ctx, log: l, settings: l.settings.Load(), o: o, segments: list[:len(list)-1], activeBase: list[len(list)-1].base}
	if err := c.run(d, now); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", ErrCleanAborted, ctx.Err())
		}
		if l.alive() != nil || errors.Is(err, errRewound) {
			err = fmt.Errorf("%w: %w", ErrCleanAborted, err)
		}
		return c.stats, fmt.Errorf("log %s: clean: %w", l.place.dir, err)
	}
	return c.stats, nil
}
