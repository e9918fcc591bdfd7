package storage

import (
	"bytes"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestAManifestEntryOpensALogWithoutTouchingTheDisk(t *testing.T) {
	f := &faults{}
	w := newWorld(t, vfs.NewFaulty(vfs.NewMem(), f.ask), "/data/topic-0")
	w.tune(func(s *Settings) { s.SegmentBytes = 2000 })
	for i := range int32(10) {
		w.appendIn(i/3, w.produced(5, 0, i*20, 20))
	}
	w.appendIn(3, w.inTransaction(6, 0, 0, 1))
	w.log.SetHighWatermark(150)
	want := w.read(0, 1<<20)
	entry := w.closeCleanly()
	operations := 0
	f.set(func(vfs.Op) error { operations++; return nil })
	o := w.options(Checkpoint{})
	o.Manifest = entry
	w.openWith(o)
	l := w.log
	found, end := l.EpochEnd(1)
	for what, ok := range map[string]bool{
		"start": l.StartOffset() == 0, "end": l.EndOffset() == 201, "flushed": l.FlushedOffset() == 201,
		"high watermark": l.HighWatermark() == 150, "stable": l.LastStableOffset() == 150, "size": l.Size() == int64(len(want)),
		"epoch": l.LatestEpoch() == 3, "end of epoch 1": found == 1 && end == 120,
	} {
		if !ok {
			t.Errorf("%s is wrong", what)
		}
	}
	l.SetHighWatermark(201)
	if l.LastStableOffset() != 200 {
		t.Errorf("last stable offset %d, want that of the open transaction", l.LastStableOffset())
	}
	if operations != 0 {
		t.Fatalf("%d operations on the disk", operations)
	}
	if _, err := l.Close(true); err != nil {
		t.Fatal(err)
	}
	if operations != 0 {
		t.Fatalf("%d operations on the disk to close what was never used", operations)
	}
	w.openWith(o)
	if got := w.read(0, 1<<20); !bytes.Equal(got, want) {
		t.Fatalf("batches %v", offsets(t, got))
	}
	w.append(w.produced(5, 0, 200, 1))
	if again := w.append(w.produced(5, 0, 180, 20)); !again.Duplicate {
		t.Fatalf("a retry of what was the newest batch before the restart: %+v", again)
	}
}

func TestManifestEntriesSurviveTheirEncoding(t *testing.T) {
	w := hourly(t, 4)
	entry := *w.closeCleanly()
	b := entry.AppendTo([]byte{9, 9})
	b = append(b, 7)
	got, rest, err := DecodeManifestEntry(b[2:])
	if err != nil || !reflect.DeepEqual(got, entry) || !slices.Equal(rest, []byte{7}) {
		t.Fatalf("got %+v, rest %v, %v; want %+v", got, rest, err, entry)
	}
	for n := range len(b) - 3 {
		if _, _, err := DecodeManifestEntry(b[2 : 2+n]); err == nil {
			t.Fatalf("%d of %d bytes were taken", n, len(b)-3)
		}
	}
}

func TestAnIdlePartitionCostsLessThanAKilobyte(t *testing.T) {
	const n = 5000
	files, settings := NewFiles(100), testSettings()
	disk := vfs.NewMem()
	logs := make([]*Log, 0, n)
	cost := func(open func(i int) (*Log, error)) int {
		logs = logs[:0]
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range n {
			l, err := open(i)
			if err != nil {
				t.Fatal(err)
			}
			logs = append(logs, l)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		return int(after.HeapAlloc-before.HeapAlloc) / n
	}
	perLog := cost(func(i int) (*Log, error) {
		return Open(Options{FS: disk, Dir: fmt.Sprintf("/data/topic-%d", i), Files: files, Settings: &settings, Manifest: &ManifestEntry{
			EndOffset: 10, Segments: []SegmentInfo{{Size: 100}}, Epochs: []EpochEntry{{0, 0}}, FirstUnstableOffset: -1,
		}})
	})
	if perLog > 800 {
		t.Errorf("%d bytes for a log opened from a manifest", perLog)
	}
	t.Logf("%d bytes for a log opened from a manifest", perLog)
	runtime.KeepAlive(logs)
}

func TestANewLogHoldsNothingButItsDescription(t *testing.T) {
	w := onDisk(t)
	if w.log.segments.Load() != nil || w.log.producers != nil || w.files.Open() != 0 {
		t.Fatalf("%d files open", w.files.Open())
	}
	w.closeCleanly()
	w.reopen(Checkpoint{Clean: true})
	w.append(w.plain(1, 1))
}

func TestFilesStayWithinTheirLimitWhileManyLogsAreUsed(t *testing.T) {
	disk, settings := vfs.NewMem(), testSettings()
	files := NewFiles(16)
	var logs []*Log
	for i := range 40 {
		l, err := Create(Options{FS: disk, Dir: fmt.Sprintf("/data/topic-%d", i), Files: files, Settings: &settings})
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, l)
	}
	w := &world{t: t, clock: time.UnixMilli(testStart)}
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			for round := range 20 {
				for i := worker; i < len(logs); i += 4 {
					if _, err := logs[i].Append(w.plain(1, 10), AppendOptions{}); err != nil {
						t.Error(err)
						return
					}
					if b, err := readAll(logs[i], 0, int64(round+1), 100); err != nil || len(b) == 0 {
						t.Errorf("log %d: %d bytes, %v", i, len(b), err)
						return
					}
				}
			}
		})
	}
	group.Wait()
	if n := disk.OpenFiles(); n > 16+4 || n != files.Open() {
		t.Fatalf("%d files open on the disk, %d counted", n, files.Open())
	}
	for _, l := range logs {
		if _, err := l.Close(true); err != nil {
			t.Fatal(err)
		}
	}
	if n := disk.OpenFiles(); n != 0 {
		t.Fatalf("%d files open after all logs were closed", n)
	}
}
