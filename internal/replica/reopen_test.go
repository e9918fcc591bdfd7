package replica

import (
	"errors"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/storage"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestATopicMadeOnAFullDiskWorksOnceThereIsSpace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, 1<<40)
		var full atomic.Bool
		full.Store(true)
		h.disk.SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpMkdir && full.Load() {
				return syscall.ENOSPC
			}
			return nil
		})
		h.apply(topicRecords("orders", 1)...)
		p := h.partition("orders")
		led := false
		p.WhenLeading(func() { led = true })
		_, err := p.Append(letter("one"), AppendOptions{Origin: storage.Client, LeaderEpoch: -1, ProduceVersion: 9})
		if !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("an append to a log that is not there: %v", err)
		}
		time.Sleep(10 * retryEvery)
		synctest.Wait()
		full.Store(false)
		time.Sleep(2 * retryEvery)
		synctest.Wait()
		if at := h.post(p, "one").BaseOffset; at != 0 || p.HighWatermark() != 1 || !led {
			t.Errorf("offset %d, high watermark %d, leads %v", at, p.HighWatermark(), led)
		}
	})
}

func TestATopicDeletedBeforeItsLogWasThereLeavesNoneBehind(t *testing.T) {
	h := build(t, 1<<40)
	image := meta.Empty().Replay(topicRecords("orders", 1)...)
	topic, _ := image.Topic("orders")
	h.manager.image.Store(image)
	opening := h.manager.assign(topic, []int32{0}, h.manager.newPlacing(image, false))

	// The deletion comes while the folder is being made.
	p, stopped := opening[0], NewWatch(Committed, 1)
	p.watches.place(stopped)
	var deleting sync.WaitGroup
	var once sync.Once
	h.disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpMkdir && op.Name == "/data/orders-0" {
			once.Do(func() {
				deleting.Go(func() { h.manager.Apply(meta.Empty(), meta.Diff(image, meta.Empty())) })
				<-stopped.Done()
			})
		}
		return nil
	})
	h.manager.openOne(p)
	deleting.Wait()
	for ref := range h.dir.Partitions() {
		t.Errorf("%+v is left", ref)
	}
}

func TestAnOldStateOfAPartitionNeverReplacesANewerOne(t *testing.T) {
	h := build(t, 1<<40)
	h.apply(topicRecords("orders", 1)...)
	p := h.partition("orders")
	old := p.assigned
	change := meta.NewPartitionChange(idOf(1), 0)
	change.Leader = 1
	h.apply(change)
	if epoch, err := p.LeaderEpoch(-1); epoch != 1 || err != nil {
		t.Fatalf("leads in epoch %d: %v", epoch, err)
	}
	p.lead(old) // Two goroutines act on what each last saw: opening the log, and applying an image.
	p.follow(old)
	if epoch, err := p.LeaderEpoch(-1); epoch != 1 || err != nil {
		t.Errorf("leads in epoch %d: %v", epoch, err)
	}
}

func TestAReplicaIsSeenWholeOrNotAtAll(t *testing.T) {
	h := build(t, 1<<40)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if p, err := h.manager.Get("orders", 0); err == nil && (p.Dir() == nil || p.Topic() == nil) {
				t.Error("a replica without its directory or topic")
				return
			}
		}
	}()
	for i := range byte(20) {
		h.apply(topicRecords("orders", 2*i+1)...)
		h.apply(&meta.RemoveTopicRecord{TopicID: idOf(2*i + 1)})
	}
	close(stop)
	<-stopped
}
