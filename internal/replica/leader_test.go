package replica

import (
	"errors"
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/storage"
)

// pair makes a topic that this broker leads, with broker 2 in sync, which never fetches.
func (h *house) pair(name string, id byte) *Partition {
	h.t.Helper()
	h.apply(&meta.TopicRecord{Name: name, TopicID: idOf(id)}, &meta.PartitionRecord{
		TopicID: idOf(id), Replicas: []int32{1, 2}, ISR: []int32{1, 2}, Leader: 1, Directories: []meta.ID{{}, {}},
	})
	return h.partition(name)
}

// elect makes a broker the leader of a topic's only partition, in the next epoch.
func (h *house) elect(id byte, leader int32) {
	change := meta.NewPartitionChange(idOf(id), 0)
	change.Leader = leader
	h.apply(change)
}

// inSync changes a partition's in-sync set within the epoch.
func (h *house) inSync(id byte, brokers ...int32) {
	change := meta.NewPartitionChange(idOf(id), 0)
	change.ISR = brokers
	h.apply(change)
}

func appendAll(p *Partition, value string) (Appended, error) {
	return p.Append(letter(value), AppendOptions{Origin: storage.Client, AcksAll: true, LeaderEpoch: -1, ProduceVersion: 9})
}

// whatever is no older than any epoch: what was appended has been led without a break since.
const whatever = math.MaxInt32

// verdict is what WhenCommitted told: nothing yet, nil, or the error.
type verdict struct {
	told bool
	err  error
}

func (v *verdict) done(err error) { v.told, v.err = true, err }

// inEpoch asks everything that checks a leader epoch.
func inEpoch(p *Partition, epoch int32) map[string]error {
	_, read := p.Read(0, ReadOptions{LeaderEpoch: epoch, LastEpoch: -1, MaxBytes: 1000})
	_, list := p.OffsetFor(LatestTimestamp, Committed, epoch)
	_, end := p.EpochEnd(0, epoch)
	_, write := p.Append(letter("x"), AppendOptions{Origin: storage.Coordinator, LeaderEpoch: epoch, ProduceVersion: 9})
	return map[string]error{"read": read, "list offsets": list, "offset for leader epoch": end, "append": write}
}

func TestWhoeverKnowsAnotherLeaderEpochIsRefused(t *testing.T) {
	h := build(t, 1<<40)
	h.apply(topicRecords("orders", 1)...)
	p := h.partition("orders")
	h.elect(1, 1)
	for epoch, want := range map[int32]error{-1: nil, 0: kerr.FencedLeaderEpoch, 1: nil, 2: kerr.UnknownLeaderEpoch} {
		for what, err := range inEpoch(p, epoch) {
			if !errors.Is(err, want) {
				t.Errorf("%s in epoch %d: %v", what, epoch, err)
			}
		}
	}
}

func TestAFollowerComparesEpochsBeforeItSendsToTheLeader(t *testing.T) {
	h := build(t, 1<<40)
	p := h.pair("orders", 1)
	h.elect(1, 2)
	for epoch, want := range map[int32]error{
		-1: kerr.NotLeaderForPartition, 0: kerr.FencedLeaderEpoch, 1: kerr.NotLeaderForPartition, 2: kerr.UnknownLeaderEpoch,
	} {
		for what, err := range inEpoch(p, epoch) {
			if !errors.Is(err, want) {
				t.Errorf("%s in epoch %d: %v", what, epoch, err)
			}
		}
	}
}

func TestAnEpochEndsWhereTheNextOneBegins(t *testing.T) {
	h := build(t, 1<<40)
	h.apply(topicRecords("orders", 1)...)
	p := h.partition("orders")
	h.post(p, "one")
	h.elect(1, 1)
	h.elect(1, 1)
	h.post(p, "two")
	for asked, want := range map[int32]EpochEnd{-2: {-2, 0}, 0: {0, 1}, 1: {0, 1}, 2: {2, 2}, 3: {-1, -1}} {
		if end, err := p.EpochEnd(asked, -1); end != want || err != nil {
			t.Errorf("epoch %d ends at %+v: %v", asked, end, err)
		}
	}
}

func TestAReaderWhoseLogHasBranchedOffIsToldWhereAndGivenNoRecords(t *testing.T) {
	h := build(t, 1<<40)
	h.apply(topicRecords("orders", 1)...)
	p := h.partition("orders")
	h.post(p, "one")
	h.elect(1, 1)
	h.post(p, "two")
	read := func(offset int64, lastEpoch int32) (Read, error) {
		return p.Read(offset, ReadOptions{Level: Committed, LeaderEpoch: -1, LastEpoch: lastEpoch, MaxBytes: 1000, AtLeastOne: true})
	}
	r, err := read(2, 0) // It has a second record of epoch 0, which has only one here.
	if err != nil || r.Diverging == nil || *r.Diverging != (EpochEnd{0, 1}) || r.Records.Len() != 0 {
		t.Errorf("%+v: %v", r, err)
	}
	r, err = read(1, 0)
	if err != nil || r.Diverging != nil || r.Records.Len() == 0 {
		t.Errorf("the same log: %+v: %v", r, err)
	}
	r.Records.Close()
	if _, err = read(2, 7); !errors.Is(err, kerr.OffsetOutOfRange) {
		t.Errorf("an epoch that is not known: %v", err)
	}
}

func TestAProduceWithAcksAllWaitsForTheHighWatermark(t *testing.T) {
	h := build(t, 1<<40)
	p := h.pair("orders", 1)
	var first, second, other verdict
	for i, v := range []*verdict{&first, &second} {
		if _, err := appendAll(p, "x"); err != nil {
			t.Fatal(err)
		}
		p.WhenCommitted(whatever, int64(i+1), v.done)
	}
	p.WhenCommitted(whatever, 1, other.done) // A duplicate of the first comes later and is freed with it.
	if first.told || second.told || other.told || p.HighWatermark() != 0 {
		t.Fatalf("told %v %v %v before broker 2 has it, high watermark %d", first, second, other, p.HighWatermark())
	}
	p.mu.Lock()
	p.leader.remotes = map[int32]*remote{2: {end: 1}}
	free := p.advance()
	p.mu.Unlock()
	settle(free, nil)
	if !first.told || !other.told || second.told || p.HighWatermark() != 1 {
		t.Errorf("with one record there: %v %v %v, high watermark %d", first, other, second, p.HighWatermark())
	}
	h.inSync(1, 1)
	if !second.told || second.err != nil || p.HighWatermark() != 2 {
		t.Errorf("without broker 2: %v, high watermark %d", second, p.HighWatermark())
	}
	var late verdict
	p.WhenCommitted(whatever, 2, late.done)
	if !late.told || late.err != nil {
		t.Errorf("what is committed is waited for: %v", late)
	}
}

func TestAWaitSurvivesANewEpochOfTheSameLeader(t *testing.T) {
	h := build(t, 1<<40)
	p := h.pair("orders", 1)
	h.post(p, "x")
	var v verdict
	p.WhenCommitted(whatever, 1, v.done)
	h.elect(1, 1)
	if v.told {
		t.Fatalf("%v", v)
	}
	h.inSync(1, 1)
	if !v.told || v.err != nil {
		t.Errorf("%v", v)
	}
}

func TestAProduceThatWaitsIsToldAtOnceThatItsBrokerLeadsNoMore(t *testing.T) {
	for _, end := range []struct {
		how  string
		do   func(*house)
		want error
	}{
		{"another leader", func(h *house) { h.elect(1, 2) }, kerr.NotLeaderForPartition},
		{"deleted", func(h *house) { h.apply(&meta.RemoveTopicRecord{TopicID: idOf(1)}) }, kerr.UnknownTopicOrPartition},
		{"stopping", func(h *house) { h.manager.Close() }, kerr.NotLeaderForPartition},
	} {
		h := build(t, 1<<40)
		p := h.pair("orders", 1)
		h.post(p, "x")
		var waiting, later verdict
		p.WhenCommitted(whatever, 1, waiting.done)
		end.do(h)
		p.WhenCommitted(whatever, 1, later.done)
		for _, v := range []verdict{waiting, later} {
			if !v.told || !errors.Is(v.err, end.want) {
				t.Errorf("%s: %+v", end.how, v)
			}
		}
		if _, err := appendAll(p, "y"); !errors.Is(err, end.want) {
			t.Errorf("%s, appended: %v", end.how, err)
		}
	}
}

func TestWithTooFewInSyncAcksAllIsRefusedAndNothingIsCommitted(t *testing.T) {
	h := build(t, 1<<40)
	h.settings.MinInSync = 2
	p := h.pair("orders", 1)
	if _, err := appendAll(p, "one"); err != nil {
		t.Fatal(err)
	}
	var v verdict
	p.WhenCommitted(whatever, 1, v.done)
	h.inSync(1, 1)
	if v.told || p.HighWatermark() != 0 {
		t.Errorf("acknowledged with one replica: %v, high watermark %d", v, p.HighWatermark())
	}
	if _, err := appendAll(p, "two"); !errors.Is(err, kerr.NotEnoughReplicas) {
		t.Errorf("%v", err)
	}
	if at := h.post(p, "acks=1").BaseOffset; at != 1 || p.HighWatermark() != 0 {
		t.Errorf("acks=1 written at %d, high watermark %d", at, p.HighWatermark())
	}
}

// As Kafka does: a topic with one replica would else take nothing on a cluster whose default is 2.
func TestMinInsyncReplicasAsksForNoMoreThanThereAre(t *testing.T) {
	h := build(t, 1<<40)
	h.settings.MinInSync = 2
	h.apply(topicRecords("orders", 1)...)
	p := h.partition("orders")
	if _, err := appendAll(p, "one"); err != nil || p.HighWatermark() != 1 {
		t.Errorf("%v, high watermark %d", err, p.HighWatermark())
	}
}
