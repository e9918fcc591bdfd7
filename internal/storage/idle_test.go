package storage

import (
	"errors"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestAnEpochReachesTheDiskWithItsFirstRecord(t *testing.T) {
	w := inMemory(t)
	w.log.BeginEpoch(1, 0)
	w.log.BeginEpoch(2, 0)
	if err := w.log.Sync(); err != nil {
		t.Fatal(err)
	}
	entry := w.closeCleanly()
	if w.has(epochCheckpointName) {
		t.Error("an epoch without records has made a file")
	}
	o := w.options(Checkpoint{})
	o.Manifest = entry
	w.openWith(o)
	if latest := w.log.LatestEpoch(); latest != 2 {
		t.Errorf("after a clean stop the epoch is %d", latest)
	}
	w.appendIn(2, w.plain(3, 10))
	if !w.has(epochCheckpointName) {
		t.Error("the epoch's first record is in the log, and the file says nothing")
	}
	w.log.BeginEpoch(5, 3)
	w.log.BeginEpoch(6, 3)
	if err := w.log.Truncate(3); err != nil {
		t.Fatal(err)
	}
	if err := w.log.Sync(); err != nil {
		t.Fatal(err)
	}
	w.reopenClean()
	if latest := w.log.LatestEpoch(); latest != 2 {
		t.Errorf("the file says %d", latest)
	}
}

func TestALogThatIsSyncedWithItsWholeDiskNeedsNoSyncOfItsOwn(t *testing.T) {
	w := inMemory(t)
	w.append(w.plain(3, 10))
	w.log.BeginEpoch(4, 3)
	end, err := w.log.Finish()
	if err != nil || end != 3 {
		t.Fatalf("%d, %v", end, err)
	}
	syncs := 0
	w.disk.(*vfs.Mem).SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncDir {
			syncs++
		}
		return nil
	})
	entry, err := w.log.CloseSynced(end)
	if err != nil || entry.FlushedOffset != 3 || syncs > 0 {
		t.Fatalf("%+v, %d syncs, %v", entry, syncs, err)
	}
	o := w.options(Checkpoint{})
	o.Manifest = &entry
	w.openWith(o)
	w.append(w.plain(1, 10))
	if end, err = w.log.Finish(); err != nil {
		t.Fatal(err)
	}
	w.append(w.plain(1, 10))
	if _, err := w.log.CloseSynced(end); err == nil {
		t.Error("closed in order, though it was appended to after its end was synced")
	}
}

func TestALogInWhichNothingWasKeptIsRecoveredWithoutOpeningAFile(t *testing.T) {
	for what, c := range map[string]Checkpoint{"killed": {SameBoot: true}, "power cut": {}, "adopted": {Clean: true}} {
		w := inMemory(t)
		w.log.Close(false)
		var opened []string
		w.disk.(*vfs.Mem).SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpOpen {
				opened = append(opened, op.Name)
			}
			return nil
		})
		w.reopen(c)
		if len(opened) > 0 || w.files.Open() > 0 {
			t.Errorf("%s: opened %v", what, opened)
		}
		w.append(w.plain(3, 10))
		if w.log.EndOffset() != 3 {
			t.Errorf("%s: the log ends at %d", what, w.log.EndOffset())
		}
	}
}

func TestAnEmptySegmentThatShouldHoldRecordsIsLookedAt(t *testing.T) {
	w := inMemory(t)
	w.append(w.plain(3, 10))
	w.log.Close(false)
	w.patch("00000000000000000000.log", func([]byte) []byte { return nil })
	w.reopen(Checkpoint{RecoveryPoint: 3})
	if offset, _ := w.log.Damaged(); offset != 0 {
		t.Errorf("damaged at %d: three durable records are gone, and nobody says so", offset)
	}
}

func TestFilesAreLetGoAfterRecovery(t *testing.T) {
	w := inMemory(t)
	w.append(w.plain(3, 10))
	w.kill()
	if n := w.files.Open(); n > 0 {
		t.Errorf("%d files are open after a recovery", n)
	}
	if w.read(0, 1000) == nil {
		t.Error("nothing can be read")
	}
}

func TestALongRecoveryEndsWhenItsOwnerStops(t *testing.T) {
	w := inMemory(t)
	w.append(w.plain(3, 10))
	w.log.Close(false)
	stopping := errors.New("stopping")
	o := w.options(Checkpoint{SameBoot: true})
	o.Interrupted = func() error { return stopping }
	if _, err := Open(o); !errors.Is(err, stopping) {
		t.Fatal(err)
	}
	w.reopen(Checkpoint{SameBoot: true})
	if w.log.EndOffset() != 3 {
		t.Errorf("the log ends at %d", w.log.EndOffset())
	}
}
