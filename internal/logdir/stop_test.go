package logdir

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestAStopAmidRecoveryWritesAndSyncsNothing(t *testing.T) {
	disk := vfs.NewMem()
	d := mustOpen(t, options(disk, "/data"))
	for i := range 20 {
		mustWrite(t, mustCreate(t, d, "orders", int32(i), orders), "x")
	}
	d.abandon()

	o := options(disk.Kill(), "/data")
	known := make(chan struct{}) // never: no log is recovered but those that are asked for
	o.SettingsKnown = known
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	wantContents(t, d, "orders", 7, "x")
	var changes atomic.Int64 // the hook stays for the next life, in which several write
	o.FS.(*vfs.Mem).SetHook(func(op vfs.Op) error {
		if !strings.HasSuffix(op.Name, bootName) && (op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncDir || op.Kind == vfs.OpWrite) {
			changes.Add(1)
		}
		return nil
	})
	if err := d.Close(context.Background()); !errors.Is(err, errUnrecovered) {
		t.Errorf("%v", err)
	}
	if n := changes.Load(); n > 0 {
		t.Errorf("%d writes and syncs", n)
	}
	if _, err := o.FS.Stat("/data/" + cleanShutdownName); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the stop passes for a clean one: %v", err)
	}
	o.SettingsKnown = nil
	d = mustOpen(t, o)
	for i := range 20 {
		wantContents(t, d, "orders", int32(i), "x")
	}
	mustClose(t, d)
}
