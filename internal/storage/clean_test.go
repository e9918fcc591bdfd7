package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// compacted is a log of a compacted topic, in memory.
func compacted(t *testing.T) *world {
	w := inMemory(t)
	w.tune(func(s *Settings) {
		s.Compact, s.Delete, s.DeleteRetentionMs, s.MaxCompactionLagMs = true, false, 1000, math.MaxInt64
	})
	return w
}

var cleanerOptions = CleanerOptions{DedupeBytes: 1 << 20, LoadFactor: 0.9, BufferBytes: 4096}

// put appends one batch of records written as key=value, or key for a tombstone.
func (w *world) put(o batch.BuilderOptions, records ...string) Appended {
	w.t.Helper()
	b := batch.NewBuilder(o)
	for _, r := range records {
		key, value, has := strings.Cut(r, "=")
		record := batch.Record{Timestamp: w.clock.UnixMilli(), Key: []byte(key)}
		if has {
			record.Value = []byte(value)
		}
		b.Append(record)
	}
	a := w.append(b.Build())
	w.log.SetHighWatermark(w.log.EndOffset())
	return a
}

// endSegment begins a new active segment, so that what there is can be cleaned.
func (w *world) endSegment() {
	w.t.Helper()
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	if _, err := w.log.listLocked(); err != nil {
		w.t.Fatal(err)
	}
	if w.log.active().size == 0 {
		return
	}
	if err := errors.Join(w.log.loadProducers(), w.log.roll(w.log.EndOffset())); err != nil {
		w.t.Fatal(err)
	}
}

// clean compacts everything that can be, from a first dirty offset, and returns the next one.
func (w *world) clean(firstDirty int64) int64 {
	w.t.Helper()
	d, err := w.log.Dirt(firstDirty, w.clock)
	if err != nil {
		w.t.Fatal(err)
	}
	stats, err := w.log.Clean(context.Background(), d, w.clock, cleanerOptions)
	if err != nil {
		w.t.Fatal(err)
	}
	return stats.CleanedTo
}

// kept lists the log's records as offset:key=value, markers as offset:abort or commit, and batches without records as offset:-.
func (w *world) kept() []string {
	w.t.Helper()
	return keptIn(w.t, w.log)
}

func keptIn(t *testing.T, l *Log) (out []string) {
	t.Helper()
	b, err := readAll(l, l.StartOffset(), l.EndOffset(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		h, whole, rest, err := batch.Next(b)
		if err == nil {
			err = batch.CheckCRC(whole)
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.NumRecords == 0 {
			out = append(out, fmt.Sprintf("%d:-", h.LastOffset()))
		}
		for r, err := range batch.Records(whole, 0) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, describe(&h, &r))
		}
		b = rest
	}
	return out
}

func describe(h *batch.Header, r *batch.Record) string {
	switch {
	case h.Control():
		if m, _ := batch.ParseEndTxnMarker(*r); m.Commit {
			return fmt.Sprintf("%d:commit", r.Offset)
		}
		return fmt.Sprintf("%d:abort", r.Offset)
	case r.Value == nil:
		return fmt.Sprintf("%d:%s", r.Offset, r.Key)
	}
	return fmt.Sprintf("%d:%s=%s", r.Offset, r.Key, r.Value)
}

func (w *world) wantKept(want ...string) {
	w.t.Helper()
	if got := w.kept(); !slices.Equal(got, want) {
		w.t.Errorf("kept %q, want %q", got, want)
	}
}

func TestTheNewestRecordOfEachKeyStaysWhereItIs(t *testing.T) {
	w := compacted(t)
	w.put(batch.BuilderOptions{}, "a=1", "b=1", "c=1")
	w.put(batch.BuilderOptions{Codec: batch.CodecZstd}, "a=2", "b=2")
	w.endSegment()
	w.put(batch.BuilderOptions{}, "b=3")
	w.endSegment()
	w.put(batch.BuilderOptions{}, "a=active") // counts for nothing yet
	if end := w.clean(0); end != 6 {
		t.Errorf("cleaned to %d", end)
	}
	want := []string{"2:c=1", "3:a=2", "5:b=3", "6:a=active"}
	w.wantKept(want...)
	var ends []int64
	for b := w.read(0, 1<<20); len(b) > 0; {
		h, _, rest, _ := batch.Next(b)
		ends, b = append(ends, h.LastOffset()), rest
		if h.BaseOffset == 3 && h.Codec() != batch.CodecZstd {
			t.Errorf("the second batch is now %v", h.Codec())
		}
	}
	if !slices.Equal(ends, []int64{2, 4, 5, 6}) {
		t.Errorf("batches end at %v", ends)
	}
	if got := len(w.log.Segments()); got != 2 {
		t.Errorf("%d segments: two small ones should have become one", got)
	}
	w.reopenClean()
	w.wantKept(want...)
	w.kill()
	w.wantKept(want...)
	if w.clean(6) != 6 {
		t.Error("cleaning again does something")
	}
}

func TestATombstoneStaysForDeleteRetention(t *testing.T) {
	w := compacted(t)
	w.put(batch.BuilderOptions{}, "a=1", "b=1")
	w.put(batch.BuilderOptions{}, "a")
	w.endSegment()
	w.put(batch.BuilderOptions{}, "x=1")
	w.endSegment()
	w.put(batch.BuilderOptions{}, "y=1")
	end := w.clean(0) // sets the horizon
	w.wantKept("1:b=1", "2:a", "3:x=1", "4:y=1")
	w.clock = w.clock.Add(999 * time.Millisecond)
	w.endSegment()
	end = w.clean(end)
	w.wantKept("1:b=1", "2:a", "3:x=1", "4:y=1")
	w.clock = w.clock.Add(2 * time.Millisecond)
	w.put(batch.BuilderOptions{}, "z=1")
	w.endSegment()
	w.clean(end)
	w.wantKept("1:b=1", "3:x=1", "4:y=1", "5:z=1")
}

func TestRecordsWithoutKeysGo(t *testing.T) {
	w := compacted(t)
	b := batch.NewBuilder(batch.BuilderOptions{})
	b.Append(batch.Record{Value: []byte("no key")})
	w.append(b.Build())
	w.put(batch.BuilderOptions{}, "=empty key", "a=1")
	w.endSegment()
	w.put(batch.BuilderOptions{}, "z=1")
	w.clean(0)
	w.wantKept("1:=empty key", "2:a=1", "3:z=1")
}

func TestWhereAProducerIsSurvivesItsRecords(t *testing.T) {
	w := compacted(t)
	p := func(sequence int32) batch.BuilderOptions {
		return batch.BuilderOptions{Producer: &batch.Producer{ID: 7, BaseSequence: sequence}}
	}
	w.put(p(0), "a=1", "b=1")
	w.put(p(2), "a=2", "b=2")
	w.put(batch.BuilderOptions{}, "a=3", "b=3")
	w.endSegment()
	w.put(batch.BuilderOptions{}, "z=1")
	w.clean(0)
	w.wantKept("3:-", "4:a=3", "5:b=3", "6:z=1")
	for _, name := range w.names() {
		if strings.HasSuffix(name, snapshotSuffix) {
			if err := w.disk.Remove(w.dir + "/" + name); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.kill() // the producers' state is now that of the batches alone
	again := w.put(p(2), "a=2", "b=2")
	if !again.Duplicate || again.BaseOffset != 2 {
		t.Errorf("a retry after compaction: %+v", again)
	}
	if next := w.put(p(4), "a=4"); next.Duplicate || next.BaseOffset != 7 {
		t.Errorf("the next batch: %+v", next)
	}
}

func TestAbortedRecordsGoAndMarkersFollowTheirData(t *testing.T) {
	w := compacted(t)
	tx := func(id int64, sequence int32) batch.BuilderOptions {
		return batch.BuilderOptions{Producer: &batch.Producer{ID: id, BaseSequence: sequence}, Transactional: true}
	}
	w.put(batch.BuilderOptions{}, "a=0")   // 0
	w.put(tx(1, 0), "a=aborted", "b=gone") // 1, 2
	w.put(tx(2, 0), "c=committed")         // 3
	w.end(1, 0, false)                     // 4
	w.end(2, 0, true)                      // 5
	w.put(tx(1, 2), "d=1")                 // 6: so that its last batch is not among the aborted
	w.end(1, 0, true)                      // 7
	w.put(batch.BuilderOptions{}, "e=1")   // 8
	w.endSegment()
	w.put(batch.BuilderOptions{}, "z=1") // 9
	end := w.clean(0)
	w.wantKept("0:a=0", "3:c=committed", "4:abort", "5:commit", "6:d=1", "7:commit", "8:e=1", "9:z=1")
	if got, _ := w.log.AbortedTransactions(0, 10); len(got) != 1 {
		t.Errorf("index: %v", got) // the marker was kept with what it told
	}

	w.endSegment()
	w.put(batch.BuilderOptions{}, "c=2") // 10
	w.endSegment()
	end = w.clean(end) // finds no data of 1's first transaction: sets the horizon; c's last batch stays for its producer
	w.wantKept("0:a=0", "3:-", "4:abort", "5:commit", "6:d=1", "7:commit", "8:e=1", "9:z=1", "10:c=2")
	if got, _ := w.log.AbortedTransactions(0, 10); len(got) != 0 {
		t.Errorf("index: %v", got)
	}
	w.clock = w.clock.Add(time.Hour)
	w.put(batch.BuilderOptions{}, "y=1") // 11
	w.endSegment()
	w.clean(end)
	w.wantKept("0:a=0", "3:-", "5:commit", "6:d=1", "7:commit", "8:e=1", "9:z=1", "10:c=2", "11:y=1")
	w.reopenClean()
	w.kill()
	w.log.SetHighWatermark(w.log.EndOffset())
	if got := w.log.LastStableOffset(); got != 12 {
		t.Errorf("last stable offset %d", got)
	}
}

func TestNothingUnstableActiveOrTooYoungIsCleaned(t *testing.T) {
	w := compacted(t)
	w.put(batch.BuilderOptions{}, "a=1")
	w.endSegment()
	w.put(batch.BuilderOptions{}, "a=2")
	w.append(w.inTransaction(1, 0, 0, 1))
	w.endSegment()
	w.put(batch.BuilderOptions{}, "a=3")
	w.endSegment()
	dirt := func() Dirt {
		t.Helper()
		d, err := w.log.Dirt(0, w.clock)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := dirt(); d.FirstUncleanable != 1 || !d.Pending || d.Ratio() != 1 {
		t.Errorf("with an open transaction in the second segment: %+v", d)
	}
	w.end(1, 0, true)
	w.log.SetHighWatermark(3)
	if d := dirt(); d.FirstUncleanable != 1 {
		t.Errorf("with a high watermark in the third segment, before the marker: %+v", d)
	}
	w.log.SetHighWatermark(w.log.EndOffset())
	if d := dirt(); d.FirstUncleanable != 4 || d.Overdue {
		t.Errorf("up to the active segment: %+v", d)
	}
	w.tune(func(s *Settings) { s.MinCompactionLagMs, s.MaxCompactionLagMs = 5000, 10_000 })
	if d := dirt(); d.FirstUncleanable != 0 || d.CleanableBytes != 0 || !d.Pending {
		t.Errorf("all of it is young: %+v", d)
	}
	w.clock = w.clock.Add(5 * time.Second)
	if d := dirt(); d.FirstUncleanable != 4 || d.Overdue {
		t.Errorf("old enough: %+v", d)
	}
	w.clock = w.clock.Add(6 * time.Second)
	if d := dirt(); !d.Overdue {
		t.Errorf("overdue: %+v", d)
	}
	if d, err := w.log.Dirt(99, w.clock); err != nil || !d.Reset || d.FirstDirty != 0 {
		t.Errorf("an offset beyond the log: %+v, %v", d, err)
	}
}

func TestAFullMapCleansAPartAndTheRestLater(t *testing.T) {
	w := compacted(t)
	for round := range 3 {
		for i := range 2500 {
			w.put(batch.BuilderOptions{}, fmt.Sprintf("key-%d=%d", i, round))
		}
		w.endSegment()
	}
	w.put(batch.BuilderOptions{}, "z=1")
	o := cleanerOptions
	o.DedupeBytes = 1 // the least: 2048 slots
	at, rounds := int64(0), 0
	for ; rounds < 20; rounds++ {
		d, err := w.log.Dirt(at, w.clock)
		if err != nil {
			t.Fatal(err)
		}
		stats, err := w.log.Clean(context.Background(), d, w.clock, o)
		if err != nil {
			t.Fatal(err)
		}
		if stats.CleanedTo <= at {
			break
		}
		at = stats.CleanedTo
	}
	if rounds < 3 || at != 7500 {
		t.Errorf("cleaned to %d in %d rounds", at, rounds)
	}
	view := map[string]string{}
	for _, r := range w.kept() {
		_, kv, _ := strings.Cut(r, ":")
		k, v, _ := strings.Cut(kv, "=")
		view[k] = v
	}
	if len(view) != 2501 || view["key-7"] != "2" || view["key-2499"] != "2" {
		t.Errorf("%d keys, key-7 is %q", len(view), view["key-7"])
	}
}

func TestSegmentsGrowTogetherUpToTheirSize(t *testing.T) {
	w := compacted(t)
	for i := range 20 {
		w.put(batch.BuilderOptions{}, fmt.Sprintf("key-%d=%s", i, strings.Repeat("v", 1000)))
		w.endSegment()
	}
	w.put(batch.BuilderOptions{}, "z=1")
	w.tune(func(s *Settings) { s.SegmentBytes = 5500 })
	w.clean(0)
	segments := w.log.Segments()
	if len(segments) != 5 {
		t.Errorf("%d segments", len(segments))
	}
	for _, s := range segments {
		if s.Size > 5500 {
			t.Errorf("segment %d has %d bytes", s.BaseOffset, s.Size)
		}
	}
	if got := len(w.kept()); got != 21 {
		t.Errorf("%d records", got)
	}
}

func TestReadersGoOnWhileSegmentsAreReplacedUnderThem(t *testing.T) {
	w := compacted(t)
	w.put(batch.BuilderOptions{}, "a=1", "b=1")
	w.put(batch.BuilderOptions{}, "a=2")
	w.endSegment()
	w.put(batch.BuilderOptions{}, "z=1")
	region, err := w.log.Read(0, 4, 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	w.clean(0)
	b := make([]byte, region.Len())
	if n, err := region.ReadInto(b); err != nil || n != len(b) {
		t.Fatalf("%d, %v", n, err)
	}
	if got := offsets(t, b); !slices.Equal(got, []int64{0, 2}) {
		t.Errorf("batches %v", got)
	}
	if got := offsets(t, w.read(0, 1)); !slices.Equal(got, []int64{0, 2, 3}) {
		t.Errorf("read anew, batch by batch: %v", got)
	}
	w.clock = w.clock.Add(time.Hour)
	if _, err := w.log.Housekeep(w.clock); err != nil {
		t.Fatal(err)
	}
	for _, name := range w.names() {
		if strings.Contains(name, deletedSuffix) || strings.Contains(name, cleanedSuffix) || strings.Contains(name, swapSuffix) {
			t.Errorf("%s is still there", name)
		}
	}
}

func TestACleaningThatFailsLeavesTheLogAsItWas(t *testing.T) {
	w := compacted(t)
	mem := w.disk.(*vfs.Mem)
	w.put(batch.BuilderOptions{}, "a=1", "b=1")
	w.put(batch.BuilderOptions{}, "a=2")
	w.endSegment()
	w.put(batch.BuilderOptions{}, "z=1")
	before := w.kept()
	d, err := w.log.Dirt(0, w.clock)
	if err != nil {
		t.Fatal(err)
	}
	noSpace := errors.New("no space left on device")
	for fail := 0; ; fail++ {
		n := 0
		mem.SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpWrite || op.Kind == vfs.OpCreate {
				if n++; n == fail+1 {
					return noSpace
				}
			}
			return nil
		})
		_, err := w.log.Clean(context.Background(), d, w.clock, cleanerOptions)
		mem.SetHook(nil)
		if err == nil {
			if fail < 2 {
				t.Fatalf("only %d writes could fail", fail)
			}
			return
		}
		if !errors.Is(err, noSpace) {
			t.Errorf("write %d: %v", fail, err)
		}
		if got := w.kept(); !slices.Equal(got, before) {
			t.Fatalf("write %d: kept %q", fail, got)
		}
		if w.has("00000000000000000000.log" + cleanedSuffix) {
			t.Errorf("write %d: unfinished work is left behind", fail)
		}
	}
}

func TestACleaningNeverPassesDamageOn(t *testing.T) {
	w := compacted(t)
	w.put(batch.BuilderOptions{}, "a=1", "b=1")
	w.endSegment()
	w.put(batch.BuilderOptions{}, "z=1")
	f, err := w.disk.OpenFile(w.dir+"/00000000000000000000.log", 2, 0)
	if err == nil {
		_, err = f.WriteAt([]byte{0xff}, 70)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	d, err := w.log.Dirt(0, w.clock)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.log.Clean(context.Background(), d, w.clock, cleanerOptions); !isCorrupt(err) {
		t.Errorf("%v", err)
	}
	if at, _ := w.log.Damaged(); at != 0 {
		t.Errorf("damaged at %d", at)
	}
}

func TestACleaningEndsWhenItIsToldTo(t *testing.T) {
	w := compacted(t)
	w.put(batch.BuilderOptions{}, "a=1", "a=2")
	w.endSegment()
	w.put(batch.BuilderOptions{}, "z=1")
	d, err := w.log.Dirt(0, w.clock)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := w.log.Clean(ctx, d, w.clock, cleanerOptions); !errors.Is(err, ErrCleanAborted) {
		t.Errorf("%v", err)
	}
	truncating := cleanerOptions
	reads := 0
	truncating.Throttle = func(context.Context, int) error {
		if reads++; reads == 3 { // while the cleaned segment is being written
			return w.log.TruncateAndStartAt(10)
		}
		return nil
	}
	if _, err := w.log.Clean(context.Background(), d, w.clock, truncating); !errors.Is(err, ErrCleanAborted) {
		t.Errorf("truncated under it: %v", err)
	}
	if w.log.StartOffset() != 10 || w.log.EndOffset() != 10 {
		t.Errorf("the log is [%d, %d)", w.log.StartOffset(), w.log.EndOffset())
	}
}

func TestTheMapOfKeysFindsWhatWasPutWithinItsLimit(t *testing.T) {
	m, hasher := newOffsetMap(1<<20, 0.9), newKeyHasher()
	hashed := func(key string) keyHash {
		hasher.Reset()
		_, _ = hasher.Write([]byte(key))
		return hasher.key()
	}
	want := map[string]int64{}
	for i := int64(0); ; i++ {
		key := fmt.Sprintf("key-%d", i*7919%100_000)
		if !m.put(hashed(key), i) {
			break
		}
		want[key] = i
	}
	if m.used > 1<<20 || len(want) < 30_000 || m.entries != len(want) {
		t.Errorf("%d keys in %d bytes", len(want), m.used)
	}
	for key, offset := range maps.All(want) {
		if got := m.get(hashed(key)); got != offset {
			t.Fatalf("%s: %d, want %d", key, got, offset)
		}
	}
	if got := m.get(hashed("never put")); got != -1 {
		t.Errorf("a key that is not there: %d", got)
	}
}
