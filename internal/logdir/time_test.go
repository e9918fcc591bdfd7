package logdir

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// lively opens a directory that keeps house, within a bubble. The high watermark is each log's end.
func lively(t *testing.T, disk vfs.FS, change func(*Options, *storage.Settings)) *Dir {
	t.Helper()
	o := options(disk, "/data")
	settings := *o.Settings("")
	o.withoutHousekeeping = false
	var d *Dir
	o.HighWatermark = func(topic string, partition int32) int64 {
		l, err := d.Get(topic, partition)
		if err != nil {
			return -1
		}
		l.SetHighWatermark(l.EndOffset())
		return l.EndOffset()
	}
	change(&o, &settings)
	o.Settings = func(string) *storage.Settings { return &settings }
	d = mustOpen(t, o)
	return d
}

func put(t *testing.T, l *storage.Log, key, value string) {
	t.Helper()
	b := batch.NewBuilder(batch.BuilderOptions{})
	b.Append(batch.Record{Timestamp: time.Now().UnixMilli(), Key: []byte(key), Value: []byte(value)})
	if _, err := l.Append(b.Build(), storage.AppendOptions{}); err != nil {
		t.Fatal(err)
	}
	l.SetHighWatermark(l.EndOffset())
}

func checkpointed(t *testing.T, disk vfs.FS, name string) string {
	t.Helper()
	b, err := vfs.ReadFile(disk, "/data/"+name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

func TestCheckpointsAreWrittenInTheirTimeAndOnlyWhenTheyChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		d := lively(t, disk, func(*Options, *storage.Settings) {})
		l := mustCreate(t, d, "orders", 3, orders)
		put(t, l, "k", "1")
		if err := flush(d, l); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := checkpointed(t, disk, highWatermarksName); got != "0\n1\norders 3 1\n" {
			t.Errorf("high watermarks: %q", got)
		}
		if got := checkpointed(t, disk, recoveryPointsName); got != "" {
			t.Errorf("recovery points before their time: %q", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := checkpointed(t, disk, recoveryPointsName); got != "0\n1\norders 3 1\n" {
			t.Errorf("recovery points: %q", got)
		}
		time.Sleep(10 * time.Minute) // retention has looked at it
		synctest.Wait()
		var operations atomic.Int64
		disk.SetHook(func(vfs.Op) error { operations.Add(1); return nil })
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if n := operations.Load(); n != 0 {
			t.Errorf("%d operations on the disk in an idle day", n)
		}
		if err := l.DeleteRecordsBefore(1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := checkpointed(t, disk, logStartOffsetsName); got != "0\n1\norders 3 1\n" {
			t.Errorf("log start offsets: %q", got)
		}
		mustClose(t, d)
	})
}

func TestOldRecordsGoThoughNobodyAppendsAndTheStartKnowsWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		change := func(_ *Options, s *storage.Settings) { s.RetentionMs = time.Hour.Milliseconds() }
		d := lively(t, disk, change)
		l := mustCreate(t, d, "orders", 0, orders)
		put(t, l, "k", "1")
		time.Sleep(30 * time.Minute)
		mustClose(t, d)

		d = lively(t, disk, change)
		time.Sleep(29 * time.Minute)
		synctest.Wait()
		if l, err := d.Get("orders", 0); err != nil || l.StartOffset() != 0 {
			t.Errorf("before an hour has passed: starts at %d, %v", l.StartOffset(), err)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if l, err := d.Get("orders", 0); err != nil || l.StartOffset() != 1 {
			t.Errorf("after an hour: starts at %d, %v", l.StartOffset(), err)
		}
		mustClose(t, d)
	})
}

func TestNothingIsDeletedOfALogBeforeItsOwnerHasAskedForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		hour := func(_ *Options, s *storage.Settings) { s.RetentionMs = time.Hour.Milliseconds() }
		d := lively(t, disk, hour)
		put(t, mustCreate(t, d, "orders", 0, orders), "k", "kept for ever")
		d.abandon()
		disk = disk.Kill()

		var settings *storage.Settings // those of the configuration: the metadata is not known yet
		d = lively(t, disk, func(o *Options, s *storage.Settings) { hour(o, s); settings = s })
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		settings.RetentionMs = -1 // now it is
		l, err := d.Get("orders", 0)
		if err != nil {
			t.Fatal(err)
		}
		l.SetHighWatermark(l.EndOffset())
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		if l.StartOffset() != 0 {
			t.Errorf("starts at %d", l.StartOffset())
		}
		mustClose(t, d)
	})
}

func TestAShorterRetentionActsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		var settings *storage.Settings
		d := lively(t, disk, func(_ *Options, s *storage.Settings) { settings = s })
		l := mustCreate(t, d, "orders", 0, orders)
		put(t, l, "k", "1")
		time.Sleep(time.Hour)
		synctest.Wait()
		settings.RetentionMs = 1000
		d.SettingsChanged("orders")
		time.Sleep(time.Second)
		synctest.Wait()
		if l.StartOffset() != 1 {
			t.Errorf("starts at %d", l.StartOffset())
		}
		mustClose(t, d)
	})
}

func TestFlushMsMakesAppendsDurableInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		d := lively(t, disk, func(_ *Options, s *storage.Settings) { s.FlushMs = 2000 })
		l := mustCreate(t, d, "orders", 0, orders)
		for i := range 20 { // each with another distance to the rounds of the keeper
			put(t, l, "k", "v")
			time.Sleep(time.Duration(i)*300*time.Millisecond + 2500*time.Millisecond)
			synctest.Wait()
			if l.FlushedOffset() != l.EndOffset() {
				t.Errorf("append %d is not flushed", i)
			}
		}
		mustClose(t, d)
	})
}

func TestALogThatHasGrownIsSyncedInTheBackgroundAWhileLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := lively(t, vfs.NewMem(), func(o *Options, _ *storage.Settings) { o.SyncEveryBytes = 1000 })
		l := mustCreate(t, d, "orders", 0, orders)
		for round := range 3 { // of which the second and third show that a sync begins the count anew
			put(t, l, "k", "small")
			time.Sleep(2 * DefaultSyncDelay)
			synctest.Wait()
			if l.FlushedOffset() == l.EndOffset() {
				t.Errorf("round %d: a small append was synced", round)
			}
			put(t, l, "k", strings.Repeat("large", 200))
			time.Sleep(DefaultSyncDelay - time.Second)
			put(t, l, "k", "late")
			synctest.Wait()
			if l.FlushedOffset() == l.EndOffset() {
				t.Errorf("round %d: synced too soon", round)
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if l.FlushedOffset() != l.EndOffset() {
				t.Errorf("round %d: flushed up to %d of %d", round, l.FlushedOffset(), l.EndOffset())
			}
		}
		mustClose(t, d)
	})
}

func TestADeletedFolderGoesWhenItsDelayHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		d := lively(t, disk, func(*Options, *storage.Settings) {})
		mustCreate(t, d, "orders", 0, orders)
		if err := d.Delete("orders", 0, orders); err != nil {
			t.Fatal(err)
		}
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if len(folders(t, disk)) != 1 {
			t.Errorf("after 59 s: %v", folders(t, disk))
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(folders(t, disk)) != 0 {
			t.Errorf("after 61 s: %v", folders(t, disk))
		}
		mustClose(t, d)
	})
}

func TestACompactedTopicIsCleanedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		change := func(_ *Options, s *storage.Settings) { s.Compact, s.Delete, s.SegmentBytes = true, false, 2000 }
		d := lively(t, disk, change)
		l := mustCreate(t, d, "table", 0, orders)
		for i := range 200 {
			put(t, l, fmt.Sprintf("key-%d", i%5), fmt.Sprint(i))
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		values, err := contents(l)
		if err != nil || len(values) > 40 || values[len(values)-1] != "199" {
			t.Errorf("%d records: %q, %v", len(values), values, err)
		}
		first := checkpointed(t, disk, cleanerOffsetsName)
		if !strings.HasPrefix(first, "0\n1\ntable 0 1") {
			t.Errorf("checkpoint: %q", first)
		}
		for i := range 200 {
			put(t, l, fmt.Sprintf("key-%d", i%5), fmt.Sprint(1000+i))
		}
		mustClose(t, d)

		d = lively(t, disk, change)
		if l, err = d.Get("table", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if values, err = contents(l); err != nil || len(values) > 40 {
			t.Errorf("after a restart %d records, %v", len(values), err)
		}
		if again := checkpointed(t, disk, cleanerOffsetsName); again == first {
			t.Errorf("checkpoint: %q", again)
		}
		if err := d.Delete("table", 0, orders); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		mustClose(t, d)
		if got := checkpointed(t, disk, cleanerOffsetsName); got != "0\n0\n" {
			t.Errorf("checkpoint of a topic that is gone: %q", got)
		}
	})
}

func TestDeletingATopicEndsItsCleaning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := vfs.NewMem()
		d := lively(t, disk, func(o *Options, s *storage.Settings) {
			s.Compact, s.Delete, s.SegmentBytes = true, false, 2000
			o.Cleaner.BytesPerSecond = 10 // hours
		})
		l := mustCreate(t, d, "table", 0, orders)
		for i := range 200 {
			put(t, l, fmt.Sprintf("key-%d", i%5), fmt.Sprint(i))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		d.cleaner.mu.Lock()
		running := len(d.cleaner.running)
		d.cleaner.mu.Unlock()
		if running != 1 {
			t.Errorf("%d cleanings", running)
		}
		begun := time.Now()
		if err := d.Delete("table", 0, orders); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("the delete took %v", took)
		}
		mustClose(t, d)
	})
}

func TestARateIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRate(1000)
		begun := time.Now()
		for range 11 {
			if err := r.wait(t.Context(), 500); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begun); took != 5*time.Second {
			t.Errorf("5,000 bytes before the last wait took %v", took)
		}
	})
}
