package replica

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func TestWithGroupCommitNothingIsCommittedBeforeItsNewFolderIsDurable(t *testing.T) {
	h := build(t, 1)
	h.apply(topicRecords("orders", 1)...)
	p := h.partition("orders")
	reached, release := make(chan struct{}), make(chan struct{})
	h.disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSyncDir && op.Name == "/data" {
			select {
			case reached <- struct{}{}:
			default:
			}
			<-release
		}
		return nil
	})
	h.post(p, "one")
	<-reached // The log's files are synced, the name of their folder is not.
	h.post(p, "two")
	if at := p.HighWatermark(); at != 0 {
		t.Errorf("high watermark %d in a folder that a power cut would take away", at)
	}
	done := make(chan error, 1)
	p.WhenCommitted(whatever, 2, func(err error) { done <- err })
	close(release)
	if err := <-done; err != nil || p.HighWatermark() != 2 {
		t.Errorf("high watermark %d, error %v", p.HighWatermark(), err)
	}
}

func TestALogReopenedWithGroupCommitIsReadableToItsDurableEnd(t *testing.T) {
	disk := vfs.NewMem()
	synctest.Test(t, func(t *testing.T) {
		h := buildOn(t, disk, 1)
		h.apply(topicRecords("orders", 1)...)
		h.post(h.partition("orders"), "one")
		synctest.Wait()
	})
	synctest.Test(t, func(t *testing.T) {
		h := buildOn(t, disk, 1)
		h.apply(topicRecords("orders", 1)...)
		synctest.Wait()
		if at := h.partition("orders").HighWatermark(); at != 1 {
			t.Errorf("high watermark %d", at)
		}
	})
}

func TestWhoeverAsksForDurabilityIsToldOfTheSyncAndNotBefore(t *testing.T) {
	for _, flushMessages := range []int64{1, 2} {
		h := build(t, flushMessages)
		h.apply(topicRecords("orders", 1)...)
		p := h.partition("orders")
		reached, release := make(chan struct{}, 10), make(chan struct{})
		h.disk.SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpSync && op.Name == "/data/orders-0/00000000000000000000.log" {
				reached <- struct{}{}
				<-release
			}
			return nil
		})
		for range flushMessages - 1 {
			if h.post(p, "first").Unflushed {
				t.Error("an append below flush.messages has to wait")
			}
		}
		appended := h.post(p, "last")
		if !appended.Unflushed {
			t.Errorf("flush.messages=%d: an append may be acknowledged before it is durable", flushMessages)
		}
		<-reached
		done := make(chan error, 1)
		p.WhenDurable(appended.LastOffset+1, func(err error) { done <- err })
		select {
		case <-done:
			t.Error("told before the sync")
		default:
		}
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
		p.WhenDurable(appended.LastOffset+1, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestWhoeverWaitsForAFailingSyncIsToldOfIt(t *testing.T) {
	h := build(t, 1)
	h.apply(topicRecords("orders", 1)...)
	p := h.partition("orders")
	h.disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync {
			return errors.New("the disk is broken")
		}
		return nil
	})
	durable, committed := make(chan error, 1), make(chan error, 1)
	end := h.post(p, "one").LastOffset + 1
	p.WhenDurable(end, func(err error) { durable <- err })
	p.WhenCommitted(whatever, end, func(err error) { committed <- err })
	h.manager.Close()
	for _, waiting := range []chan error{durable, committed} {
		if err := <-waiting; !errors.Is(err, kerr.KafkaStorageError) && !errors.Is(err, kerr.NotLeaderForPartition) {
			t.Errorf("told %v", err)
		}
	}
}
