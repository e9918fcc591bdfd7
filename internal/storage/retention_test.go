package storage

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// hourly is a log with a segment for each of n hours, one batch of ten records in each, all committed.
func hourly(t *testing.T, n int) *world {
	w := inMemory(t)
	w.tune(func(s *Settings) { s.SegmentBytes = 700 })
	for i := range n {
		if i > 0 {
			w.clock = w.clock.Add(time.Hour)
		}
		w.append(w.plain(10, 500))
	}
	w.log.SetHighWatermark(w.log.EndOffset())
	return w
}

func (w *world) housekeep() Housekeeping {
	w.t.Helper()
	h, err := w.log.Housekeep(w.clock)
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

func TestRetentionByTimeDropsWhatIsTooOldAndSaysWhenToComeBack(t *testing.T) {
	w := hourly(t, 5)
	w.tune(func(s *Settings) { s.RetentionMs = (2 * time.Hour).Milliseconds() })
	h := w.housekeep()
	if h.DeletedSegments != 2 || w.log.StartOffset() != 20 || !slices.Equal(bases(w.log.Segments()), []int64{20, 30, 40}) {
		t.Fatalf("%+v, start %d, segments %v", h, w.log.StartOffset(), bases(w.log.Segments()))
	}
	if due := w.clock.Add(time.Millisecond); !h.NextDue.Equal(due) {
		t.Fatalf("next due %v, want %v", h.NextDue, due)
	}
	_, err := w.log.Read(19, 50, 100, true)
	wantError(t, err, kerr.OffsetOutOfRange)
	if got := offsets(t, w.read(20, 1000)); !slices.Equal(got, []int64{20, 30, 40}) {
		t.Fatalf("batches %v", got)
	}
}

func TestAnExpiredActiveSegmentIsRolledAndDropped(t *testing.T) {
	w := hourly(t, 2)
	w.tune(func(s *Settings) { s.RetentionMs = 1000 })
	w.clock = w.clock.Add(time.Hour)
	h := w.housekeep()
	if !h.Rolled || h.DeletedSegments != 2 || w.log.StartOffset() != 20 || w.log.EndOffset() != 20 || w.log.Size() != 0 {
		t.Fatalf("%+v, start %d, end %d, size %d", h, w.log.StartOffset(), w.log.EndOffset(), w.log.Size())
	}
	if h := w.housekeep(); h.DeletedSegments != 0 || h.Rolled {
		t.Fatalf("an empty log was dropped again: %+v", h)
	}
	w.append(w.plain(1, 10))
	w.kill()
	if got := offsets(t, w.read(20, 1000)); !slices.Equal(got, []int64{20}) {
		t.Fatalf("batches %v", got)
	}
}

func TestRetentionBySizeKeepsAtLeastThatMuch(t *testing.T) {
	w := hourly(t, 5)
	one := w.log.Segments()[0].Size
	w.tune(func(s *Settings) { s.RetentionBytes = 3*one + 1 })
	if h := w.housekeep(); h.DeletedSegments != 1 || h.DeletedBytes != one {
		t.Fatalf("%+v", h)
	}
	if w.log.Size() != 4*one {
		t.Fatalf("size %d, want %d", w.log.Size(), 4*one)
	}
}

func TestRetentionNeverReachesTheHighWatermark(t *testing.T) {
	w := hourly(t, 5)
	w.tune(func(s *Settings) { s.RetentionBytes = 0 })
	w.log.highWatermark.Store(25)
	w.housekeep()
	if got := bases(w.log.Segments()); !slices.Equal(got, []int64{20, 30, 40}) {
		t.Fatalf("segments %v", got)
	}
}

func TestCompactedLogsAreDroppedOnlyBelowTheStartOffset(t *testing.T) {
	w := hourly(t, 5)
	w.tune(func(s *Settings) { s.Delete, s.Compact, s.RetentionBytes, s.RetentionMs = false, true, 0, 0 })
	if h := w.housekeep(); h.DeletedSegments != 0 {
		t.Fatalf("%+v", h)
	}
	if err := w.log.DeleteRecordsBefore(25); err != nil {
		t.Fatal(err)
	}
	if h := w.housekeep(); h.DeletedSegments != 2 || w.log.StartOffset() != 25 {
		t.Fatalf("%+v, start %d", h, w.log.StartOffset())
	}
}

func TestDeletedRecordsCannotBeReadThoughTheirBatchCan(t *testing.T) {
	w := hourly(t, 3)
	w.appended = 0
	wantError(t, w.log.DeleteRecordsBefore(31), kerr.OffsetOutOfRange)
	for range 2 {
		if err := w.log.DeleteRecordsBefore(15); err != nil {
			t.Fatal(err)
		}
	}
	if w.appended != 1 {
		t.Fatalf("the owner was told %d times", w.appended)
	}
	if err := w.log.DeleteRecordsBefore(3); err != nil || w.log.StartOffset() != 15 {
		t.Fatalf("start %d, %v", w.log.StartOffset(), err)
	}
	if got := offsets(t, w.read(15, 1)); !slices.Equal(got, []int64{10, 20}) {
		t.Fatalf("batches %v", got)
	}
	w.reopenClean()
	if w.log.StartOffset() != 15 {
		t.Fatalf("start %d after a restart", w.log.StartOffset())
	}
}

func TestDroppedFilesStayForTheirDelayAndReadersKeepThemLonger(t *testing.T) {
	w := hourly(t, 3)
	r, err := w.log.Read(0, 30, 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	w.tune(func(s *Settings) { s.RetentionMs = 1 })
	w.clock = w.clock.Add(time.Second)
	w.housekeep()
	if w.has(firstLog) || !w.has(firstLog+deletedSuffix) {
		t.Fatalf("files %v", w.names())
	}
	w.clock = w.clock.Add(time.Minute - 1)
	if h := w.housekeep(); h.RemovedFiles != 0 || !w.has(firstLog+deletedSuffix) {
		t.Fatalf("removed early: %+v", h)
	}
	w.clock = w.clock.Add(1)
	if h := w.housekeep(); h.RemovedFiles != 3 {
		t.Fatalf("%+v, files %v", h, w.names())
	}
	for _, name := range w.names() {
		if strings.Contains(name, deletedSuffix) {
			t.Fatalf("files %v", w.names())
		}
	}
	b := make([]byte, r.Len())
	if n, err := r.ReadInto(b); err != nil || !slices.Equal(offsets(t, b[:n]), []int64{0}) {
		t.Fatalf("the reader got %d bytes, %v", n, err)
	}
	r.Close()
	if open := w.files.Open(); open > 8 {
		t.Fatalf("%d files are open", open)
	}
}

func TestAClosedLogLeavesNoDroppedFiles(t *testing.T) {
	w := hourly(t, 3)
	w.tune(func(s *Settings) { s.RetentionBytes = 0 })
	w.housekeep()
	w.closeCleanly()
	for _, name := range w.names() {
		if strings.Contains(name, deletedSuffix) {
			t.Fatalf("files %v", w.names())
		}
	}
}

func TestWithoutTimestampsTheFilesTimeCounts(t *testing.T) {
	w := inMemory(t)
	w.tune(func(s *Settings) { s.RetentionMs = 1000 })
	saved := w.clock
	w.clock = time.UnixMilli(noTimestamp)
	b := w.plain(1, 10)
	w.clock = saved
	w.append(b)
	w.log.SetHighWatermark(1)
	if h := w.housekeep(); h.DeletedSegments != 0 || !h.NextDue.Equal(w.clock.Add(1001*time.Millisecond)) {
		t.Fatalf("%+v", h)
	}
	w.clock = w.clock.Add(1001 * time.Millisecond)
	if h := w.housekeep(); h.DeletedSegments != 1 {
		t.Fatalf("%+v", h)
	}
}

func TestARetentionThatNeedsNoFilesOpensNone(t *testing.T) {
	w := hourly(t, 3)
	o := w.options(Checkpoint{})
	o.Manifest = w.closeCleanly()
	w.tune(func(s *Settings) {})
	w.openWith(o)
	settings := w.settings
	settings.RetentionMs = (10 * time.Hour).Milliseconds()
	w.log.SetSettings(&settings)
	h := w.housekeep()
	if due := time.UnixMilli(testStart).Add(10*time.Hour + time.Millisecond); !h.NextDue.Equal(due) {
		t.Fatalf("next due %v, want %v", h.NextDue, due)
	}
	if w.log.segments.Load() != nil || w.files.Open() != 0 {
		t.Fatalf("loaded, %d files open", w.files.Open())
	}
}
