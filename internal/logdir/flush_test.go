package logdir

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestWhoeverWaitsForALogSharesItsSync(t *testing.T) {
	disk := vfs.NewMem()
	d := mustOpen(t, options(disk, "/data"))
	l := mustCreate(t, d, "orders", 0, orders)
	var syncs atomic.Int64
	hold, held := make(chan struct{}), make(chan struct{}, 1)
	disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && strings.HasSuffix(op.Name, ".log") {
			syncs.Add(1)
			select {
			case held <- struct{}{}:
			default:
			}
			<-hold
		}
		return nil
	})
	var waiting sync.WaitGroup
	wait := func() {
		waiting.Add(1)
		d.Flush(l, l.EndOffset(), func(err error) {
			if err != nil {
				t.Error(err)
			}
			waiting.Done()
		})
	}
	mustWrite(t, l, "first")
	wait()
	<-held
	for range 100 { // while the first sync is under way
		mustWrite(t, l, "more")
		wait()
	}
	close(hold)
	waiting.Wait()
	if n := syncs.Load(); n != 2 {
		t.Errorf("%d syncs for 101 who waited", n)
	}
	if l.FlushedOffset() != 101 {
		t.Errorf("flushed up to %d", l.FlushedOffset())
	}
	disk.SetHook(nil)
	mustClose(t, d)
}

func TestWhatIsFlushedSurvivesThePowerCutWithItsFolder(t *testing.T) {
	disk := vfs.NewMem()
	d := mustOpen(t, options(disk, "/data"))
	l := mustCreate(t, d, "orders", 0, orders)
	mustWrite(t, l, "one")
	if err := flush(d, l); err != nil {
		t.Fatal(err)
	}
	o := options(disk.Crash(nil), "/data")
	o.BootID = "boot-2"
	d.abandon()
	d = mustOpen(t, o)
	wantContents(t, d, "orders", 0, "one")
	if _, err := d.Create("orders", 0, ordersToo); !errors.Is(err, kerr.InconsistentTopicID) {
		t.Errorf("its topic id: %v", err)
	}
	mustClose(t, d)
}

func TestAFailedSyncIsNeverRetriedAsSuccess(t *testing.T) {
	disk := vfs.NewMem()
	o := options(disk, "/data")
	failures := make(chan error, 2)
	o.Failed = func(err error) { failures <- err }
	d := mustOpen(t, o)
	l, other := mustCreate(t, d, "orders", 0, orders), mustCreate(t, d, "other", 0, ordersToo)
	mustWrite(t, l, "one")
	mustWrite(t, other, "two")
	disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && strings.HasSuffix(op.Name, "orders-0/00000000000000000000.log") {
			return errors.New("input/output error")
		}
		return nil
	})
	if err := flush(d, l); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("the flush: %v", err)
	}
	disk.SetHook(nil)
	if err := <-failures; !errors.Is(err, kerr.KafkaStorageError) || !strings.Contains(err.Error(), "/data") {
		t.Errorf("the owner was told %v", err)
	}
	for name, err := range map[string]error{"the next flush": flush(d, l), "another log's": flush(d, other), "Writable": d.Writable()} {
		if !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := d.Close(t.Context()); err == nil {
		t.Error("the stop passes for a clean one")
	}
	d = mustOpen(t, options(disk, "/data"))
	if s := d.Start(); s.Clean || s.SameBoot {
		t.Errorf("the next start trusts the page cache: %+v", s)
	}
	mustClose(t, d)
	if len(failures) > 0 {
		t.Error("the owner was told twice")
	}
}

func TestFlushOfALogThatIsGoneEndsWithAnError(t *testing.T) {
	d := mustOpen(t, options(vfs.NewMem(), "/data"))
	l := mustCreate(t, d, "orders", 0, orders)
	mustWrite(t, l, "one")
	if err := d.Delete("orders", 0, orders); err != nil {
		t.Fatal(err)
	}
	if err := flush(d, l); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("%v", err)
	}
	if err := d.Writable(); err != nil {
		t.Errorf("a deleted log takes the directory with it: %v", err)
	}
	mustClose(t, d)
	if err := flush(d, l); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := d.Get("orders", 0); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestDiskCallsAreBoundedWhenTheDiskHangs(t *testing.T) {
	disk := vfs.NewMem()
	o := options(disk, "/data")
	o.DiskCalls = 3
	d := mustOpen(t, o)
	logs := make([]*storage.Log, 20)
	for i := range logs {
		logs[i] = mustCreate(t, d, "orders", int32(i), orders)
	}
	var inside, most atomic.Int64
	hang := make(chan struct{})
	disk.SetHook(func(op vfs.Op) error {
		n := inside.Add(1)
		defer inside.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-hang
		return nil
	})
	var done sync.WaitGroup
	for _, l := range logs {
		done.Go(func() { mustWrite(t, l, "x") })
	}
	for inside.Load() < 3 {
		runtime.Gosched()
	}
	close(hang)
	done.Wait()
	if most.Load() > 3 {
		t.Errorf("%d calls at a time", most.Load())
	}
	disk.SetHook(nil)
	mustClose(t, d)
}

func TestAFullDiskStopsAppendsUntilThereIsSpace(t *testing.T) {
	disk := &smallDisk{FS: vfs.NewMem()}
	disk.free.Store(100 << 20)
	now := atomic.Int64{}
	o := options(disk, "/data")
	o.Now = func() time.Time { return time.UnixMilli(now.Add(1000)) }
	o.ReserveBytes = 50 << 20
	d := mustOpen(t, o)
	if err := d.Writable(); err != nil {
		t.Fatal(err)
	}
	disk.free.Store(40 << 20)
	if err := d.Writable(); !errors.Is(err, ErrDiskFull) || !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("%v", err)
	}
	if _, err := d.Create("orders", 0, orders); !errors.Is(err, ErrDiskFull) {
		t.Errorf("create: %v", err)
	}
	disk.free.Store(60 << 20)
	if err := d.Writable(); err != nil {
		t.Errorf("with space again: %v", err)
	}
	mustClose(t, d)
}

type smallDisk struct {
	vfs.FS
	free atomic.Int64
}

func (s *smallDisk) Free(string) (free, total uint64, err error) {
	return uint64(s.free.Load()), 1 << 40, nil
}

func TestFreeSpaceIsLookedAtRarelyButOftenEnough(t *testing.T) {
	disk := &countingDisk{FS: vfs.NewMem()}
	o := options(disk, "/data")
	now := time.UnixMilli(1000)
	o.Now = func() time.Time { return now }
	o.ReserveBytes = 1
	d := mustOpen(t, o)
	opening := disk.looks.Load()
	for range 1000 {
		_ = d.Writable()
	}
	if n := disk.looks.Load() - opening; n != 1 {
		t.Errorf("%d looks at one moment", n)
	}
	d.reserve.appended.Add(reserveCheckBytes)
	_ = d.Writable()
	now = now.Add(reserveCheckEvery)
	_ = d.Writable()
	if n := disk.looks.Load() - opening; n != 3 {
		t.Errorf("%d looks after much was appended and time has passed", n)
	}
	mustClose(t, d)
}

type countingDisk struct {
	vfs.FS
	looks atomic.Int64
}

func (c *countingDisk) Free(name string) (free, total uint64, err error) {
	c.looks.Add(1)
	return c.FS.Free(name)
}

func TestManyLogsAreSyncedTogether(t *testing.T) {
	o := options(vfs.OS(), t.TempDir())
	o.syncAllAbove = 3
	d := mustOpen(t, o)
	var waiting sync.WaitGroup
	for i := range 50 {
		l := mustCreate(t, d, "orders", int32(i), orders)
		mustWrite(t, l, "x")
		waiting.Add(1)
		d.Flush(l, 1, func(err error) {
			if err != nil || l.FlushedOffset() != 1 {
				t.Errorf("%d: flushed to %d, %v", i, l.FlushedOffset(), err)
			}
			waiting.Done()
		})
	}
	waiting.Wait()
	mustClose(t, d)
}
