package storage

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// patch changes a file of the closed log.
func (w *world) patch(name string, change func(b []byte) []byte) {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	b, err := vfs.ReadFile(w.disk, path)
	if err != nil {
		w.t.Fatal(err)
	}
	f, err := w.disk.OpenFile(path, os.O_RDWR|os.O_TRUNC, 0o644)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(change(bytes.Clone(b)), 0); err != nil {
		w.t.Fatal(err)
	}
}

const firstLog = "00000000000000000000.log"

// tenBatches is a closed log of ten batches of ten records each, all of one size.
func tenBatches(t *testing.T) (w *world, batchSize int) {
	w = inMemory(t)
	for range 10 {
		b := w.plain(10, 500)
		w.append(b)
		batchSize = len(b)
	}
	return w, batchSize
}

func TestATornTailIsCutWithALineThatSaysWhatAndWhy(t *testing.T) {
	for name, tear := range map[string]func(b []byte, size int) []byte{
		"the last batch is cut short":      func(b []byte, size int) []byte { return b[:len(b)-7] },
		"only part of its header is there": func(b []byte, size int) []byte { return b[:len(b)-size+20] },
		"its records are not those":        func(b []byte, size int) []byte { b[len(b)-3] ^= 1; return b },
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []Checkpoint{{SameBoot: true}, {SameBoot: false}} {
				w, size := tenBatches(t)
				w.log.Close(false)
				w.patch(firstLog, func(b []byte) []byte { return tear(b, size) })
				w.reopen(c)
				if w.log.EndOffset() != 90 || w.log.Size() != int64(9*size) {
					t.Fatalf("end %d, size %d after recovery by %+v", w.log.EndOffset(), w.log.Size(), c)
				}
				line := w.lines.String()
				for _, part := range []string{"tail is cut", "segment=0", "offset=90", "cause=", "bytes=", "position="} {
					if !strings.Contains(line, part) {
						t.Errorf("no %q in the log line: %s", part, line)
					}
				}
				if damaged, cause := w.log.Damaged(); damaged >= 0 {
					t.Errorf("marked damaged at %d: %v", damaged, cause)
				}
				w.append(w.plain(10, 500))
				if got := offsets(t, w.read(0, 1<<20)); !slices.Equal(got, []int64{0, 10, 20, 30, 40, 50, 60, 70, 80, 90}) {
					t.Fatalf("batches after a new append: %v", got)
				}
			}
		})
	}
}

func TestATailOfZerosIsNoReasonToWarn(t *testing.T) {
	w, _ := tenBatches(t)
	w.log.Close(false)
	w.patch(firstLog, func(b []byte) []byte { return append(b, make([]byte, 100_000)...) })
	w.reopen(Checkpoint{})
	if w.log.EndOffset() != 100 {
		t.Fatalf("end %d", w.log.EndOffset())
	}
	if line := w.lines.String(); strings.Contains(line, "level=WARN msg=\"the log's tail") || !strings.Contains(line, "only zeros follow") {
		t.Fatalf("log line: %s", line)
	}
}

func TestAfterAPowerCutWhatFollowsABadBatchGoesToo(t *testing.T) {
	w, size := tenBatches(t)
	w.log.Close(false)
	w.patch(firstLog, func(b []byte) []byte { b[7*size+100] ^= 1; return b })
	w.reopen(Checkpoint{RecoveryPoint: 50})
	if w.log.EndOffset() != 70 || w.log.FlushedOffset() != 50 {
		t.Fatalf("end %d, flushed %d", w.log.EndOffset(), w.log.FlushedOffset())
	}
}

func TestDamageBelowTheRecoveryPointIsReportedAndNeitherCutNorServed(t *testing.T) {
	for name, damage := range map[string]func(b []byte, size int) []byte{
		"a header":           func(b []byte, size int) []byte { b[3*size+16] = 9; return b },
		"an absurd length":   func(b []byte, size int) []byte { b[3*size+8] = 0x7f; return b },
		"an offset backward": func(b []byte, size int) []byte { b[3*size+7] = 1; return b },
	} {
		t.Run(name, func(t *testing.T) {
			w, size := tenBatches(t)
			w.log.Close(false)
			w.patch(firstLog, func(b []byte) []byte { return damage(b, size) })
			w.reopen(Checkpoint{RecoveryPoint: 100})
			if at, cause := w.log.Damaged(); at != 30 || cause == nil {
				t.Fatalf("damaged at %d: %v", at, cause)
			}
			if w.log.EndOffset() != 100 || w.log.Size() != int64(10*size) {
				t.Fatalf("end %d, size %d", w.log.EndOffset(), w.log.Size())
			}
			got, err := readAll(w.log, 0, 100, 1<<20)
			wantError(t, err, kerr.CorruptMessage)
			if want := []int64{0, 10, 20}; !slices.Equal(offsets(t, got), want) {
				t.Fatalf("served %v before the damage, want %v", offsets(t, got), want)
			}
			if got, err := readAll(w.log, 49, 100, 1<<20); err != nil || len(offsets(t, got)) != 6 {
				t.Fatalf("behind the damage: %v, %v", offsets(t, got), err)
			}
			w.append(w.plain(1, 10))
			if got := offsets(t, w.read(100, 1000)); !slices.Equal(got, []int64{100}) {
				t.Fatalf("appended batches: %v", got)
			}
			if !strings.Contains(w.lines.String(), "committed data is damaged") {
				t.Fatalf("log lines: %s", w.lines)
			}
		})
	}
}

func TestABadBatchWithGoodOnesBehindItIsDamageWhenTheMachineNeverStopped(t *testing.T) {
	w, size := tenBatches(t)
	w.log.Close(false)
	w.patch(firstLog, func(b []byte) []byte { b[5*size+16] = 77; return b })
	w.reopen(Checkpoint{SameBoot: true})
	if at, _ := w.log.Damaged(); at != 50 || w.log.EndOffset() != 100 {
		t.Fatalf("damaged at %d, end %d", at, w.log.EndOffset())
	}
}

func TestALogShorterThanWhatWasDurableIsDamaged(t *testing.T) {
	w, size := tenBatches(t)
	w.log.Close(false)
	w.patch(firstLog, func(b []byte) []byte { return b[:4*size] })
	w.reopen(Checkpoint{RecoveryPoint: 60})
	if at, cause := w.log.Damaged(); at != 40 || cause == nil || w.log.EndOffset() != 40 {
		t.Fatalf("damaged at %d (%v), end %d", at, cause, w.log.EndOffset())
	}
}

func TestABitFlippedAtRestIsFoundWhenItIsFirstRead(t *testing.T) {
	w, size := tenBatches(t)
	w.closeCleanly()
	w.patch(firstLog, func(b []byte) []byte { b[4*size+200] ^= 4; return b })
	w.reopen(Checkpoint{Clean: true})
	got, err := readAll(w.log, 0, 100, 1<<20)
	wantError(t, err, kerr.CorruptMessage)
	if want := []int64{0, 10, 20, 30}; !slices.Equal(offsets(t, got), want) {
		t.Fatalf("served %v, want %v", offsets(t, got), want)
	}
	if at, _ := w.log.Damaged(); at < 0 {
		t.Fatal("not marked damaged")
	}
	if w.log.EndOffset() != 100 {
		t.Fatalf("end %d", w.log.EndOffset())
	}
	w.append(w.plain(1, 10))
	if got := offsets(t, w.read(100, 10)); !slices.Equal(got, []int64{100}) {
		t.Fatalf("what is appended behind: %v", got)
	}
}

func TestWhatThisProcessWroteIsNotVerifiedAgain(t *testing.T) {
	w, size := tenBatches(t)
	w.patch(firstLog, func(b []byte) []byte { b[4*size+200] ^= 4; return b })
	if _, err := readAll(w.log, 0, 100, 1<<20); err != nil {
		t.Fatal(err) // the caller checked it on the way in; the disk is asked again by the next process
	}
	w.log.Close(false)
	w.reopen(Checkpoint{Clean: true})
	for range 2 {
		if _, err := readAll(w.log, 0, 40, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	_, err := readAll(w.log, 40, 100, 1<<20)
	wantError(t, err, kerr.CorruptMessage)
}

func TestMissingAndImpossibleIndexesAreRebuilt(t *testing.T) {
	for _, damage := range []func(w *world, name string){
		func(w *world, name string) { _ = w.disk.Remove(filepath.Join(w.dir, name)) },
		func(w *world, name string) { w.patch(name, func(b []byte) []byte { return b[:len(b)-1] }) },
		func(w *world, name string) {
			w.patch(name, func(b []byte) []byte {
				for i := range b {
					b[i] = 0xff
				}
				return b
			})
		},
		func(w *world, name string) {
			w.patch(name, func(b []byte) []byte { return append(b, make([]byte, 12*8)...) }) // as Kafka preallocates
		},
	} {
		for _, kind := range []fileKind{offsetIndexFile, timeIndexFile} {
			for _, c := range []Checkpoint{{Clean: true}, {SameBoot: true}, {}} {
				w := inMemory(t)
				w.tune(func(s *Settings) { s.IndexIntervalBytes, s.SegmentBytes = 600, 4000 })
				var want []byte
				for range 20 {
					w.clock = w.clock.Add(time.Second)
					b := w.plain(10, 500)
					w.append(b)
					want = append(want, b...)
				}
				w.closeCleanly()
				first := "00000000000000000000" + kind.suffix()
				active := offsetName(w.log.Segments()[len(w.log.Segments())-1].BaseOffset) + kind.suffix()
				before := w.fileBytes(first)
				damage(w, first)
				damage(w, active)
				w.reopen(c)
				if w.log.EndOffset() != 200 {
					t.Fatalf("end %d", w.log.EndOffset())
				}
				if got := w.read(0, 1000); !bytes.Equal(got, want) {
					t.Fatalf("%v: batches %v", c, offsets(t, got))
				}
				if found, ok, err := w.log.MaxTimestamp(); err != nil || !ok || found.Offset != 190 {
					t.Fatalf("max timestamp: %+v, %v, %v", found, ok, err)
				}
				w.closeCleanly()
				if got := w.fileBytes(first); !bytes.Equal(got, before) && len(got) == len(before) {
					t.Fatalf("index of the first segment: %d bytes, was %d", len(got), len(before))
				}
			}
		}
	}
}

func (w *world) fileBytes(name string) []byte {
	w.t.Helper()
	b, err := vfs.ReadFile(w.disk, filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func TestLeaderEpochsComeFromTheBatchesWhereTheCheckpointLacksThem(t *testing.T) {
	for name, spoil := range map[string]func(w *world){
		"missing": func(w *world) { _ = w.disk.Remove(filepath.Join(w.dir, epochCheckpointName)) },
		"torn":    func(w *world) { w.patch(epochCheckpointName, func(b []byte) []byte { return b[:len(b)/2] }) },
		"empty":   func(w *world) { w.patch(epochCheckpointName, func([]byte) []byte { return nil }) },
		"old":     func(w *world) { w.patch(epochCheckpointName, func([]byte) []byte { return []byte("0\n1\n3 0\n") }) },
	} {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t)
			w.tune(func(s *Settings) { s.SegmentBytes = 1000 })
			for _, epoch := range []int32{3, 3, 5, 8, 8} {
				w.appendIn(epoch, w.plain(10, 500))
			}
			w.log.Close(false)
			spoil(w)
			w.reopen(Checkpoint{})
			want := []EpochEntry{{3, 0}, {5, 20}, {8, 30}}
			if got := w.log.epochs.all(); !slices.Equal(got, want) {
				t.Fatalf("epochs %v, want %v", got, want)
			}
		})
	}
}

func TestFilesOfInterruptedWorkAreClearedAway(t *testing.T) {
	w, _ := tenBatches(t)
	w.closeCleanly()
	for _, name := range []string{
		"00000000000000000500.log.deleted", "00000000000000000500.index.deleted", "00000000000000000000.log.cleaned",
		"00000000000000000700.index", "leader-epoch-checkpoint.tmp", "00000000000000000500.snapshot.deleted",
	} {
		if err := vfs.WriteFileAtomic(w.disk, filepath.Join(w.dir, name), []byte("x"), false); err != nil {
			t.Fatal(err)
		}
	}
	keep := "partition.metadata"
	if err := vfs.WriteFileAtomic(w.disk, filepath.Join(w.dir, keep), []byte("x"), false); err != nil {
		t.Fatal(err)
	}
	w.reopen(Checkpoint{Clean: true})
	want := []string{firstLog, "00000000000000000000.index", "00000000000000000000.timeindex", "00000000000000000100.snapshot", epochCheckpointName, keep}
	slices.Sort(want)
	if got := w.names(); !slices.Equal(got, want) {
		t.Fatalf("files %v, want %v", got, want)
	}
}

func TestADirectoryWithoutSegmentsIsAnEmptyLogAtItsStartOffset(t *testing.T) {
	w, _ := tenBatches(t)
	w.closeCleanly()
	for _, name := range w.names() {
		if name != epochCheckpointName {
			_ = w.disk.Remove(filepath.Join(w.dir, name))
		}
	}
	w.reopen(Checkpoint{LogStartOffset: 40, Clean: true})
	if w.log.StartOffset() != 40 || w.log.EndOffset() != 40 {
		t.Fatalf("start %d, end %d", w.log.StartOffset(), w.log.EndOffset())
	}
	if a := w.append(w.plain(1, 10)); a.BaseOffset != 40 {
		t.Fatalf("appended at %d", a.BaseOffset)
	}
}

func TestALogThatEndsBeforeItsStartOffsetBeginsAnew(t *testing.T) {
	w, _ := tenBatches(t)
	w.closeCleanly()
	w.reopen(Checkpoint{LogStartOffset: 500, SameBoot: true})
	if w.log.StartOffset() != 500 || w.log.EndOffset() != 500 || w.has(firstLog) {
		t.Fatalf("start %d, end %d, files %v", w.log.StartOffset(), w.log.EndOffset(), w.names())
	}
	w.append(w.plain(1, 1))
	w.kill()
	if w.log.EndOffset() != 501 {
		t.Fatalf("end %d", w.log.EndOffset())
	}
}

func TestWithoutTheScanATornTailStays(t *testing.T) {
	w, _ := tenBatches(t)
	w.log.Close(false)
	w.patch(firstLog, func(b []byte) []byte { return b[:len(b)-7] })
	o := w.options(Checkpoint{SameBoot: true})
	o.SkipRecoveryScan = true
	w.openWith(o)
	w.append(w.plain(1, 10))
	if _, err := readAll(w.log, 0, w.log.EndOffset(), 1<<20); err == nil {
		t.Fatal("the crash test would not notice that the scan is missing")
	}
}

func TestMessagesOfAnOldFormatAreRefusedNotCut(t *testing.T) {
	w, _ := tenBatches(t)
	w.log.Close(false)
	message := []byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 'v'} // magic 1: null key, value
	sum := crc32.ChecksumIEEE(message)
	old := binary.BigEndian.AppendUint64(nil, 100)
	old = binary.BigEndian.AppendUint32(old, uint32(len(message)+4))
	old = binary.BigEndian.AppendUint32(old, sum)
	old = append(old, message...)
	w.patch(firstLog, func(b []byte) []byte { return append(b, old...) })
	_, err := Open(w.options(Checkpoint{SameBoot: true}))
	wantError(t, err, kerr.UnsupportedForMessageFormat)
}

func TestALogOpensOnAFullDisk(t *testing.T) {
	for _, c := range []Checkpoint{{Clean: true}, {SameBoot: true}, {}} {
		w := inMemory(t)
		w.tune(func(s *Settings) { s.IndexIntervalBytes, s.SegmentBytes = 200, 3000 })
		for i := range int32(12) {
			w.appendIn(i, w.produced(1, 0, i*20, 20))
		}
		w.log.Close(false)
		w.patch(firstLog, func(b []byte) []byte { return b })
		last := offsetName(200) + logFile.suffix()
		if w.has(last) {
			w.patch(last, func(b []byte) []byte { return b[:len(b)-5] })
		}
		_ = w.disk.Remove(filepath.Join(w.dir, "00000000000000000000.index"))
		_ = w.disk.Remove(filepath.Join(w.dir, epochCheckpointName))
		w.disk.(*vfs.Mem).SetCapacity(1)
		w.reopen(c)
		b, err := readAll(w.log, 0, w.log.EndOffset(), 500)
		if err != nil || len(offsets(t, b)) < 11 {
			t.Fatalf("%+v: batches %v, %v", c, offsets(t, b), err)
		}
		if w.log.LatestEpoch() < 10 {
			t.Fatalf("%+v: epoch %d", c, w.log.LatestEpoch())
		}
		_, err = w.log.Append(w.plain(1, 10), AppendOptions{LeaderEpoch: 12})
		wantError(t, err, kerr.KafkaStorageError)
		w.disk.(*vfs.Mem).SetCapacity(1 << 40)
		w.appendIn(12, w.plain(1, 10))
		w.kill()
		if w.log.LatestEpoch() != 12 {
			t.Fatalf("%+v: epoch %d", c, w.log.LatestEpoch())
		}
	}
}
