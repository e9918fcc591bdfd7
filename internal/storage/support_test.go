package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// world is a log on a disk, with the clock and the log lines in the test's hand.
type world struct {
	t        *testing.T
	disk     vfs.FS
	dir      string
	settings Settings
	clock    time.Time
	lines    *lines
	files    *Files
	log      *Log
	appended int
}

// lines collects what is logged.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const testStart = 1_700_000_000_000 // ms

func testSettings() Settings {
	return Settings{
		SegmentBytes: 1 << 30, SegmentMs: 7 * 24 * 3600_000, SegmentIndexBytes: 10 << 20, IndexIntervalBytes: 4096,
		RetentionMs: -1, RetentionBytes: -1, Delete: true, FileDeleteDelayMs: 60_000, ProducerExpirationMs: 24 * 3600_000,
	}
}

// onDisk is a world on the real disk, with an empty log.
func onDisk(t *testing.T) *world { return newWorld(t, vfs.OS(), filepath.Join(t.TempDir(), "topic-0")) }

// inMemory is one on a disk in memory.
func inMemory(t *testing.T) *world { return newWorld(t, vfs.NewMem(), "/data/topic-0") }

func newWorld(t *testing.T, disk vfs.FS, dir string) *world {
	t.Helper()
	w := &world{
		t: t, disk: disk, dir: dir, settings: testSettings(), clock: time.UnixMilli(testStart), lines: &lines{}, files: NewFiles(100),
	}
	l, err := Create(w.options(Checkpoint{}))
	if err != nil {
		t.Fatal(err)
	}
	w.log = l
	t.Cleanup(func() { w.log.Close(false) })
	return w
}

func (w *world) options(c Checkpoint) Options {
	settings := w.settings
	return Options{
		FS: w.disk, Dir: w.dir, Files: w.files, Settings: &settings, Now: func() time.Time { return w.clock },
		Logger: slog.New(slog.NewTextHandler(w.lines, nil)), Checkpoint: c,
		Appended: func(*Log, int) { w.appended++ },
	}
}

// tune changes the settings of the world and its log.
func (w *world) tune(change func(*Settings)) {
	change(&w.settings)
	settings := w.settings
	w.log.SetSettings(&settings)
}

// closeCleanly stops the log in order and returns its manifest entry.
func (w *world) closeCleanly() *ManifestEntry {
	w.t.Helper()
	entry, err := w.log.Close(true)
	if err != nil {
		w.t.Fatal(err)
	}
	return &entry
}

// reopen opens the log by a checkpoint.
func (w *world) reopen(c Checkpoint) {
	w.t.Helper()
	w.openWith(w.options(c))
}

func (w *world) openWith(o Options) {
	w.t.Helper()
	l, err := Open(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.log = l
}

// reopenClean stops and starts in order.
func (w *world) reopenClean() {
	w.t.Helper()
	w.closeCleanly()
	w.reopen(Checkpoint{Clean: true, SameBoot: true, LogStartOffset: w.log.StartOffset()})
}

// kill leaves the log as a killed process would and opens it again.
func (w *world) kill() {
	w.t.Helper()
	recoveryPoint, start := w.log.FlushedOffset(), w.log.StartOffset()
	w.log.Close(false)
	w.reopen(Checkpoint{SameBoot: true, RecoveryPoint: recoveryPoint, LogStartOffset: start})
}

// plain builds a batch of n records of about size bytes together.
func (w *world) plain(n, size int) []byte {
	return w.build(batch.BuilderOptions{}, n, size)
}

func (w *world) build(o batch.BuilderOptions, n, size int) []byte {
	b := batch.NewBuilder(o)
	for i := range n {
		b.Append(batch.Record{
			Timestamp: w.clock.UnixMilli(), Key: fmt.Appendf(nil, "key-%d", i),
			Value: []byte(strings.Repeat("x", max(size/n, 1))),
		})
	}
	return b.Build()
}

// produced is a batch of an idempotent producer.
func (w *world) produced(id int64, epoch int16, sequence int32, n int) []byte {
	return w.build(batch.BuilderOptions{Producer: &batch.Producer{ID: id, Epoch: epoch, BaseSequence: sequence}}, n, 10*n)
}

// inTransaction is one of a transactional producer.
func (w *world) inTransaction(id int64, epoch int16, sequence int32, n int) []byte {
	return w.build(batch.BuilderOptions{
		Producer: &batch.Producer{ID: id, Epoch: epoch, BaseSequence: sequence}, Transactional: true,
	}, n, 10*n)
}

// append appends as leader of epoch 0 and expects it to work.
func (w *world) append(b []byte) Appended {
	w.t.Helper()
	return w.appendIn(0, b)
}

func (w *world) appendIn(epoch int32, b []byte) Appended {
	w.t.Helper()
	a, err := w.log.Append(b, AppendOptions{LeaderEpoch: epoch})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// end writes a transaction's marker.
func (w *world) end(id int64, epoch int16, commit bool) Appended {
	w.t.Helper()
	b := batch.BuildEndTxnMarker(id, epoch, batch.EndTxnMarker{Commit: commit}, w.clock.UnixMilli())
	a, err := w.log.Append(b, AppendOptions{Origin: Marker})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// read returns everything from an offset on, read piece by piece.
func (w *world) read(from int64, pieceBytes int) []byte {
	w.t.Helper()
	b, err := readAll(w.log, from, w.log.EndOffset(), pieceBytes)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func readAll(l *Log, from, below int64, pieceBytes int) ([]byte, error) {
	var out []byte
	for from < below {
		r, err := l.Read(from, below, pieceBytes, true)
		if err != nil {
			return out, err
		}
		piece := make([]byte, r.Len())
		n, err := r.ReadInto(piece)
		next := r.NextOffset
		r.Close()
		if err != nil {
			return out, err
		}
		if n == 0 {
			return out, nil
		}
		out = append(out, piece[:n]...)
		if n < len(piece) {
			next = lastHeader(piece[:n]).NextOffset()
		}
		if next <= from {
			return out, fmt.Errorf("read at %d says to read on at %d", from, next)
		}
		from = next
	}
	return out, nil
}

func lastHeader(b []byte) (last batch.Header) {
	for len(b) > 0 {
		h, _, rest, err := batch.Next(b)
		if err != nil {
			panic(err)
		}
		last, b = h, rest
	}
	return last
}

// offsets lists base offsets of the batches in b.
func offsets(t *testing.T, b []byte) (out []int64) {
	t.Helper()
	for len(b) > 0 {
		h, whole, rest, err := batch.Next(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := batch.CheckCRC(whole); err != nil {
			t.Fatal(err)
		}
		out, b = append(out, h.BaseOffset), rest
	}
	return out
}

// names lists the files of the log's directory.
func (w *world) names() []string {
	w.t.Helper()
	entries, err := w.disk.ReadDir(w.dir)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func (w *world) has(name string) bool {
	for _, n := range w.names() {
		if n == name {
			return true
		}
	}
	return false
}

// wantError fails unless err wraps the target.
func wantError(t *testing.T, err, target error) {
	t.Helper()
	if !isError(err, target) {
		t.Fatalf("got error %v, want one that wraps %v", err, target)
	}
}

func putOffset(b []byte, offset int64) { batch.SetBaseOffset(b, offset) }

func testClock() time.Time { return time.UnixMilli(testStart) }

// putSequence sets a batch's base sequence.
func putSequence(b []byte, sequence int32) {
	const position = 53
	binary.BigEndian.PutUint32(b[position:], uint32(sequence))
}
