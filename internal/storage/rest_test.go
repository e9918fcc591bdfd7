package storage

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// settle does what an owner does before it lets a log rest.
func (w *world) settle() {
	w.t.Helper()
	if settled, err := w.log.Settle(); !settled || err != nil {
		w.t.Fatalf("settled %v, %v", settled, err)
	}
	if err := w.log.Sync(); err != nil {
		w.t.Fatal(err)
	}
}

// rest lets the log rest and opens it again from what that gave.
func (w *world) rest() {
	w.t.Helper()
	entry, ok := w.log.Rest()
	if !ok {
		w.t.Fatal("the log does not rest")
	}
	decoded, _, err := DecodeManifestEntry(entry.AppendTo(nil))
	if err != nil || !reflect.DeepEqual(decoded, entry) {
		w.t.Fatalf("%+v came back as %+v, %v", entry, decoded, err)
	}
	o := w.options(Checkpoint{})
	o.Manifest = &decoded
	w.openWith(o)
}

func TestAUsedLogRestsWithoutTouchingAFile(t *testing.T) {
	w := inMemory(t)
	w.tune(func(s *Settings) { s.SegmentBytes = 2000 })
	for i := range int32(10) {
		w.appendIn(i/3, w.produced(5, 0, i*20, 20))
	}
	w.log.SetHighWatermark(200)
	want := w.read(0, 1<<20)
	if _, ok := w.log.Rest(); ok {
		t.Fatal("what was written last is not durable, and the log rests")
	}
	w.settle()
	operations := 0
	w.disk.(*vfs.Mem).SetHook(func(vfs.Op) error { operations++; return nil })
	w.rest()
	if operations > 0 || w.files.Open() > 0 {
		t.Errorf("%d operations on the disk, %d files open", operations, w.files.Open())
	}
	w.disk.(*vfs.Mem).SetHook(nil)
	if got := w.read(0, 1<<20); !bytes.Equal(got, want) || w.log.HighWatermark() != 200 || w.log.LatestEpoch() != 3 {
		t.Errorf("batches %v, high watermark %d, epoch %d", offsets(t, got), w.log.HighWatermark(), w.log.LatestEpoch())
	}
	w.rest() // It was only read.
	w.append(w.plain(1, 10))
	w.settle()
	w.append(w.plain(1, 10))
	if _, ok := w.log.Rest(); ok {
		t.Error("it was appended to since it had settled")
	}
}

func TestRetriesAreKnownAfterALogHasRested(t *testing.T) {
	w := inMemory(t)
	for i := range int32(7) {
		w.append(w.produced(5, 0, i*20, 20))
	}
	w.append(w.produced(6, 0, 0, 20))
	w.settle()
	w.rest()
	w.rest() // nobody has asked for the producers between
	for i := int32(2); i < 7; i++ {
		if again := w.append(w.produced(5, 0, i*20, 20)); !again.Duplicate || again.BaseOffset != int64(i*20) {
			t.Errorf("a retry of batch %d: %+v", i, again)
		}
	}
	w.append(w.produced(5, 0, 140, 20))
	w.append(w.produced(6, 0, 20, 20))
	w.kill()
	if w.log.EndOffset() != 200 {
		t.Errorf("after a kill the log ends at %d", w.log.EndOffset())
	}
}

func TestALogWithAnOpenTransactionOrAReaderDoesNotRest(t *testing.T) {
	w := inMemory(t)
	w.append(w.plain(3, 10))
	w.log.SetHighWatermark(3)
	w.settle()
	region, err := w.log.Read(0, 3, 1000, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := w.log.Rest(); ok {
		t.Error("it rests while a fetch reads from its file")
	}
	region.Close()
	w.append(w.inTransaction(6, 0, 0, 1))
	if settled, err := w.log.Settle(); settled || err != nil {
		t.Errorf("settled %v amid a transaction, %v", settled, err)
	}
	if err := w.log.Sync(); err != nil {
		t.Fatal(err)
	}
	if _, ok := w.log.Rest(); ok {
		t.Error("it rests amid a transaction")
	}
}
