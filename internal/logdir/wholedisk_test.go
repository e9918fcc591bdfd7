package logdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// syncAll makes everything on a disk in memory durable, as syncfs does.
func syncAll(disk vfs.FS, dir string) error {
	names, err := disk.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := filepath.Join(dir, name.Name())
		if name.IsDir() {
			err = syncAll(disk, path)
		} else {
			err = syncFile(disk, path)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return disk.SyncDir(dir)
}

// stopMany stops a directory with many logs that were never synced, and returns the disk after a power cut and how many
// syncs the stop made itself.
func stopMany(t *testing.T, syncWhole func(disk vfs.FS) error) (after *vfs.Mem, syncs int) {
	t.Helper()
	disk := vfs.NewMem()
	o := options(disk, "/data")
	o.syncAllAbove = 10
	var whole atomic.Bool
	var counted atomic.Int64
	o.syncWhole = func() error {
		whole.Store(true)
		defer whole.Store(false)
		return syncWhole(disk)
	}
	d := mustOpen(t, o)
	for i := range 40 {
		l := mustCreate(t, d, "orders", int32(i), orders)
		l.BeginEpoch(3, 0)
		if i%2 == 0 {
			mustWrite(t, l, fmt.Sprint("x", i))
		}
	}
	disk.SetHook(func(op vfs.Op) error {
		if !whole.Load() && (op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncDir) {
			counted.Add(1)
		}
		return nil
	})
	mustClose(t, d)
	return disk.Crash(nil), int(counted.Load())
}

func wantMany(t *testing.T, disk *vfs.Mem) {
	t.Helper()
	o := options(disk, "/data")
	o.BootID = "boot-2"
	d := mustOpen(t, o)
	if !d.Start().Clean || d.Len() != 40 {
		t.Fatalf("%d logs, %+v", d.Len(), d.Start())
	}
	for i := range 40 {
		var want []string
		if i%2 == 0 {
			want = []string{fmt.Sprint("x", i)}
		}
		wantContents(t, d, "orders", int32(i), want...)
	}
	mustClose(t, d)
}

func TestAStopWithManyLogsSyncsTheDiskOnce(t *testing.T) {
	after, syncs := stopMany(t, func(disk vfs.FS) error { return syncAll(disk, "/") })
	wantMany(t, after)
	const checkpointsManifestAndMarker = 16
	if syncs > checkpointsManifestAndMarker {
		t.Errorf("%d syncs beside that of the disk", syncs)
	}
}

func TestADiskThatCannotBeSyncedAsAWholeIsSyncedByLog(t *testing.T) {
	after, _ := stopMany(t, func(vfs.FS) error { return errors.New("some other file's page is lost") })
	wantMany(t, after)
}

func TestASyncOfTheDiskThatLiesWouldBeNoticed(t *testing.T) {
	after, _ := stopMany(t, func(vfs.FS) error { return nil })
	names, err := after.ReadDir("/data")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !name.IsDir() {
			continue
		}
		if files, err := after.ReadDir("/data/" + name.Name()); err != nil || len(files) > 0 {
			t.Errorf("%s: %v, %v", name.Name(), files, err)
		}
	}
}

func TestKernelsBefore58AreNotBelieved(t *testing.T) {
	for release, want := range map[string]bool{"6.18.44-fc": true, "5.8.0": true, "5.7.19": false, "4.19.0-x": false, "odd": false} {
		if got := tellsFailures(release); got != want {
			t.Errorf("%s: %v", release, got)
		}
	}
}
