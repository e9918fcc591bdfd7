package replica

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/storage"
)

func fired(w *Watch) bool {
	select {
	case <-w.Done():
		return true
	default:
		return false
	}
}

// watch places a long poll that has seen the log up to seen.
func watch(p *Partition, level Level, minBytes int, seen int64) *Watch {
	w := NewWatch(level, minBytes)
	p.Watch(w, seen, 0)
	return w
}

func TestALongPollFiresOnceItsBytesAreThere(t *testing.T) {
	h := build(t, 1<<40)
	h.apply(topicRecords("orders", 1)...)
	p := h.partition("orders")
	size := len(letter("x"))
	w := watch(p, Committed, 2*size, 0)
	h.post(p, "x")
	if fired(w) {
		t.Error("with half of its bytes")
	}
	h.post(p, "x")
	if !fired(w) {
		t.Error("its bytes are there")
	}
	if !fired(watch(p, Committed, 1<<20, 0)) {
		t.Error("a poll that saw less than there is waits for more")
	}
	gone := watch(p, Committed, 1, 2)
	p.Unwatch(gone)
	h.post(p, "x")
	if fired(gone) {
		t.Error("a poll taken away is woken")
	}
}

func TestALongPollOnSeveralPartitionsCountsTheirBytesTogether(t *testing.T) {
	h := build(t, 1<<40)
	h.apply(topicRecords("orders", 1)...)
	h.apply(topicRecords("bills", 2)...)
	w := NewWatch(Committed, 2*len(letter("x")))
	for _, topic := range []string{"orders", "bills"} {
		h.partition(topic).Watch(w, 0, 0)
	}
	h.post(h.partition("orders"), "x")
	if fired(w) {
		t.Error("with half of its bytes")
	}
	h.post(h.partition("bills"), "x")
	if !fired(w) {
		t.Error("its bytes are there")
	}
}

func TestFollowersAreWokenByWhatIsAppendedAndConsumersByWhatIsCommitted(t *testing.T) {
	h := build(t, 1<<40)
	p := h.pair("orders", 1)
	follower, consumer, stable := watch(p, LogEnd, 1, 0), watch(p, Committed, 1, 0), watch(p, Stable, 1, 0)
	h.post(p, "x")
	if !fired(follower) || fired(consumer) || fired(stable) {
		t.Errorf("appended: follower %v, consumer %v, read_committed %v", fired(follower), fired(consumer), fired(stable))
	}
	h.inSync(1, 1) // What was appended becomes committed without an append.
	if !fired(consumer) || !fired(stable) {
		t.Errorf("committed: consumer %v, read_committed %v", fired(consumer), fired(stable))
	}
}

func TestAFollowerIsWokenToBeToldOfAHighWatermark(t *testing.T) {
	h := build(t, 1<<40)
	p := h.pair("orders", 1)
	h.post(p, "x")
	w := NewFollowersWatch(1 << 20)
	p.Watch(w, p.log.EndOffset(), 0)
	if fired(w) {
		t.Fatal("there is nothing to tell")
	}
	h.inSync(1, 1)
	if !fired(w) {
		t.Error("it is not told that what it has is committed")
	}
	late := NewFollowersWatch(1 << 20)
	p.Watch(late, p.log.EndOffset(), 0)
	if !fired(late) {
		t.Error("one that came a moment later is not told")
	}
}

func TestALongPollFiresAtOnceWhenItsPartitionIsReadHereNoMore(t *testing.T) {
	for how, end := range map[string]func(*house){
		"another leader": func(h *house) { h.elect(1, 2) },
		"deleted":        func(h *house) { h.apply(&meta.RemoveTopicRecord{TopicID: idOf(1)}) },
		"stopping":       func(h *house) { h.manager.Close() },
	} {
		h := build(t, 1<<40)
		p := h.pair("orders", 1)
		w := watch(p, Committed, 1<<20, 0)
		end(h)
		if !fired(w) || !fired(watch(p, LogEnd, 1<<20, 0)) {
			t.Errorf("%s: it waits", how)
		}
		// Consumers may read from a follower, and wait there.
		if follows := how == "another leader"; fired(watch(p, Committed, 1<<20, 0)) == follows {
			t.Errorf("%s: a consumer waits, or does not", how)
		}
	}
}

// inTransaction appends one record of a producer's open transaction.
func (h *house) inTransaction(p *Partition, producer int64, sequence int32) Appended {
	h.t.Helper()
	b := batch.NewBuilder(batch.BuilderOptions{Transactional: true, Producer: &batch.Producer{ID: producer, BaseSequence: sequence}})
	b.Append(batch.Record{Timestamp: 1_700_000_000_000, Value: []byte("x")})
	appended, err := p.Append(b.Build(), AppendOptions{Origin: storage.Client, LeaderEpoch: -1, ProduceVersion: 9})
	if err != nil {
		h.t.Fatal(err)
	}
	return appended
}

// decide ends a producer's transaction.
func (h *house) decide(p *Partition, producer int64, commit bool) {
	h.t.Helper()
	marker := batch.BuildEndTxnMarker(producer, 0, batch.EndTxnMarker{Commit: commit}, 1_700_000_000_000)
	if _, err := p.Append(marker, AppendOptions{Origin: storage.Marker, LeaderEpoch: -1, ProduceVersion: 9}); err != nil {
		h.t.Fatal(err)
	}
}

func TestReadCommittedEndsBeforeTheFirstOpenTransaction(t *testing.T) {
	h := build(t, 1<<40)
	h.apply(topicRecords("orders", 1)...)
	p := h.partition("orders")
	h.post(p, "0")
	h.inTransaction(p, 7, 0) // 1
	h.inTransaction(p, 8, 0) // 2
	h.post(p, "3")
	w := watch(p, Stable, 1000, 1)
	bound := func(step string, want, next int64) {
		t.Helper()
		r, err := p.Read(0, ReadOptions{Level: Stable, LeaderEpoch: -1, LastEpoch: -1, MaxBytes: 1 << 20})
		if err != nil || r.LastStableOffset != want || r.Bound != want || r.HighWatermark != next || r.Records.NextOffset != want {
			t.Errorf("%s: %+v: %v", step, r, err)
		}
		r.Records.Close()
		if at, err := p.OffsetFor(LatestTimestamp, Stable, -1); at.Offset != want || err != nil {
			t.Errorf("%s: latest is %+v: %v", step, at, err)
		}
	}
	bound("both open", 1, 4)
	h.decide(p, 8, true) // 4
	bound("the second is over", 1, 5)
	if fired(w) {
		t.Error("woken while the first transaction is open")
	}
	h.decide(p, 7, false) // 5
	bound("both over", 6, 6)
	if !fired(w) {
		t.Error("a decision makes readable more than the marker's bytes, and wakes nobody")
	}
	aborted, err := p.AbortedTransactions(0, 6)
	if err != nil || len(aborted) != 1 || aborted[0].ProducerID != 7 || aborted[0].FirstOffset != 1 {
		t.Errorf("aborted %+v: %v", aborted, err)
	}
}

func TestReadCommittedNeverSeesMoreThanIsCommitted(t *testing.T) {
	h := build(t, 1<<40)
	p := h.pair("orders", 1)
	h.inTransaction(p, 7, 0)
	h.decide(p, 7, true)
	w := watch(p, Stable, 1, 0)
	if r, err := p.Read(0, ReadOptions{Level: Stable, LeaderEpoch: -1, LastEpoch: -1, MaxBytes: 1000}); err != nil || r.Bound != 0 || fired(w) {
		t.Errorf("%+v: %v, woken %v", r, err, fired(w))
	}
	h.inSync(1, 1)
	if r, err := p.Read(0, ReadOptions{Level: Stable, LeaderEpoch: -1, LastEpoch: -1, MaxBytes: 1000}); err != nil || r.Bound != 2 || !fired(w) {
		t.Errorf("%+v: %v, woken %v", r, err, fired(w))
	} else {
		r.Records.Close()
	}
}

func TestRecordsAreDeletedUpToTheHighWatermarkAndNoFurther(t *testing.T) {
	h := build(t, 1<<40)
	p := h.pair("orders", 1)
	h.post(p, "0")
	h.post(p, "1")
	h.inSync(1, 1)
	h.inSync(1, 1, 2)
	h.post(p, "2") // Not committed: broker 2 does not have it.
	for _, step := range []struct {
		before, start int64
		err           error
	}{
		{3, -1, kerr.OffsetOutOfRange}, {-2, -1, kerr.OffsetOutOfRange}, {1, 1, nil}, {0, 1, nil}, {-1, 2, nil}, {2, 2, nil},
	} {
		start, err := p.DeleteRecordsBefore(step.before)
		if start != step.start || !errors.Is(err, step.err) {
			t.Errorf("before %d: start %d: %v", step.before, start, err)
		}
	}
	if extent, err := p.Extent(); extent.Start != 2 || extent.End != 3 || p.HighWatermark() != 2 || err != nil {
		t.Errorf("%+v, high watermark %d: %v", extent, p.HighWatermark(), err)
	}
	r, err := p.Read(1, ReadOptions{LeaderEpoch: -1, LastEpoch: -1, MaxBytes: 1000})
	if !errors.Is(err, kerr.OffsetOutOfRange) || r.LogStartOffset != 2 {
		t.Errorf("%+v: %v", r, err)
	}
	if at, err := p.OffsetFor(EarliestTimestamp, Committed, -1); at.Offset != 2 || err != nil {
		t.Errorf("earliest is %+v: %v", at, err)
	}
	h.elect(1, 2)
	if _, err := p.DeleteRecordsBefore(-1); !errors.Is(err, kerr.NotLeaderForPartition) {
		t.Errorf("by a follower: %v", err)
	}
}
