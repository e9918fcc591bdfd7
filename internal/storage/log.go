package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// Log is one partition's log. All methods may be called concurrently.
//
// One that nobody has used since it was opened from a manifest consists of this struct alone.
type Log struct {
	place    place
	now      func() time.Time
	logger   *slog.Logger
	appended func(l *Log, bytes int)
	settings atomic.Pointer[Settings]

	// Published for readers; changed under mu.
	start, end    atomic.Int64
	flushed       atomic.Int64
	highWatermark atomic.Int64
	firstUnstable atomic.Int64 // -1: no transaction holds back the last stable offset
	undecided     atomic.Bool  // completed transactions wait for the high watermark
	segments      atomic.Pointer[[]*segment]
	epochs        epochs
	damage        atomic.Pointer[damage]
	failed        atomic.Pointer[failure] // set once: closed, or the disk lost what was written
	lastFlushMs   atomic.Int64

	// mu is held for whatever changes the log, with its writes.
	mu        sync.Mutex
	manifest  *ManifestEntry  // until the segments are needed
	producers *producers      // nil until they are needed
	recent    []RecentBatches // of the producers, until they are needed
	headers   []batch.Header  // scratch of append
	doomed    []doomed        // dropped segments whose files are still there
	// rewinds counts truncations: a sync that began before one has made durable what is no longer there.
	rewinds        int
	directoryDirty bool // segments were created or removed since the last sync

	syncing *syncRound // of concurrent callers of Sync
	syncMu  sync.Mutex
}

// failure is why a log does nothing any more.
type failure struct{ cause error }

// damage is committed data found bad.
type damage struct {
	offset int64
	cause  error
}

var errClosed = errors.New("log is closed")

func newLog(o Options) *Log {
	l := &Log{
		place:    place{disk: o.FS, dir: o.Dir, files: o.Files},
		now:      o.Now,
		logger:   o.Logger,
		appended: o.Appended,
	}
	if l.now == nil {
		l.now = time.Now
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	l.settings.Store(o.Settings)
	l.firstUnstable.Store(-1)
	l.lastFlushMs.Store(l.now().UnixMilli())
	return l
}

// Create makes an empty log at Checkpoint.LogStartOffset in a directory that holds none, creating the directory.
func Create(o Options) (*Log, error) {
	if err := o.FS.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("log %s: %w: %w", o.Dir, err, kerr.KafkaStorageError)
	}
	l := newLog(o)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.startAt(o.Checkpoint.LogStartOffset); err != nil {
		return nil, l.storageError("create", err)
	}
	// Until somebody uses it a new log, too, is no more than its description.
	entry := l.entry()
	l.active().close()
	l.segments.Store(nil)
	l.manifest = &entry
	return l, nil
}

// startAt makes one empty segment the whole log. The caller holds mu.
func (l *Log) startAt(offset int64) error {
	s, err := l.newSegment(offset)
	if err != nil {
		return err
	}
	l.publishSegments([]*segment{s})
	l.start.Store(offset)
	l.end.Store(offset)
	l.flushed.Store(offset)
	l.highWatermark.Store(offset)
	return nil
}

// newSegment creates the files of a segment to be appended to. The caller holds mu.
func (l *Log) newSegment(base int64) (*segment, error) {
	s, err := createSegment(&l.place, base, stageLive)
	if err != nil {
		return nil, err
	}
	l.directoryDirty = true
	l.adopt(s)
	return s, nil
}

// adopt gives a segment its times and its share of the jitter.
func (l *Log) adopt(s *segment) {
	s.createdMs = l.now().UnixMilli()
	if s.modifiedMs == 0 {
		s.modifiedMs = s.createdMs
	}
	if settings := l.settings.Load(); settings.SegmentJitterMs > 0 {
		s.jitterMs = rand.Int64N(min(settings.SegmentJitterMs, max(settings.SegmentMs, 1)))
	}
}

// publishSegments shows readers a new list. The caller holds mu.
func (l *Log) publishSegments(list []*segment) { l.segments.Store(&list) }

// list returns the segments, oldest first, never none.
func (l *Log) list() ([]*segment, error) {
	if p := l.segments.Load(); p != nil {
		return *p, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.listLocked()
}

// listLocked is list for whoever holds mu.
func (l *Log) listLocked() ([]*segment, error) {
	if err := l.alive(); err != nil {
		return nil, err
	}
	if p := l.segments.Load(); p != nil {
		return *p, nil
	}
	l.publishSegments(l.segmentsOf(l.manifest))
	l.manifest = nil
	return *l.segments.Load(), nil
}

// active is the segment that is appended to. The caller holds mu and has called listLocked.
func (l *Log) active() *segment {
	list := *l.segments.Load()
	return list[len(list)-1]
}

// alive returns the reason when the log does nothing any more.
func (l *Log) alive() error {
	if f := l.failed.Load(); f != nil {
		return fmt.Errorf("log %s: %w: %w", l.place.dir, f.cause, kerr.KafkaStorageError)
	}
	return nil
}

// changed tells the owner of an append, or, with 0 bytes, that start or end moved otherwise.
func (l *Log) changed(bytes int) {
	if l.appended != nil {
		l.appended(l, bytes)
	}
}

// fail ends the log's life; the first reason stays.
func (l *Log) fail(cause error) { l.failed.CompareAndSwap(nil, &failure{cause}) }

// storageError wraps what the disk said, for the caller's errors.Is and for whoever reads the log.
func (l *Log) storageError(what string, err error) error {
	if errors.Is(err, kerr.KafkaStorageError) || isCorrupt(err) {
		return fmt.Errorf("log %s: %s: %w", l.place.dir, what, err)
	}
	return fmt.Errorf("log %s: %s: %w: %w", l.place.dir, what, err, kerr.KafkaStorageError)
}

// Dir is the log's directory.
func (l *Log) Dir() string { return l.place.dir }

// StartOffset is the log start offset: the first that may be read.
func (l *Log) StartOffset() int64 { return l.start.Load() }

// EndOffset is the offset that the next record gets.
func (l *Log) EndOffset() int64 { return l.end.Load() }

// FlushedOffset is the offset below which everything survives a power cut.
func (l *Log) FlushedOffset() int64 { return l.flushed.Load() }

// LastFlush is when Sync last succeeded; before the first time, when the log was opened.
func (l *Log) LastFlush() time.Time { return time.UnixMilli(l.lastFlushMs.Load()) }

// HighWatermark is what SetHighWatermark last said.
func (l *Log) HighWatermark() int64 { return l.highWatermark.Load() }

// SetHighWatermark tells which records are committed: retention stays below it, and the last stable offset too.
// It is bounded by the log's start and end.
func (l *Log) SetHighWatermark(offset int64) {
	offset = min(max(offset, l.start.Load()), l.end.Load())
	l.highWatermark.Store(offset)
	if !l.undecided.Load() {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.producers != nil {
		l.producers.transactions.decide(offset)
		l.publishUnstable()
	}
}

// publishUnstable shows readers what holds back the last stable offset. The caller holds mu.
func (l *Log) publishUnstable() {
	t := &l.producers.transactions
	first := t.firstUnstable()
	if first >= 0 {
		first = max(first, l.start.Load())
	}
	l.firstUnstable.Store(first)
	l.undecided.Store(len(t.unreplicated) > 0)
}

// LastStableOffset is the offset below which every transaction is decided, at most the high watermark.
func (l *Log) LastStableOffset() int64 {
	highWatermark := l.highWatermark.Load()
	if first := l.firstUnstable.Load(); first >= 0 {
		return min(first, highWatermark)
	}
	return highWatermark
}

// Undecided says that a transaction holds back the last stable offset, or would if more were committed.
func (l *Log) Undecided() bool { return l.firstUnstable.Load() >= 0 }

// Size is the sum of the segments' sizes.
func (l *Log) Size() int64 {
	total := int64(0)
	for _, s := range l.Segments() {
		total += s.Size
	}
	return total
}

// Segments lists the segments, oldest first; the last one is the active one.
func (l *Log) Segments() []SegmentInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.manifest != nil {
		return l.manifest.Segments
	}
	p := l.segments.Load()
	if p == nil {
		return nil
	}
	infos := make([]SegmentInfo, 0, len(*p))
	for _, s := range *p {
		infos = append(infos, s.info())
	}
	return infos
}

// SetSettings replaces the settings; they act from the next append or Housekeep on.
func (l *Log) SetSettings(s *Settings) { l.settings.Store(s) }

// Damaged returns the offset and cause of committed data found damaged, or -1. A damaged replica must not lead.
func (l *Log) Damaged() (offset int64, cause error) {
	if d := l.damage.Load(); d != nil {
		return d.offset, d.cause
	}
	return -1, nil
}

// markDamaged remembers the first damage and says so once.
func (l *Log) markDamaged(offset int64, cause error) {
	if l.damage.CompareAndSwap(nil, &damage{offset, cause}) {
		l.logger.Error("committed data is damaged; it is kept and not served", "log", l.place.dir, "offset", offset, "error", cause)
	}
}
