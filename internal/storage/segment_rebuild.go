package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// rebuildBuffer is read at once when a whole segment is scanned.
const rebuildBuffer = 256 << 10

// scanBuffer is one for a file of so many bytes.
func scanBuffer(size int64) []byte {
	return make([]byte, min(rebuildBuffer, max(size, scratchSize)))
}

// rebuildOptions say how carefully a segment is scanned. The zero value checks no checksum.
type rebuildOptions struct {
	settings *Settings
	// checkFrom is the offset from which on each batch's checksum is verified; checkTail also verifies those in
	// the last so many bytes of the file.
	checkFrom int64
	checkTail int64
	// visit, when set, is called with each good batch.
	visit func(h batch.Header)
	// interrupted, when set, is asked for a reason to end before each piece of the file is read.
	interrupted func() error
}

// noCheck is a checkFrom above every offset.
const noCheck = math.MaxInt64

// rebuilt is what a scan found: good bytes, and the offset after them.
type rebuilt struct {
	good int64
	next int64
}

// rebuild scans the whole file and writes both indexes anew. It returns how far the batches are good; if that is not the
// whole of size, with a *corruptError. size is not changed. The caller holds mu or is alone.
func (s *segment) rebuild(o rebuildOptions) (rebuilt, error) {
	if o.settings == nil {
		o.settings, o.checkFrom = &Settings{SegmentIndexBytes: 10 << 20, IndexIntervalBytes: 4096}, noCheck
	}
	s.resetIndexes()
	var result rebuilt
	err := s.withFile(logFile, false, func(f vfs.File) error {
		scan := headerScan{file: f, base: s.base, end: s.size, next: s.base, buf: scanBuffer(s.size), interrupted: o.interrupted}
		err := s.rebuildFrom(&scan, o)
		result = rebuilt{scan.pos, scan.next}
		return err
	})
	if err != nil && !isCorrupt(err) {
		return result, err
	}
	s.addTime()
	if finishErr := s.finishIndexes(); finishErr != nil {
		return result, finishErr
	}
	s.loaded = true
	return result, err
}

func (s *segment) resetIndexes() {
	s.offsets = sparseIndex{entrySize: offsetEntrySize}
	s.times = sparseIndex{entrySize: timeEntrySize}
	s.lastOffset = offsetEntry{offset: s.base}
	s.lastTime = timeEntry{timestamp: noTimestamp, offset: s.base}
	s.largest = s.lastTime
	s.sinceIndex = 0
}

// rebuildFrom goes on with a scan until the end or the first bad batch.
func (s *segment) rebuildFrom(scan *headerScan, o rebuildOptions) error {
	for {
		h, err := scan.header()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.NextOffset() > o.checkFrom || scan.pos+int64(h.Size()) > scan.end-o.checkTail {
			if err := scan.check(h); err != nil {
				return err
			}
			s.memory().verified.add(scan.pos, scan.pos+int64(h.Size()))
		}
		if !s.firstKnown {
			s.firstTimestamp, s.firstKnown = h.MaxTimestamp, true
		}
		s.index(&h, scan.pos, o.settings)
		if len(s.offsets.pending) >= scratchSize {
			if err := s.writeIndexes(); err != nil && !vfs.IsNoSpace(err) {
				return err
			}
		}
		if o.visit != nil {
			o.visit(h)
		}
		scan.skip(h)
	}
}

// finishIndexes writes what is pending and cuts the files behind it; those of an empty segment are not created. On a full disk entries stay in memory: a log must
// open then, too.
func (s *segment) finishIndexes() error {
	for kind, index := range map[fileKind]*sparseIndex{offsetIndexFile: &s.offsets, timeIndexFile: &s.times} {
		err := s.withFile(kind, s.size > 0, func(f vfs.File) error {
			if err := index.writePending(f); err != nil && !vfs.IsNoSpace(err) {
				return err
			}
			return f.Truncate(int64(index.written * index.entrySize))
		})
		if s.size == 0 && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil && !vfs.IsNoSpace(err) {
			return err
		}
	}
	return nil
}

// refuseOldFormat returns an error if what lies at a position is a whole message of magic 0 or 1, as Kafka before 0.11
// wrote them. They are not read here, and must not be taken for a torn tail.
func (s *segment) refuseOldFormat(position int64) error {
	const overhead, smallest = 12, 14 // offset and size; checksum, magic, attributes, two lengths
	var head [overhead + 5]byte
	return s.withFile(logFile, false, func(f vfs.File) error {
		if _, err := f.ReadAt(head[:], position); err != nil {
			return nil //nolint:nilerr // too short for a message
		}
		size := int64(int32(binary.BigEndian.Uint32(head[8:])))
		if magic := head[16]; magic > 1 || size < smallest || position+overhead+size > s.size {
			return nil
		}
		sum := crc32.NewIEEE()
		const checksumSize = 4
		section := io.NewSectionReader(f, position+overhead+checksumSize, size-checksumSize)
		if _, err := io.Copy(sum, section); err != nil {
			return err
		}
		if sum.Sum32() != binary.BigEndian.Uint32(head[overhead:]) {
			return nil
		}
		return fmt.Errorf("segment %d at byte %d: message of format %d: %w", s.base, position, head[16], kerr.UnsupportedForMessageFormat)
	})
}
