package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

const (
	// maxRelativeOffset is how far a segment's offsets may be from its base: indexes keep them in 31 bits.
	maxRelativeOffset = math.MaxInt32
	// maxSegmentSize is the largest size of a segment: indexes keep positions in 31 bits.
	maxSegmentSize = math.MaxInt32
	// hintCount is how many places where readers stopped a segment remembers, so that they go on without a search.
	hintCount = 8
	// recentCount is how many of the newest batches' places an active segment remembers: who reads at the end of the
	// log needs no search at all.
	recentCount = 32
)

// fileKind is one of a segment's files.
type fileKind int

const (
	logFile fileKind = iota
	offsetIndexFile
	timeIndexFile
	txnIndexFile
	fileKinds = iota
)

// Suffixes of Kafka's files: of producer snapshots, and of files on their way out or in.
const (
	snapshotSuffix  = ".snapshot"
	temporarySuffix = ".tmp"
	cleanedSuffix   = ".cleaned"
	swapSuffix      = ".swap"
	deletedSuffix   = ".deleted"
)

func (k fileKind) suffix() string {
	return [fileKinds]string{".log", ".index", ".timeindex", ".txnindex"}[k]
}

// place is where the files of a log are, shared by its segments.
type place struct {
	disk  vfs.FS
	dir   string
	files *Files
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

// writeFile replaces a small file whole.
func (p *place) writeFile(path string, data []byte, sync bool) error {
	return p.files.withDescriptors(func() error { return vfs.WriteFileAtomic(p.disk, path, data, sync) })
}

// readFile reads a small file.
func (p *place) readFile(path string) (data []byte, err error) {
	err = p.files.withDescriptors(func() error {
		data, err = vfs.ReadFile(p.disk, path)
		return err
	})
	return data, err
}

// list reads the directory.
func (p *place) list() (entries []fs.DirEntry, err error) {
	err = p.files.withDescriptors(func() error {
		entries, err = p.disk.ReadDir(p.dir)
		return err
	})
	return entries, err
}

// syncDir makes the directory's names durable.
func (p *place) syncDir() error {
	return p.files.withDescriptors(func() error { return p.disk.SyncDir(p.dir) })
}

// offsetName is how Kafka writes an offset in a file name.
func offsetName(offset int64) string {
	digits := strconv.FormatInt(offset, 10)
	return strings.Repeat("0", max(0, 20-len(digits))) + digits
}

// parseOffsetName reads the offset and the suffixes, as ".log" or ".index.deleted", of a file name.
func parseOffsetName(name string) (offset int64, suffix string, ok bool) {
	if len(name) <= 20 || name[20] != '.' {
		return 0, "", false
	}
	offset, err := strconv.ParseInt(name[:20], 10, 64)
	if err != nil || offset < 0 || strings.Trim(name[:20], "0123456789") != "" {
		return 0, "", false
	}
	return offset, name[20:], true
}

// boundary is a place between two batches: whoever wants offset reads on at position.
type boundary struct {
	offset   int64
	position int64
}

// span is a run of bytes in a file.
type span struct{ from, to int64 }

// segment is one stretch of the log: a file of batches and what finds them. It opens no file before it needs it.
type segment struct {
	place   *place
	base    int64
	handles [fileKinds]atomic.Pointer[handle]
	stage   atomic.Int32 // index into stageSuffixes
	// cuts counts truncations: who located something before one must look again.
	cuts atomic.Uint32

	mu sync.RWMutex
	// size is that of the whole batches; what lies behind in the file is no data. next is the offset after the last
	// batch, or anything up to the base of the next segment, as compaction leaves gaps.
	size, next int64
	loaded     bool // the indexes are open for business, largest.offset is known
	offsets    sparseIndex
	times      sparseIndex
	lastOffset offsetEntry // newest entry of offsets
	lastTime   timeEntry   // newest entry of times
	largest    timeEntry   // the largest timestamp so far, and the last offset of the batch that has it
	txnEntries int         // in the transaction index; -1: not looked yet
	seen       *readMemory // nil before the first read or append

	// These belong to the log's appends and housekeeping, under Log.mu.
	sinceIndex     int   // bytes since the last index entry
	firstTimestamp int64 // the largest of the first batch, for rolling by time; valid if firstKnown
	firstKnown     bool
	createdMs      int64
	modifiedMs     int64
	jitterMs       int64
	reserved       int64 // up to where the file is preallocated
	tail           bool  // bytes that are no data may follow size in the file
	dirty          bool  // batches are not durable yet
	indexesDirty   bool  // nor are index entries
	sealed         bool  // all index entries are in their files
}

// stageSuffixes are what follows the names of a segment's files in each stage of its life.
var stageSuffixes = [...]string{"", cleanedSuffix, swapSuffix, deletedSuffix}

const (
	stageLive = iota
	stageCleaned
	stageSwap
	stageDeleted
)

// readMemory is what a segment remembers about where readers and writers have been.
type readMemory struct {
	recent   [recentCount]boundary
	newest   int
	hints    [hintCount]boundary
	hint     int
	verified verifiedSpans
}

// newSegment is one whose files exist or will be created; size and next must be set by the caller before others see it.
func newSegment(p *place, base int64) *segment {
	return &segment{
		place: p, base: base, next: base, txnEntries: -1,
		offsets:    sparseIndex{entrySize: offsetEntrySize},
		times:      sparseIndex{entrySize: timeEntrySize},
		lastOffset: offsetEntry{offset: base},
		lastTime:   timeEntry{timestamp: noTimestamp, offset: base},
		largest:    timeEntry{timestamp: noTimestamp, offset: base},
	}
}

// createSegment makes the empty files of a new segment; what is left of an earlier one is removed.
func createSegment(p *place, base int64, stage int32) (*segment, error) {
	s := newSegment(p, base)
	s.stage.Store(stage)
	for _, kind := range []fileKind{offsetIndexFile, timeIndexFile, txnIndexFile} {
		if err := p.disk.Remove(s.path(kind)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("segment %d: %w", base, err)
		}
	}
	h := s.handle(logFile)
	f, err := h.acquire(true)
	if err != nil {
		return nil, fmt.Errorf("segment %d: %w", base, err)
	}
	defer h.release()
	size, err := f.Size()
	if err == nil && size > 0 {
		err = f.Truncate(0)
	}
	if err != nil {
		return nil, fmt.Errorf("segment %d: %w", base, err)
	}
	s.loaded, s.txnEntries, s.dirty, s.indexesDirty = true, 0, true, true
	return s, nil
}

// path is where a file of the segment is now.
func (s *segment) path(kind fileKind) string {
	return s.place.path(offsetName(s.base) + kind.suffix() + stageSuffixes[s.stage.Load()])
}

// handle returns the handle of one of the segment's files.
func (s *segment) handle(kind fileKind) *handle {
	if h := s.handles[kind].Load(); h != nil {
		return h
	}
	h := &handle{files: s.place.files, disk: s.place.disk, name: s.path(kind)}
	if !s.handles[kind].CompareAndSwap(nil, h) {
		return s.handles[kind].Load()
	}
	return h
}

// withFile runs use with one of the files open; with create a missing one is created.
func (s *segment) withFile(kind fileKind, create bool, use func(f vfs.File) error) error {
	h := s.handle(kind)
	f, err := h.acquire(create)
	if err != nil {
		return err
	}
	defer h.release()
	return use(f)
}

// bytes is the size of the segment's data.
func (s *segment) bytes() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.size
}

// info describes the segment. The caller holds Log.mu.
func (s *segment) info() SegmentInfo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return SegmentInfo{BaseOffset: s.base, Size: s.size, MaxTimestamp: s.largest.timestamp, ModifiedMs: s.modifiedMs}
}

// memory returns the segment's readMemory. The caller holds mu for writing.
func (s *segment) memory() *readMemory {
	if s.seen == nil {
		s.seen = &readMemory{}
	}
	return s.seen
}

// rename moves all files of the segment to another stage. It can be repeated after it was interrupted: whichever file
// is missing was moved or never there. A .log file under its own name is always whole, so it comes last on the way to
// life and goes first on the way out.
func (s *segment) rename(stage int32) error {
	order := []fileKind{offsetIndexFile, timeIndexFile, txnIndexFile, logFile}
	if stage == stageDeleted {
		order = []fileKind{logFile, offsetIndexFile, timeIndexFile, txnIndexFile}
	}
	var handles [fileKinds]*handle
	for _, kind := range order {
		handles[kind] = s.handle(kind)
	}
	s.stage.Store(stage)
	for _, kind := range order {
		if err := handles[kind].rename(s.path(kind)); err != nil {
			return fmt.Errorf("segment %d: %w", s.base, err)
		}
	}
	return nil
}

// remove deletes the files, the last of them the log. Regions that are being read stay readable.
func (s *segment) remove() error {
	for _, kind := range []fileKind{offsetIndexFile, timeIndexFile, txnIndexFile, logFile} {
		if err := s.handle(kind).remove(); err != nil {
			return fmt.Errorf("segment %d: %w", s.base, err)
		}
	}
	return nil
}

// close lets go of the files for good.
func (s *segment) close() {
	for kind := range s.handles {
		s.handle(fileKind(kind)).closeForGood()
	}
}

// letGo closes the files until they are needed again.
func (s *segment) letGo() {
	for kind := range s.handles {
		if h := s.handles[kind].Load(); h != nil {
			h.letGo()
		}
	}
}

// wrote remembers where a batch was appended.
func (m *readMemory) wrote(b boundary) {
	m.recent[m.newest] = b
	m.newest = (m.newest + 1) % recentCount
}

// stopped remembers where a reader stopped.
func (m *readMemory) stopped(b boundary) {
	for _, known := range m.hints {
		if known == b {
			return
		}
	}
	m.hints[m.hint] = b
	m.hint = (m.hint + 1) % hintCount
}

// find returns where the batch starts that whoever wants an offset reads first.
func (m *readMemory) find(offset int64) (position int64, ok bool) {
	if m == nil {
		return 0, false
	}
	for _, b := range m.recent {
		if b.offset == offset && b.position > 0 {
			return b.position, true
		}
	}
	for _, b := range m.hints {
		if b.offset == offset && b.position > 0 {
			return b.position, true
		}
	}
	return 0, false
}

// cut forgets everything that lies behind an end.
func (m *readMemory) cut(end int64) {
	m.recent, m.hints = [recentCount]boundary{}, [hintCount]boundary{}
	m.verified.cut(end)
}

// verifiedSpans are the parts of a file whose checksums this process computed. A few suffice: readers go forward. When
// there are more, the shortest is forgotten, which costs only checking it again.
type verifiedSpans struct {
	spans [4]span
	n     int
}

func (v *verifiedSpans) covers(from, to int64) bool {
	for _, s := range v.spans[:v.n] {
		if s.from <= from && to <= s.to {
			return true
		}
	}
	return false
}

func (v *verifiedSpans) add(from, to int64) {
	if from >= to {
		return
	}
	merged := span{from, to}
	kept := 0
	for _, s := range v.spans[:v.n] {
		if s.to < merged.from || merged.to < s.from {
			v.spans[kept] = s
			kept++
			continue
		}
		merged = span{min(s.from, merged.from), max(s.to, merged.to)}
	}
	v.n = kept
	if v.n < len(v.spans) {
		v.spans[v.n] = merged
		v.n++
		return
	}
	shortest := 0
	for i, s := range v.spans {
		if s.to-s.from < v.spans[shortest].to-v.spans[shortest].from {
			shortest = i
		}
	}
	if v.spans[shortest].to-v.spans[shortest].from < to-from {
		v.spans[shortest] = merged
	}
}

// cut forgets what lies behind an end.
func (v *verifiedSpans) cut(end int64) {
	kept := 0
	for _, s := range v.spans[:v.n] {
		s.to = min(s.to, end)
		if s.from < s.to {
			v.spans[kept] = s
			kept++
		}
	}
	v.n = kept
}
