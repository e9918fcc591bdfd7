package logdir

import (
	"errors"
	"testing"
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func mustHold(t *testing.T, d *Dir, partition int32) Held {
	t.Helper()
	held, err := d.Hold("orders", partition, orders)
	if err != nil {
		t.Fatal(err)
	}
	return held
}

func openLogs(d *Dir) int {
	return len(d.entries(func(e *entry) bool { return e.opened.Load() != nil }))
}

func TestALogStaysClosedUntilItIsNeeded(t *testing.T) {
	disk := vfs.NewMem()
	d := mustOpen(t, options(disk, "/data"))
	for i := range int32(3) {
		if held := mustHold(t, d, i); held.Open || held.End != 0 {
			t.Errorf("a new log: %+v", held)
		}
	}
	if n := openLogs(d); n > 0 {
		t.Errorf("%d logs are open", n)
	}
	l, err := d.Get("orders", 1)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, l, "a")
	if err := flush(d, l); err != nil {
		t.Fatal(err)
	}
	l.SetHighWatermark(1)
	if held := mustHold(t, d, 1); !held.Open || held.End != 1 || held.HighWatermark != 1 {
		t.Errorf("a log in use: %+v", held)
	}
	mustClose(t, d)

	d = mustOpen(t, options(disk, "/data"))
	held := mustHold(t, d, 1)
	looked, ok := d.Look("orders", 1)
	if held.Open || held.End != 1 || held.Size == 0 || !ok || looked != held {
		t.Errorf("held %+v, seen %+v, %v", held, looked, ok)
	}
	if _, err := d.Hold("orders", 1, ordersToo); !errors.Is(err, kerr.InconsistentTopicID) {
		t.Errorf("held for another topic: %v", err)
	}
	if n := openLogs(d); n > 0 {
		t.Errorf("%d logs are open after a clean start", n)
	}
	wantContents(t, d, "orders", 1, "a")
	wantContents(t, d, "orders", 2)
	d.abandon()

	d = mustOpen(t, options(disk.Kill(), "/data"))
	if held := mustHold(t, d, 0); held.Open {
		t.Errorf("an empty log after a kill: %+v", held)
	}
	if held := mustHold(t, d, 1); !held.Open || held.End != 1 {
		t.Errorf("a log with records after a kill: %+v", held)
	}
	mustClose(t, d)
}

func TestRetentionLeavesRestingLogsAlone(t *testing.T) {
	o := options(vfs.NewMem(), "/data")
	now := time.Now()
	o.Now = func() time.Time { return now }
	d := mustOpen(t, o)
	for i := range int32(5) {
		mustHold(t, d, i)
	}
	for range 3 {
		now = now.Add(d.o.RetentionCheck + time.Second)
		d.keeper.round(now)
	}
	if n := openLogs(d); n > 0 {
		t.Errorf("retention has opened %d logs in which nothing can be due", n)
	}
	mustClose(t, d)
}

func TestALogThatWasOnlyHeldSurvivesAPowerCutOnceTheStopWasClean(t *testing.T) {
	disk := vfs.NewMem()
	d := mustOpen(t, options(disk, "/data"))
	mustHold(t, d, 0)
	mustClose(t, d)
	o := options(disk.Crash(nil), "/data")
	o.BootID = "boot-2"
	d = mustOpen(t, o)
	if refs := d.refs(); len(refs) != 1 || refs[0].TopicID != orders {
		t.Errorf("%v", refs)
	}
	wantContents(t, d, "orders", 0)
	mustClose(t, d)
}

func TestAClosedLogIsSmall(t *testing.T) {
	const bound = 192 // a size class of the allocator; beside it a log costs its description and a place in the table
	if size := unsafe.Sizeof(entry{}); size > bound {
		t.Errorf("an entry takes %d bytes", size)
	}
}
