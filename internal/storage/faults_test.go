package storage

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// faults decides which operations of a disk fail.
type faults struct {
	mu     sync.Mutex
	decide func(op vfs.Op) error
}

func (f *faults) ask(op vfs.Op) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.decide == nil {
		return nil
	}
	return f.decide(op)
}

func (f *faults) set(decide func(op vfs.Op) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.decide = decide
}

// writes lets the next n writes of log files fail for want of space, half of their bytes written.
func (f *faults) writes(n int) {
	f.set(func(op vfs.Op) error {
		if op.Kind != vfs.OpWrite || filepath.Ext(op.Name) != ".log" || n == 0 {
			return nil
		}
		n--
		return &vfs.ShortWrite{N: op.Length / 2, Err: syscall.ENOSPC}
	})
}

func onFaultyDisk(t *testing.T) (*world, *faults) {
	f := &faults{}
	return newWorld(t, vfs.NewFaulty(vfs.NewMem(), f.ask), "/data/topic-0"), f
}

func TestAFullDiskLosesNothingAndTakesNothingOffline(t *testing.T) {
	w, fail := onFaultyDisk(t)
	w.append(w.plain(3, 1000))
	before := w.read(0, 1<<20)
	fail.writes(3)
	for range 3 {
		_, err := w.log.Append(w.plain(3, 1000), AppendOptions{})
		wantError(t, err, kerr.KafkaStorageError)
		if !vfs.IsNoSpace(err) {
			t.Fatalf("the reason is lost: %v", err)
		}
		if got := w.read(0, 1<<20); !bytes.Equal(got, before) || w.log.Size() != int64(len(before)) {
			t.Fatal("a failed append changed the log")
		}
		if size := len(w.fileBytes(firstLog)); size != len(before) {
			t.Fatalf("the file was left with %d bytes, want %d", size, len(before))
		}
	}
	if a := w.append(w.plain(1, 10)); a.BaseOffset != 3 {
		t.Fatalf("when there is space again: %+v", a)
	}
}

func TestATailThatCannotBeCutIsOverwritten(t *testing.T) {
	w, fail := onFaultyDisk(t)
	w.append(w.plain(3, 100))
	fail.set(func(op vfs.Op) error {
		switch {
		case op.Kind == vfs.OpTruncate:
			return syscall.EIO
		case op.Kind == vfs.OpWrite && op.Length > 2000:
			return &vfs.ShortWrite{N: 1500, Err: syscall.EIO}
		}
		return nil
	})
	_, err := w.log.Append(w.plain(1, 3000), AppendOptions{})
	wantError(t, err, kerr.KafkaStorageError)
	w.append(w.plain(1, 100))
	if got := offsets(t, w.read(0, 1<<20)); !slices.Equal(got, []int64{0, 3}) {
		t.Fatalf("batches %v", got)
	}
	// Rolling would seal the garbage in: it must not succeed.
	w.tune(func(s *Settings) { s.SegmentBytes = 500 })
	_, err = w.log.Append(w.plain(1, 300), AppendOptions{})
	wantError(t, err, kerr.KafkaStorageError)
	if _, err := w.log.Close(true); err == nil {
		t.Fatal("closed in order with garbage behind its end")
	}
	fail.set(nil)
	w.append(w.plain(1, 300))
	w.kill()
	if got := offsets(t, w.read(0, 1<<20)); !slices.Equal(got, []int64{0, 3, 4}) {
		t.Fatalf("batches %v", got)
	}
}

func TestAFailedRollLeavesTheLogGoingOnInTheOldSegment(t *testing.T) {
	for _, what := range []string{".snapshot.tmp", "00000000000000000006.log", "00000000000000000000.index"} {
		t.Run(what, func(t *testing.T) {
			w, fail := onFaultyDisk(t)
			w.append(w.produced(1, 0, 0, 3))
			w.append(w.plain(3, 300))
			w.tune(func(s *Settings) { s.SegmentBytes = 750 })
			fail.set(func(op vfs.Op) error {
				if op.Kind == vfs.OpCreate && strings.Contains(op.Name, what) {
					return syscall.ENOSPC
				}
				return nil
			})
			_, err := w.log.Append(w.plain(1, 300), AppendOptions{})
			wantError(t, err, kerr.KafkaStorageError)
			w.append(w.produced(1, 0, 3, 1)) // fits the old segment
			fail.set(nil)
			w.append(w.plain(1, 300))
			w.kill()
			w.append(w.produced(1, 0, 4, 1))
			if got, want := offsets(t, w.read(0, 1<<20)), []int64{0, 3, 6, 7, 8}; !slices.Equal(got, want) {
				t.Fatalf("batches %v, want %v", got, want)
			}
		})
	}
}

func TestAFailedSyncEndsTheLogsLife(t *testing.T) {
	w, fail := onFaultyDisk(t)
	w.append(w.plain(1, 100))
	fail.set(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync {
			return syscall.EIO
		}
		return nil
	})
	wantError(t, w.log.Sync(), kerr.KafkaStorageError)
	fail.set(nil)
	wantError(t, w.log.Sync(), kerr.KafkaStorageError) // the kernel has forgotten the failure, we must not
	_, err := w.log.Append(w.plain(1, 100), AppendOptions{})
	wantError(t, err, kerr.KafkaStorageError)
	if w.log.FlushedOffset() != 0 {
		t.Fatalf("flushed %d", w.log.FlushedOffset())
	}
}

func TestRunningOutOfDescriptorsClosesOurOwnFilesFirst(t *testing.T) {
	f := &faults{}
	disk := vfs.NewFaulty(vfs.NewMem(), f.ask)
	files := NewFiles(1000)
	var logs []*Log
	settings := testSettings()
	for i := range 20 {
		l, err := Create(Options{FS: disk, Dir: filepath.Join("/data", "t-"+string(rune('a'+i))), Files: files, Settings: &settings})
		if err != nil {
			t.Fatal(err)
		}
		logs = append(logs, l)
	}
	const limit = 10
	f.set(func(op vfs.Op) error {
		if (op.Kind == vfs.OpOpen || op.Kind == vfs.OpCreate) && files.Open() > limit {
			return syscall.EMFILE
		}
		return nil
	})
	w := &world{t: t}
	for round := range 3 {
		for i, l := range logs {
			if _, err := l.Append(w.plain(1, 10), AppendOptions{}); err != nil {
				t.Fatalf("round %d, log %d: %v", round, i, err)
			}
		}
	}
	if n := files.Open(); n > limit+1 {
		t.Fatalf("%d files open", n)
	}
}
