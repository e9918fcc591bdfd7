package logdir

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func (d *Dir) cleaning() (crew, running int) {
	d.cleaner.mu.Lock()
	defer d.cleaner.mu.Unlock()
	return len(d.cleaner.crew), len(d.cleaner.running)
}

// fillTables makes compacted logs with something to clean.
func fillTables(t *testing.T, d *Dir, partitions int32) {
	t.Helper()
	for p := range partitions {
		l := mustCreate(t, d, "table", p, orders)
		for i := range 200 {
			put(t, l, fmt.Sprintf("key-%d", i%5), fmt.Sprint(i))
		}
	}
}

func compacted(o *Options, s *storage.Settings) {
	s.Compact, s.Delete, s.SegmentBytes = true, false, 2000
}

// A log that rolled after the cleaner had looked at its first append, and then rested, was never compacted.
func TestALogThatRollsAndRestsBetweenTwoLooksIsCompacted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := lively(t, vfs.NewMem(), compacted)
		l := mustCreate(t, d, "table", 0, orders)
		put(t, l, "key-0", "first")
		synctest.Wait()
		d.Reconfigure(CleanerOptions{}, 2)
		synctest.Wait() // the cleaner has looked
		for i := range 200 {
			put(t, l, fmt.Sprintf("key-%d", i%5), fmt.Sprint(i))
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if values, err := contents(l); err != nil || len(values) > 40 {
			t.Errorf("%d records two minutes later, %v", len(values), err)
		}
		mustClose(t, d)
	})
}

// The dynamic log.cleaner.threads changed nothing, neither at once nor after a restart.
func TestTheNumberOfCleanerThreadsChangesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := lively(t, vfs.NewMem(), func(o *Options, s *storage.Settings) {
			compacted(o, s)
			o.Cleaner.BytesPerSecond = 10 // hours
		})
		fillTables(t, d, 4)
		time.Sleep(time.Minute)
		slow := CleanerOptions{BytesPerSecond: 10}
		for _, threads := range []int{1, 2, 4, 3} {
			slow.Threads = threads
			d.Reconfigure(slow, 2)
			synctest.Wait()
			if _, running := d.cleaning(); running < threads {
				t.Errorf("%d threads clean %d logs", threads, running)
			}
		}
		slow.Threads, slow.BytesPerSecond = 1, 0
		d.Reconfigure(slow, 2)
		synctest.Wait()
		if crew, _ := d.cleaning(); crew != 1 {
			t.Errorf("%d threads are left of 4 that became 1", crew)
		}
		mustClose(t, d)
		d.Reconfigure(CleanerOptions{Threads: 8}, 2) // an image may come while the broker stops
	})
}

// The dynamic log.cleaner.io.max.bytes.per.second changed nothing.
func TestACleaningUnderWayFollowsAChangedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := lively(t, vfs.NewMem(), func(o *Options, s *storage.Settings) {
			compacted(o, s)
			o.Cleaner.BytesPerSecond = 10 // hours
		})
		fillTables(t, d, 1)
		time.Sleep(time.Minute)
		if _, running := d.cleaning(); running != 1 {
			t.Fatalf("%d cleanings", running)
		}
		d.Reconfigure(CleanerOptions{BytesPerSecond: 1 << 30}, 2)
		time.Sleep(time.Second)
		synctest.Wait()
		if _, running := d.cleaning(); running != 0 {
			t.Error("a cleaning goes on at the old rate")
		}
		mustClose(t, d)
	})
}

// The dynamic log.cleaner.backoff.ms changed nothing.
func TestASleepingCleanerFollowsAChangedBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := lively(t, vfs.NewMem(), func(o *Options, s *storage.Settings) {
			compacted(o, s)
			o.Cleaner.Backoff = 1000 * time.Hour
		})
		l := mustCreate(t, d, "table", 0, orders)
		synctest.Wait()
		d.Reconfigure(CleanerOptions{Backoff: time.Second}, 2)
		for i := range 200 {
			put(t, l, fmt.Sprintf("key-%d", i%5), fmt.Sprint(i))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if values, err := contents(l); err != nil || len(values) > 40 {
			t.Errorf("%d records after a minute, %v", len(values), err)
		}
		mustClose(t, d)
	})
}

// The dynamic sizes of the cleaner's buffers and its load factor changed nothing.
func TestTheCleanersMemoryIsSharedAnew(t *testing.T) {
	d := mustOpen(t, options(vfs.NewMem(), "/data"))
	d.Reconfigure(CleanerOptions{Threads: 2, DedupeBytes: 8 << 20, BufferBytes: 1000, LoadFactor: 0.5}, 2)
	got := d.cleaner.share()
	if got.DedupeBytes != 4<<20 || got.BufferBytes != 500 || got.LoadFactor != 0.5 {
		t.Errorf("each of two threads takes %+v", got)
	}
	mustClose(t, d)
}

// The dynamic num.recovery.threads.per.data.dir changed nothing: recovery waits for the first image, which has it.
func TestARecoveryTakesTheThreadsThatTheFirstImageTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		d := mustOpen(t, options(disk, "/data"))
		for p := range int32(8) {
			mustWrite(t, mustCreate(t, d, "orders", p, orders), "a")
		}
		d.abandon()

		known, goOn := make(chan struct{}), make(chan struct{})
		var recovering atomic.Int64
		o := options(vfs.NewFaulty(disk.Kill(), func(op vfs.Op) error {
			if op.Kind == vfs.OpOpen && strings.HasSuffix(op.Name, ".log") {
				recovering.Add(1)
				<-goOn
			}
			return nil
		}), "/data")
		o.SettingsKnown, o.RecoveryThreads = known, 2
		d, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		d.Reconfigure(CleanerOptions{}, 5)
		close(known)
		synctest.Wait()
		if n := recovering.Load(); n != 5 {
			t.Errorf("%d logs are recovered at a time", n)
		}
		close(goOn)
		<-d.Recovered()
		mustClose(t, d)
	})
}
