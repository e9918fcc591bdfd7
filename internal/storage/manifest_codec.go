package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	manifestVersion = 1
	// manifestVersionRecent also has the producers' recent batches. It is used only where there are any.
	manifestVersionRecent = 2
	// maxManifestSegments bounds what a damaged count makes us allocate; each segment takes at least four bytes.
	maxManifestSegments = 1 << 24
)

// errBadManifest says that bytes are no manifest entry.
var errBadManifest = errors.New("damaged manifest entry")

// AppendTo appends the entry's encoding: versioned, self-delimiting, without a checksum. All numbers are zig-zag varints.
func (m *ManifestEntry) AppendTo(b []byte) []byte {
	version := byte(manifestVersion)
	if len(m.Recent) > 0 {
		version = manifestVersionRecent
	}
	b = append(b, version)
	for _, v := range []int64{
		m.StartOffset, m.EndOffset, m.FlushedOffset, m.HighWatermark, m.FirstUnstableOffset, m.ProducerSnapshot,
		int64(len(m.Segments)),
	} {
		b = binary.AppendVarint(b, v)
	}
	for _, s := range m.Segments {
		for _, v := range []int64{s.BaseOffset, s.Size, s.MaxTimestamp, s.ModifiedMs} {
			b = binary.AppendVarint(b, v)
		}
	}
	b = binary.AppendVarint(b, int64(len(m.Epochs)))
	for _, e := range m.Epochs {
		b = binary.AppendVarint(b, int64(e.Epoch))
		b = binary.AppendVarint(b, e.StartOffset)
	}
	if len(m.Recent) > 0 {
		b = appendRecent(b, m.Recent)
	}
	return b
}

// appendRecent writes offsets and timestamps as differences, which are small.
func appendRecent(b []byte, recent []RecentBatches) []byte {
	b = binary.AppendVarint(b, int64(len(recent)))
	for _, r := range recent {
		b = binary.AppendVarint(b, r.ProducerID)
		b = binary.AppendVarint(b, int64(len(r.Batches)))
		before := producerBatch{}
		for _, at := range r.Batches {
			for _, v := range []int64{int64(at.lastSequence), int64(at.offsetDelta), at.lastOffset - before.lastOffset, at.timestamp - before.timestamp} {
				b = binary.AppendVarint(b, v)
			}
			before = at
		}
	}
	return b
}

// manifestReader reads varints and remembers the first failure.
type manifestReader struct {
	b   []byte
	bad bool
}

func (r *manifestReader) int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads a number of items of at least so many bytes each.
func (r *manifestReader) count(itemSize int) int {
	n := r.int()
	if n < 0 || n > maxManifestSegments || n*int64(itemSize) > int64(len(r.b)) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

// recent reads what appendRecent wrote.
func (r *manifestReader) recent() []RecentBatches {
	out := make([]RecentBatches, r.count(2))
	for i := range out {
		out[i].ProducerID = r.int()
		n := r.count(4)
		r.bad = r.bad || n < 1 || n > batchesToRetain
		if r.bad {
			return nil
		}
		out[i].Batches = make([]producerBatch, n)
		before := producerBatch{}
		for j := range out[i].Batches {
			sequence, delta := r.int(), r.int()
			at := producerBatch{int32(sequence), int32(delta), before.lastOffset + r.int(), before.timestamp + r.int()}
			r.bad = r.bad || int64(at.lastSequence) != sequence || int64(at.offsetDelta) != delta
			out[i].Batches[j], before = at, at
		}
	}
	r.bad = r.bad || len(out) == 0
	return out
}

// DecodeManifestEntry reads what AppendTo wrote and returns the bytes behind it.
func DecodeManifestEntry(b []byte) (entry ManifestEntry, rest []byte, err error) {
	if len(b) == 0 || b[0] != manifestVersion && b[0] != manifestVersionRecent {
		return ManifestEntry{}, b, fmt.Errorf("not version %d or %d: %w", manifestVersion, manifestVersionRecent, errBadManifest)
	}
	r := manifestReader{b: b[1:]}
	m := ManifestEntry{
		StartOffset: r.int(), EndOffset: r.int(), FlushedOffset: r.int(), HighWatermark: r.int(),
		FirstUnstableOffset: r.int(), ProducerSnapshot: r.int(),
	}
	if n := r.count(4); n > 0 {
		m.Segments = make([]SegmentInfo, n)
		for i := range m.Segments {
			m.Segments[i] = SegmentInfo{BaseOffset: r.int(), Size: r.int(), MaxTimestamp: r.int(), ModifiedMs: r.int()}
		}
	}
	if n := r.count(2); n > 0 {
		m.Epochs = make([]EpochEntry, n)
		for i := range m.Epochs {
			m.Epochs[i] = EpochEntry{Epoch: int32(r.int()), StartOffset: r.int()}
		}
	}
	if b[0] == manifestVersionRecent {
		m.Recent = r.recent()
	}
	if r.bad {
		return ManifestEntry{}, b, errBadManifest
	}
	if err := m.check(); err != nil {
		return ManifestEntry{}, b, err
	}
	return m, r.b, nil
}

// check verifies what every use of an entry relies on.
func (m *ManifestEntry) check() error {
	if len(m.Segments) == 0 || m.StartOffset < 0 || m.StartOffset > m.EndOffset || m.FlushedOffset > m.EndOffset {
		return fmt.Errorf("%d segments, start %d, flushed %d, end %d: %w", len(m.Segments), m.StartOffset, m.FlushedOffset, m.EndOffset, errBadManifest)
	}
	for i, s := range m.Segments {
		if s.Size < 0 || s.Size > maxSegmentSize || s.BaseOffset < 0 || s.BaseOffset > m.EndOffset || i > 0 && s.BaseOffset <= m.Segments[i-1].BaseOffset {
			return fmt.Errorf("segment %d: base %d, size %d: %w", i, s.BaseOffset, s.Size, errBadManifest)
		}
	}
	return nil
}
