package storage

import (
	"encoding/binary"
	"fmt"
	"sort"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

const (
	offsetEntrySize = 8  // relative offset 4, position 4
	timeEntrySize   = 12 // timestamp 8, relative offset 4

	// maxUnindexed is how much of a segment may lie behind its last index entry before the index is taken for one that
	// lost its end: more than the largest usual batch and interval. A wrong guess costs a walk over the headers.
	maxUnindexed = 4 << 20

	// indexBufferEntries is how many entries an index keeps in memory before it writes them: a crash loses them, and
	// recovery, which scans the last segment's headers anyway, rebuilds them.
	indexBufferEntries = 128
)

// sparseIndex is what both indexes share: fixed-size entries sorted by key, the newest of them not yet written.
type sparseIndex struct {
	entrySize int
	written   int    // entries in the file
	pending   []byte // entries behind them
}

func (x *sparseIndex) entries() int { return x.written + len(x.pending)/x.entrySize }

// writePending writes the entries kept in memory. On an error they stay, and the next attempt overwrites.
func (x *sparseIndex) writePending(f vfs.File) error {
	if len(x.pending) == 0 {
		return nil
	}
	if _, err := f.WriteAt(x.pending, int64(x.written*x.entrySize)); err != nil {
		return err
	}
	x.written += len(x.pending) / x.entrySize
	x.pending = x.pending[:0]
	return nil
}

// truncate keeps the first n entries, in memory and file.
func (x *sparseIndex) truncate(n int, f vfs.File) error {
	if n >= x.written {
		x.pending = x.pending[:min((n-x.written)*x.entrySize, len(x.pending))]
		return nil
	}
	if err := f.Truncate(int64(n * x.entrySize)); err != nil {
		return err
	}
	x.written, x.pending = n, nil
	return nil
}

// fileEntries reads n whole entries from the file, starting at one of them, into buf.
func (x *sparseIndex) fileEntries(f vfs.File, buf []byte, from, n int) ([]byte, error) {
	b := buf[:n*x.entrySize]
	if _, err := f.ReadAt(b, int64(from*x.entrySize)); err != nil {
		return nil, fmt.Errorf("index entries %d to %d: %w", from, from+n, err)
	}
	return b, nil
}

// ends reads how many entries a file has, and the first and the last of them. A size that is not whole entries is a bad
// index.
func (x *sparseIndex) ends(f vfs.File) (n int, first, last []byte, err error) {
	size, err := f.Size()
	if err != nil {
		return 0, nil, nil, err
	}
	if size%int64(x.entrySize) != 0 || size > maxSegmentSize {
		return 0, nil, nil, fmt.Errorf("%s has %d bytes: %w", f.Name(), size, errBadIndex)
	}
	if n = int(size) / x.entrySize; n == 0 {
		return 0, nil, nil, nil
	}
	buf := make([]byte, 2*x.entrySize)
	if first, err = x.fileEntries(f, buf, 0, 1); err != nil {
		return 0, nil, nil, err
	}
	last, err = x.fileEntries(f, buf[x.entrySize:], n-1, 1)
	return n, first, last, err
}

// searchFile returns the last of the first n entries of the file for which atMost says yes, nil if there is none. atMost
// must say yes for a prefix of the entries. It reads single entries until the range fits into buf.
func (x *sparseIndex) searchFile(f vfs.File, buf []byte, n int, atMost func(entry []byte) bool) ([]byte, error) {
	low, high := 0, n // entries below low: yes; from high on: no
	for high-low > len(buf)/x.entrySize {
		middle := (low + high) / 2
		entry, err := x.fileEntries(f, buf, middle, 1)
		if err != nil {
			return nil, err
		}
		if atMost(entry) {
			low = middle
		} else {
			high = middle
		}
	}
	block, err := x.fileEntries(f, buf, low, high-low)
	if err != nil {
		return nil, err
	}
	return x.searchBlock(block, atMost), nil
}

// countFile returns how many entries of the file have a property that holds for a prefix of them.
func (x *sparseIndex) countFile(f vfs.File, buf []byte, atMost func(entry []byte) bool) (int, error) {
	var failed error
	n := sort.Search(x.written, func(i int) bool {
		if failed != nil {
			return true
		}
		entry, err := x.fileEntries(f, buf, i, 1)
		if err != nil {
			failed = err
			return true
		}
		return !atMost(entry)
	})
	return n, failed
}

// searchBlock does what searchFile does among entries in memory.
func (x *sparseIndex) searchBlock(block []byte, atMost func(entry []byte) bool) []byte {
	n := len(block) / x.entrySize
	i := sort.Search(n, func(i int) bool { return !atMost(block[i*x.entrySize : (i+1)*x.entrySize]) })
	if i == 0 {
		return nil
	}
	return block[(i-1)*x.entrySize : i*x.entrySize]
}

// offsetEntry says that the batch whose last offset this is starts at a position.
type offsetEntry struct {
	offset   int64
	position int64
}

func parseOffsetEntry(base int64, b []byte) offsetEntry {
	return offsetEntry{
		offset:   base + int64(int32(binary.BigEndian.Uint32(b))),
		position: int64(binary.BigEndian.Uint32(b[4:])),
	}
}

func appendOffsetEntry(b []byte, base int64, e offsetEntry) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(e.offset-base))
	return binary.BigEndian.AppendUint32(b, uint32(e.position))
}

// timeEntry says that up to an offset no timestamp in the segment is larger: the last offset of the batch that has it.
type timeEntry struct {
	timestamp int64
	offset    int64
}

// noTimestamp is Kafka's mark for a record or segment without one.
const noTimestamp = -1

func parseTimeEntry(base int64, b []byte) timeEntry {
	return timeEntry{
		timestamp: int64(binary.BigEndian.Uint64(b)),
		offset:    base + int64(int32(binary.BigEndian.Uint32(b[8:]))),
	}
}

func appendTimeEntry(b []byte, base int64, e timeEntry) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.timestamp))
	return binary.BigEndian.AppendUint32(b, uint32(e.offset-base))
}

// checkOffsetIndex verifies what must hold for an index of a segment of size bytes, by its first and last entries:
// every other damage is found by the scan that starts at an entry, as it hits no batch.
func checkOffsetIndex(base, size int64, first, last offsetEntry) error {
	if size-last.position > maxUnindexed {
		return fmt.Errorf("offset index of segment %d ends at byte %d of %d: %w", base, last.position, size, errBadIndex)
	}
	if first.offset < base || last.offset < first.offset || last.position < first.position || last.position >= size {
		return fmt.Errorf("offset index of segment %d with %d bytes: first entry %v, last entry %v: %w", base, size, first, last, errBadIndex)
	}
	return nil
}

// checkTimeIndex does so for a time index.
func checkTimeIndex(base int64, first, last timeEntry) error {
	if first.offset < base || last.offset < first.offset || last.timestamp < first.timestamp {
		return fmt.Errorf("time index of segment %d: first entry %v, last entry %v: %w", base, first, last, errBadIndex)
	}
	return nil
}
