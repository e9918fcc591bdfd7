package logdir

import (
	"errors"
	"io/fs"
	"math"
	"testing"

	"go.uber.org/goleak"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// full lets every write and create fail as long as a condition holds.
func full(disk *vfs.Mem, while func() bool) {
	disk.SetHook(func(op vfs.Op) error {
		if (op.Kind == vfs.OpWrite || op.Kind == vfs.OpCreate || op.Kind == vfs.OpMkdir) && while() {
			return noSpace
		}
		return nil
	})
}

func isHeld(disk vfs.FS) bool {
	_, err := disk.Stat("/data/" + reserveName)
	return err == nil
}

func TestADirectoryOpensReadsAndDeletesOnAFullDisk(t *testing.T) {
	for _, clean := range []bool{true, false} {
		disk := vfs.NewMem()
		o := options(disk, "/data")
		o.ReserveBytes = 1
		d := mustOpen(t, o)
		mustWrite(t, mustCreate(t, d, "orders", 0, orders), "one")
		mustWrite(t, mustCreate(t, d, "orders", 1, orders), "two")
		if clean {
			mustClose(t, d)
		} else {
			d.abandon()
			disk = disk.Kill()
			o.FS = disk
		}
		full(disk, func() bool { return isHeld(disk) }) // only what recovery has to write finds room
		d = mustOpen(t, o)
		wantContents(t, d, "orders", 0, "one")
		full(disk, func() bool { return true })
		if err := d.Delete("orders", 1, orders); err != nil {
			t.Errorf("delete: %v", err)
		}
		l, err := d.Get("orders", 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := write(l, "no room"); err == nil {
			t.Error("there was room for an append")
		}
		if err := d.Close(t.Context()); !vfs.IsNoSpace(err) {
			t.Errorf("close: %v", err)
		}
		full(disk, func() bool { return false })
		d = mustOpen(t, o)
		wantContents(t, d, "orders", 0, "one")
		l, err = d.Get("orders", 0)
		if err != nil {
			t.Fatal(err)
		}
		mustWrite(t, l, "again")
		mustClose(t, d)
	}
}

func TestWhatIsHeldBackIsGivenUpForACleanStop(t *testing.T) {
	disk := vfs.NewMem()
	o := options(disk, "/data")
	o.ReserveBytes = 1
	d := mustOpen(t, o)
	mustWrite(t, mustCreate(t, d, "orders", 0, orders), "one")
	held := func() bool { return isHeld(disk) }
	if !held() {
		t.Fatal("nothing is held back")
	}
	l, err := d.Get("orders", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := flush(d, l); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Close(true); err != nil { // what the log has to write is not the directory's
		t.Fatal(err)
	}
	d.mu.Lock()
	e := d.logs[key{"orders", 0}]
	d.mu.Unlock()
	e.opened.Store(nil)
	full(disk, held)
	mustClose(t, d)
	if held() {
		t.Error("the reserve was not needed")
	}
	disk.SetHook(nil)
	d = mustOpen(t, o)
	if !d.Start().Clean || !held() {
		t.Errorf("the next start: %+v, held back again: %v", d.Start(), held())
	}
	mustClose(t, d)
}

func TestWithoutAReserveNothingIsHeldBackOrRefused(t *testing.T) {
	disk := &smallDisk{FS: vfs.NewMem()}
	o := options(disk, "/data")
	o.ReserveBytes = -1
	d := mustOpen(t, o)
	if err := d.Writable(); err != nil {
		t.Error(err)
	}
	if _, err := disk.Stat("/data/" + reserveName); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	mustClose(t, d)
	disk.free.Store(math.MaxInt64)
}
