package storage

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestASyncIsSharedByAllWhoWaitForItAndHoldsUpNoAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var syncs atomic.Int64
		slow := func(op vfs.Op) error {
			if op.Kind == vfs.OpSync {
				syncs.Add(1)
				time.Sleep(time.Second) // of the bubble
			}
			return nil
		}
		w := newWorld(t, vfs.NewFaulty(vfs.NewMem(), func(op vfs.Op) error { return slow(op) }), "/data/topic-0")
		w.append(w.plain(1, 10))
		if err := w.log.Sync(); err != nil { // the epochs' file, too
			t.Fatal(err)
		}
		syncs.Store(0)
		began := time.Now()
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				a, err := w.log.Append(w.plain(1, 10), AppendOptions{})
				if err != nil {
					t.Error(err)
				}
				if err := w.log.Sync(); err != nil || w.log.FlushedOffset() < a.EndOffset {
					t.Errorf("flushed %d after the sync of %d: %v", w.log.FlushedOffset(), a.EndOffset, err)
				}
			})
		}
		group.Wait()
		if n := syncs.Load(); n > 2 {
			t.Errorf("%d syncs for 50 callers", n)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		group.Go(func() { _ = w.log.Sync() })
		w.append(w.plain(1, 10))
		group.Go(func() { _ = w.log.Sync() })
		synctest.Wait()
		before := time.Now()
		w.append(w.plain(1, 10)) // amid the sync
		if time.Since(before) != 0 {
			t.Error("an append waited for a sync")
		}
		group.Wait()
	})
}

func TestASyncThatATruncationOvertakesPromisesNothing(t *testing.T) {
	w := inMemory(t)
	w.append(w.plain(10, 100))
	work, err := w.log.takeSyncWork()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.log.Truncate(0); err != nil {
		t.Fatal(err)
	}
	w.append(w.plain(10, 100))
	if err := w.log.finishSync(work); err != nil {
		t.Fatal(err)
	}
	if w.log.FlushedOffset() != 0 {
		t.Fatalf("flushed %d", w.log.FlushedOffset())
	}
	if err := w.log.Sync(); err != nil || w.log.FlushedOffset() != 10 {
		t.Fatalf("flushed %d, %v", w.log.FlushedOffset(), err)
	}
}
