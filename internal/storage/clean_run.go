package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// cleaning is one run over one log.
type cleaning struct {
	ctx      context.Context
	log      *Log
	settings *Settings
	o        CleanerOptions
	segments []*segment // all but the active one
	// activeBase is where that one began when the cleaning did.
	activeBase int64
	filter     cleanFilter
	stats      CleanStats
	out        []byte
	headers    []batch.Header
}

func (c *cleaning) run(d Dirt, now time.Time) error {
	producers, err := c.log.Producers()
	if err != nil {
		return err
	}
	c.filter = cleanFilter{
		offsets: newOffsetMap(c.o.DedupeBytes, c.o.LoadFactor), transactions: newCleanedTransactions(),
		producers: make(map[int64]ProducerState, len(producers)), highWatermark: c.log.HighWatermark(),
		nowMs: now.UnixMilli(), retentionMs: c.settings.DeleteRetentionMs, keys: newKeyHasher(), stats: &c.stats,
	}
	for _, p := range producers {
		c.filter.producers[p.ProducerID] = p
	}
	c.stats.CleanedTo = d.FirstDirty
	if err := c.mapKeys(d.FirstDirty, d.FirstUncleanable); err != nil {
		return err
	}
	c.stats.Keys = c.filter.offsets.entries
	end := c.filter.offsets.latest + 1
	if end <= d.FirstDirty {
		return nil
	}
	for _, group := range c.groups(segmentsBetween(c.segments, 0, end), d.FirstUncleanable) {
		if err := c.cleanGroup(group); err != nil {
			return err
		}
	}
	c.stats.CleanedTo = end
	return nil
}

// mapKeys notes the newest offset of each key in the dirty part, as far as the map reaches.
func (c *cleaning) mapKeys(from, to int64) error {
	m := c.filter.offsets
	transactions := newCleanedTransactions()
	aborted, err := c.log.AbortedTransactions(from, to)
	if err != nil {
		return err
	}
	transactions.expect(aborted)
	dirty := segmentsBetween(c.segments, from, to)
	for i, s := range dirty {
		next := to
		if i+1 < len(dirty) {
			next = dirty[i+1].base
		}
		err := c.read(s, func(b []byte, h *batch.Header) error { return c.mapBatch(transactions, from, b, h) })
		if errors.Is(err, errMapFull) {
			c.stats.MapFull = true
			return nil
		}
		if err != nil {
			return err
		}
		m.latest = next - 1 // whatever gap follows the last batch
	}
	return nil
}

var errMapFull = errors.New("map of keys is full")

func (c *cleaning) mapBatch(transactions *cleanedTransactions, from int64, b []byte, h *batch.Header) error {
	if h.Control() {
		kind, hasRecord, err := controlKind(b)
		if err != nil {
			return err
		}
		transactions.control(h, kind, hasRecord)
	} else if !transactions.data(h) && h.LastOffset() >= from {
		for r, err := range batch.Scan(b, c.filter.keys) {
			if err != nil {
				return err
			}
			if r.HasKey && r.Offset >= from && !c.filter.offsets.put(c.filter.keys.key(), r.Offset) {
				return errMapFull
			}
		}
	}
	if h.LastOffset() >= from {
		c.filter.offsets.latest = h.LastOffset()
	}
	return nil
}

// groups gathers neighbours that fit one segment together, so that segments do not become ever smaller.
func (c *cleaning) groups(segments []*segment, end int64) [][]*segment {
	var groups [][]*segment
	var group []*segment
	var size, offsets, times int64
	maxIndex := int64(c.settings.SegmentIndexBytes)
	for i, s := range segments {
		s.mu.RLock()
		bytes := s.size
		indexBytes, timeBytes := int64(s.offsets.entries()*offsetEntrySize), int64(s.times.entries()*timeEntrySize)
		s.mu.RUnlock()
		last := end - 1
		if i+1 < len(segments) {
			last = segments[i+1].base - 1
		}
		fits := len(group) > 0 && size+bytes <= min(c.settings.SegmentBytes, maxSegmentSize) && offsets+indexBytes <= maxIndex &&
			times+timeBytes <= maxIndex && (bytes == 0 || last-group[0].base <= maxRelativeOffset)
		if !fits {
			if len(group) > 0 {
				groups = append(groups, group)
			}
			group, size, offsets, times = nil, 0, 0, 0
		}
		group = append(group, s)
		size, offsets, times = size+bytes, offsets+indexBytes, times+timeBytes
	}
	if len(group) > 0 {
		groups = append(groups, group)
	}
	return groups
}

// cleanGroup writes what stays of a group into one new segment and puts that in their place.
func (c *cleaning) cleanGroup(group []*segment) error {
	cuts := make([]uint32, len(group))
	for i, s := range group {
		cuts[i] = s.cuts.Load()
	}
	cleaned, err := createSegment(&c.log.place, group[0].base, stageCleaned)
	if err != nil {
		return err
	}
	if err := c.fill(cleaned, group); err != nil {
		return errors.Join(err, cleaned.remove())
	}
	if err := c.log.replace(group, cuts, cleaned); err != nil {
		return err
	}
	c.stats.SegmentsRead += len(group)
	c.stats.Written++
	return nil
}

func (c *cleaning) fill(cleaned *segment, group []*segment) error {
	settings := *c.settings
	settings.Preallocate = false
	for _, s := range group {
		next := c.nextBase(s)
		aborted, err := c.log.AbortedTransactions(s.base, next)
		if err != nil {
			return err
		}
		c.filter.transactions.expect(aborted)
		err = c.read(s, func(b []byte, h *batch.Header) error { return c.pass(cleaned, b, h, &settings) })
		if err == nil {
			err = c.write(cleaned, &settings)
		}
		if err != nil {
			return err
		}
		cleaned.next = next
	}
	last := group[len(group)-1]
	cleaned.createdMs, cleaned.modifiedMs = last.createdMs, last.modifiedMs
	if err := cleaned.seal(); err != nil {
		return err
	}
	return cleaned.sync(true)
}

// nextBase is where the segment after one begins.
func (c *cleaning) nextBase(s *segment) int64 {
	if at := slices.Index(c.segments, s); at+1 < len(c.segments) {
		return c.segments[at+1].base
	}
	return c.activeBase
}

// pass filters one batch into the buffer, which is written when it is full.
func (c *cleaning) pass(cleaned *segment, b []byte, h *batch.Header, settings *Settings) error {
	before := len(c.out)
	out, kept, aborted, err := c.filter.apply(c.out, b, h)
	if err != nil {
		return fmt.Errorf("segment %d: batch at offset %d: %w", cleaned.base, h.BaseOffset, err)
	}
	c.out = out
	c.stats.BytesRead += int64(len(b))
	c.stats.BytesKept += int64(len(out) - before)
	if aborted != nil {
		if _, err := cleaned.appendAborted([]AbortedTransaction{*aborted}); err != nil {
			return err
		}
	}
	if len(out) > before {
		c.headers = append(c.headers, kept)
	}
	if len(c.out) < c.o.BufferBytes {
		return nil
	}
	return c.write(cleaned, settings)
}

// write appends what is buffered to the new segment.
func (c *cleaning) write(cleaned *segment, settings *Settings) error {
	if len(c.headers) == 0 {
		return nil
	}
	if err := c.throttle(len(c.out)); err != nil {
		return err
	}
	if err := cleaned.append(c.out, c.headers, settings); err != nil {
		return err
	}
	c.headers = c.headers[:0]
	if cap(c.out) > 4*c.o.BufferBytes {
		c.out = nil // what one large batch needed is not kept
	}
	c.out = c.out[:0]
	return nil
}

func (c *cleaning) throttle(n int) error {
	if c.o.Throttle != nil {
		if err := c.o.Throttle(c.ctx, n); err != nil {
			return err
		}
	}
	return c.ctx.Err()
}

// read hands each batch of a segment on, its checksum verified: a cleaning must not give damage a new checksum.
func (c *cleaning) read(s *segment, each func(b []byte, h *batch.Header) error) error {
	if err := s.load(); err != nil {
		return err
	}
	return s.withFile(logFile, false, func(f vfs.File) error {
		scan := headerScan{file: f, base: s.base, end: s.bytes(), next: s.base, buf: make([]byte, max(c.o.BufferBytes, batch.HeaderSize))}
		for scan.pos < scan.end {
			if scan.pos >= scan.upTo {
				if err := c.throttle(int(min(int64(len(scan.buf)), scan.end-scan.pos))); err != nil {
					return err
				}
			}
			h, b, err := scan.whole()
			if isCorrupt(err) {
				c.log.markDamaged(scan.next, err)
			}
			if err != nil {
				return err
			}
			if err := each(b, &h); err != nil {
				return err
			}
			scan.skip(h)
		}
		return nil
	})
}

// whole returns the batch at pos with all its bytes, valid until the next call, verified. The buffer grows for a larger batch, which
// header has found to lie within the file.
func (s *headerScan) whole() (batch.Header, []byte, error) {
	h, err := s.header()
	if err != nil {
		return h, nil, err
	}
	size := int64(h.Size())
	if s.pos+size > s.upTo {
		if size > int64(len(s.buf)) {
			s.buf = make([]byte, size)
		}
		if err := s.fill(); err != nil {
			return h, nil, err
		}
	}
	b := s.buf[s.pos-s.from:][:size:size]
	if err := batch.CheckCRC(b); err != nil {
		return h, nil, s.corrupt(err)
	}
	return h, b, nil
}
