package replica

import (
	"context"
	"errors"
	"testing"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

func TestAnIdlePartitionKeepsItsLogClosed(t *testing.T) {
	h := build(t, 1<<40)
	h.apply(topicRecords("orders", 1)...)
	p := h.partition("orders")
	if !p.resting || p.log != nil || p.leader != nil {
		t.Error("a new partition that nobody uses has its log open")
	}
	if extent, err := p.Extent(); extent != (Extent{}) || err != nil || !p.resting {
		t.Errorf("%+v, %v, resting %v", extent, err, p.resting)
	}
	change := meta.NewPartitionChange(idOf(1), 0)
	change.Leader = 1
	h.apply(change)
	if !p.resting {
		t.Error("a new leader epoch has opened the log")
	}
	h.post(p, "one")
	if epoch := p.log.LatestEpoch(); epoch != 1 || p.HighWatermark() != 1 {
		t.Errorf("written in epoch %d, high watermark %d", epoch, p.HighWatermark())
	}
	extent, err := p.Extent()
	if err != nil || extent.End != 1 || extent.Size == 0 {
		t.Errorf("%+v, %v", extent, err)
	}
	h.manager.Close()
	if err := h.dir.Close(context.Background()); err != nil {
		t.Fatal(err)
	}

	h = buildOn(t, h.disk, 1<<40)
	h.apply(append(topicRecords("orders", 1), change)...)
	p = h.partition("orders")
	if again, err := p.Extent(); again != extent || err != nil || !p.resting || p.HighWatermark() != 1 {
		t.Errorf("after a clean restart %+v, %v, resting %v, high watermark %d", again, err, p.resting, p.HighWatermark())
	}
	if at, err := p.OffsetFor(LatestTimestamp, Committed, -1); at.Offset != 1 || err != nil {
		t.Errorf("the end is %+v, %v", at, err)
	}
	if at := h.post(p, "two").BaseOffset; at != 1 {
		t.Errorf("written at %d", at)
	}
}

func TestOffsetsOfARestingPartitionAreToldWithoutOpeningIt(t *testing.T) {
	h := build(t, 1<<40)
	h.apply(append(topicRecords("empty", 1), topicRecords("full", 2)...)...)
	empty, full := h.partition("empty"), h.partition("full")
	h.post(full, "one")
	h.post(full, "two")
	ask := []int64{LatestTimestamp, EarliestTimestamp, EarliestLocalTimestamp, LatestTieredTimestamp, EarliestPendingUpload}
	change := meta.NewPartitionChange(idOf(2), 0)
	change.Leader = 1
	h.apply(change)
	open := map[int64]Position{}
	for _, timestamp := range ask {
		open[timestamp], _ = full.OffsetFor(timestamp, Stable, 1)
	}
	h.manager.Close()
	if err := h.dir.Close(context.Background()); err != nil {
		t.Fatal(err)
	}

	h = buildOn(t, h.disk, 1<<40)
	h.apply(append(append(topicRecords("empty", 1), topicRecords("full", 2)...), change)...)
	empty, full = h.partition("empty"), h.partition("full")
	for _, timestamp := range ask {
		if at, err := full.OffsetFor(timestamp, Stable, 1); at != open[timestamp] || err != nil {
			t.Errorf("timestamp %d: at rest %+v, %v, open %+v", timestamp, at, err, open[timestamp])
		}
	}
	if !full.resting {
		t.Error("its log was opened")
	}
	if _, err := full.OffsetFor(LatestTimestamp, Committed, 0); !errors.Is(err, kerr.FencedLeaderEpoch) {
		t.Errorf("in an old epoch: %v", err)
	}
	for _, timestamp := range append(ask, MaxTimestamp, 1_700_000_000_000) {
		if _, err := empty.OffsetFor(timestamp, Committed, -1); err != nil || !empty.resting {
			t.Errorf("timestamp %d of an empty log: %v, resting %v", timestamp, err, empty.resting)
		}
	}
}

func TestARestingPartitionThatIsDeletedIsGone(t *testing.T) {
	h := build(t, 1<<40)
	h.apply(topicRecords("orders", 1)...)
	p := h.partition("orders")
	h.apply(&meta.RemoveTopicRecord{TopicID: idOf(1)})
	if _, err := p.LeaderEpoch(-1); !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("%v", err)
	}
	for ref := range h.dir.Partitions() {
		t.Errorf("%+v is left", ref)
	}
}

func TestARestingPartitionLeadsForWhoeverWaitsForThat(t *testing.T) {
	h := build(t, 1<<40)
	h.apply(topicRecords("orders", 1)...)
	p, led := h.partition("orders"), false
	p.WhenLeading(func() { led = true })
	if !led {
		t.Error("it does not lead")
	}
	log, err := p.Coordinated()
	if err != nil || log.Epoch() != 0 {
		t.Errorf("%v", err)
	}
}

func TestAnIdlePartitionIsSmall(t *testing.T) {
	const bound = 144 // a size class of the allocator; thousands of partitions are mostly idle
	if size := unsafe.Sizeof(Partition{}); size > bound {
		t.Errorf("a partition takes %d bytes", size)
	}
}
