package logdir

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// idleOptions are those of a directory whose owner uses no log unless busy says so.
func idleOptions(disk vfs.FS, busy func(partition int32) bool) (o Options, owned func(*Dir)) {
	var d *Dir
	o = options(disk, "/data")
	o.withoutHousekeeping = false
	o.Idle = func(_ string, partition int32) bool { return d != nil && !busy(partition) }
	o.Rest = func(topic string, partition int32) { d.Rest(topic, partition) }
	return o, func(opened *Dir) { d = opened }
}

func nobody(int32) bool { return false }

// pass lets so much time go by, and everybody finish what they do then.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestLogsThatNobodyUsesRestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 3*restsAtOnce + 1
		disk := vfs.NewMem()
		o, owned := idleOptions(disk, func(partition int32) bool { return partition == 0 })
		d := mustOpen(t, o)
		owned(d)
		for i := range int32(many) {
			l := mustCreate(t, d, "orders", i, orders)
			if i%2 == 0 {
				mustWrite(t, l, "a")
				l.SetHighWatermark(1)
			}
		}
		pass(d.o.RestAfter / 2)
		if n := openLogs(d); n != many {
			t.Fatalf("%d logs are open", n)
		}
		pass(d.o.RestAfter / 2)
		if closed := many - openLogs(d); closed < 1 || closed > restsAtOnce {
			t.Errorf("%d logs rest after the first round, of at most %d", closed, restsAtOnce)
		}
		pass(3 * d.o.RestAfter)
		if n := openLogs(d); n != 1 {
			t.Errorf("%d logs are open, one is in use", n)
		}
		if held, ok := d.Look("orders", 2); !ok || held.Open || held.End != 1 {
			t.Errorf("%+v, %v", held, ok)
		}
		wantContents(t, d, "orders", 2, "a")
		pass(3 * d.o.RestAfter)
		if n := openLogs(d); n != 1 {
			t.Errorf("%d logs are open once one was used again", n)
		}
		mustClose(t, d)
	})
}

func TestWhatALogHeldBeforeItRestedSurvivesWhateverComesNext(t *testing.T) {
	for what, end := range map[string]func(t *testing.T, disk *vfs.Mem, d *Dir) *vfs.Mem{
		"a kill":      func(_ *testing.T, disk *vfs.Mem, d *Dir) *vfs.Mem { d.abandon(); return disk.Kill() },
		"a power cut": func(_ *testing.T, disk *vfs.Mem, d *Dir) *vfs.Mem { d.abandon(); return disk.Crash(nil) },
		"a stop and a power cut": func(t *testing.T, disk *vfs.Mem, d *Dir) *vfs.Mem {
			mustClose(t, d)
			return disk.Crash(nil)
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := vfs.NewMem()
				o, owned := idleOptions(disk, nobody)
				d := mustOpen(t, o)
				owned(d)
				for _, value := range []string{"a", "b"} {
					l := mustCreate(t, d, "orders", 0, orders)
					mustWrite(t, l, value)
					l.SetHighWatermark(l.EndOffset())
					pass(3 * d.o.RestAfter)
					if n := openLogs(d); n > 0 {
						t.Fatal("the log does not rest")
					}
				}
				o = options(end(t, disk, d), "/data")
				o.BootID = "boot-2"
				d = mustOpen(t, o)
				if held := mustHold(t, d, 0); held.End != 2 {
					t.Errorf("%+v", held)
				}
				wantContents(t, d, "orders", 0, "a", "b")
				mustClose(t, d)
			})
		})
	}
}

func TestAnIdleLogIsNotClosedUnderWhoeverWaitsForItsSync(t *testing.T) {
	o, owned := idleOptions(vfs.NewMem(), nobody)
	o.withoutHousekeeping = true
	d := mustOpen(t, o)
	owned(d)
	l := mustCreate(t, d, "orders", 0, orders)
	mustWrite(t, l, "a")
	if d.Rest("orders", 0) {
		t.Error("it rests, and what was written last is in memory alone")
	}
	if err := flush(d, l); err != nil {
		t.Fatal(err)
	}
	l.SetHighWatermark(1)
	if _, err := l.Settle(); err != nil {
		t.Fatal(err)
	}
	d.logs[key{"orders", 0}].dirty.Store(false)
	d.flusher.jobs[d.logs[key{"orders", 0}]] = &flushJob{}
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	if d.Rest("orders", 0) {
		t.Error("it rests while a sync of it is queued")
	}
	delete(d.flusher.jobs, d.logs[key{"orders", 0}])
	if !d.Rest("orders", 0) {
		t.Error("it does not rest though nothing is left to do")
	}
	mustClose(t, d)
}

func TestADeletedLogIsNoTroubleForTheRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, owned := idleOptions(vfs.NewMem(), nobody)
		d := mustOpen(t, o)
		owned(d)
		for i := range int32(restsAtOnce + 2) {
			l := mustCreate(t, d, "orders", i, orders)
			mustWrite(t, l, "a")
			l.SetHighWatermark(1)
		}
		pass(2*d.o.RestAfter + restPause/2) // amid a round
		for i := range int32(restsAtOnce + 2) {
			if err := d.Delete("orders", i, orders); err != nil {
				t.Fatal(err)
			}
		}
		pass(3 * d.o.RestAfter)
		if d.Len() != 0 || d.failed() != nil {
			t.Errorf("%d logs, %v", d.Len(), d.failed())
		}
		mustClose(t, d)
	})
}
