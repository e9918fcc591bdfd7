package replica

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/barnabas-mq/barnabas/internal/logdir"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// readOne reads the batch at an offset as a consumer does.
func (h *house) readOne(p *Partition, offset int64) {
	h.t.Helper()
	r, err := p.Read(offset, ReadOptions{Level: Committed, LeaderEpoch: -1, LastEpoch: -1, MaxBytes: 1 << 20, AtLeastOne: true})
	if err != nil {
		h.t.Error(err)
		return
	}
	defer r.Records.Close()
	if n, err := r.Records.ReadInto(make([]byte, r.Records.Len())); err != nil || n == 0 {
		h.t.Errorf("%d bytes at %d, %v", n, offset, err)
	}
}

func (p *Partition) isResting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resting
}

func TestAPartitionThatIsIdleAgainCostsWhatANewOneDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many = 400
		h := buildWith(t, 1<<40, logdir.Options{FS: vfs.OS(), Path: t.TempDir() + "/data", ReserveBytes: -1})
		heap := func() int64 {
			synctest.Wait()
			var m runtime.MemStats
			for range 2 {
				runtime.GC()
			}
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		before := heap()
		each := func(what string) int64 {
			bytes := (heap() - before) / many
			t.Logf("%-20s %5d bytes a partition", what, bytes)
			return bytes
		}
		records := []meta.Record{&meta.TopicRecord{Name: "orders", TopicID: idOf(1)}}
		for i := range int32(many) {
			records = append(records, &meta.PartitionRecord{
				TopicID: idOf(1), PartitionID: i, Replicas: []int32{1}, ISR: []int32{1}, Leader: 1, Directories: []meta.ID{{}},
			})
		}
		h.apply(records...)
		fresh := each("never used")
		all := func(use func(p *Partition)) {
			for i := range int32(many) {
				p, err := h.manager.Get("orders", i)
				if err != nil {
					t.Fatal(err)
				}
				use(p)
			}
		}
		all(func(p *Partition) {
			for _, timestamp := range []int64{EarliestTimestamp, LatestTimestamp} {
				if _, err := p.OffsetFor(timestamp, Committed, -1); err != nil {
					t.Error(err)
				}
			}
		})
		const slack = 256 // what is known of records, and when they are too old
		if listed := each("offsets listed"); listed > fresh+slack {
			t.Errorf("%d bytes a partition once offsets were listed, %d before", listed, fresh)
		}
		all(func(p *Partition) {
			h.post(p, "one")
			h.readOne(p, 0)
		})
		used := each("in use")
		time.Sleep(4 * logdir.DefaultRestAfter)
		idle := each("idle again")
		if idle > fresh+slack || idle >= used {
			t.Errorf("%d bytes a partition that is idle again, %d in use, %d before", idle, used, fresh)
		}
		all(func(p *Partition) {
			if !p.isResting() {
				t.Fatalf("%s does not rest", p)
			}
			h.readOne(p, 0)
			if at := h.post(p, "two").BaseOffset; at != 1 {
				t.Errorf("written at %d", at)
			}
		})
	})
}

func TestALogRestsUnderNobodysHands(t *testing.T) {
	h := buildWith(t, 1<<40, logdir.Options{FS: vfs.NewMem(), Path: "/data", HighWatermarkEvery: time.Millisecond, RetentionCheck: time.Millisecond})
	h.apply(topicRecords("orders", 1)...)
	p := h.partition("orders")
	h.post(p, "zero")
	const enough = 30
	rests, stop := 0, make(chan struct{})
	var users sync.WaitGroup
	users.Go(func() { // whoever lets it rest, as soon as it can
		defer close(stop)
		for rests < enough && !t.Failed() {
			log, err := p.borrow()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = log.Settle()
			_ = log.Sync()
			p.giveBack()
			h.manager.Idle("orders", 0)
			h.manager.Rest("orders", 0)
			if p.isResting() {
				rests++
			}
			runtime.Gosched()
		}
	})
	appended := int64(1)
	for ended := false; !ended && !t.Failed(); {
		select {
		case <-stop:
			ended = true
		default:
		}
		if at := h.post(p, "more").BaseOffset; at != appended {
			t.Errorf("written at %d, not %d", at, appended)
		}
		appended++
		if at, err := p.OffsetFor(LatestTimestamp, Committed, -1); at.Offset != appended || err != nil {
			t.Errorf("the end is %+v, not %d: %v", at, appended, err)
		}
		done := make(chan error, 1)
		if p.WhenDurable(appended, func(err error) { done <- err }); appended%7 == 0 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		h.readOne(p, appended-1)
		if extent, err := p.Extent(); extent.End != appended || err != nil {
			t.Errorf("%+v, %v", extent, err)
		}
		for range 100 {
			runtime.Gosched()
		}
	}
	users.Wait()
}

func TestALongPollOrAWaitForTheCommitKeepsALogOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, 1<<40)
		h.apply(append(topicRecords("polled", 1), topicRecords("led", 2)...)...)
		polled, led := h.partition("polled"), h.partition("led")
		h.post(polled, "one")
		w := NewWatch(Committed, 1)
		polled.Watch(w, 1, 0)
		if _, err := led.Coordinated(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * logdir.DefaultRestAfter)
		if polled.isResting() || led.isResting() {
			t.Errorf("resting: polled %v, a coordinator's %v", polled.isResting(), led.isResting())
		}
		h.post(polled, "two")
		<-w.Done()
		polled.Unwatch(w)
		for range 40 { // What only looks on does not count as use.
			time.Sleep(logdir.DefaultRestAfter / 10)
			if _, err := polled.Extent(); err != nil {
				t.Error(err)
			}
		}
		if !polled.isResting() {
			t.Error("it is open though nobody uses it")
		}
		change := meta.NewPartitionChange(idOf(1), 0)
		change.Leader = 1
		h.apply(change)
		if at := h.post(polled, "three").BaseOffset; at != 2 || polled.HighWatermark() != 3 || polled.log.LatestEpoch() != 1 {
			t.Errorf("written at %d in epoch %d, high watermark %d", at, polled.log.LatestEpoch(), polled.HighWatermark())
		}
	})
}
