package storage

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// refuse expects an append to fail with a kerr error and to leave the log alone.
func (w *world) refuse(b []byte, target error) {
	w.t.Helper()
	end, size := w.log.EndOffset(), w.log.Size()
	_, err := w.log.Append(b, AppendOptions{})
	wantError(w.t, err, target)
	if w.log.EndOffset() != end || w.log.Size() != size {
		w.t.Fatalf("the refused append left %d records and %d bytes", w.log.EndOffset()-end, w.log.Size()-size)
	}
}

func TestARetriedBatchIsAnsweredWithItsFirstOffset(t *testing.T) {
	w := inMemory(t)
	w.append(w.plain(100, 100))
	var first []Appended
	for i := range int32(7) {
		first = append(first, w.append(w.produced(1, 0, i*10, 10)))
	}
	for i := int32(2); i < 7; i++ { // the last five
		again := w.append(w.produced(1, 0, i*10, 10))
		if !again.Duplicate || again.BaseOffset != first[i].BaseOffset || again.LastOffset != first[i].LastOffset || again.EndOffset != 170 {
			t.Errorf("retry of batch %d: %+v, first time %+v", i, again, first[i])
		}
	}
	w.refuse(w.produced(1, 0, 10, 10), kerr.OutOfOrderSequenceNumber) // older than the window: not DUPLICATE_SEQUENCE
	w.refuse(w.produced(1, 0, 60, 5), kerr.OutOfOrderSequenceNumber)  // same start, other end
	w.refuse(w.produced(1, 0, 80, 1), kerr.OutOfOrderSequenceNumber)  // a gap
	w.append(w.produced(1, 0, 70, 1))
}

func TestAnUnknownProducerMayBeginAtAnySequence(t *testing.T) {
	w := inMemory(t)
	w.append(w.produced(1, 5, 4711, 3))
	w.append(w.produced(1, 5, 4714, 1))
	w.refuse(w.produced(1, 5, 4716, 1), kerr.OutOfOrderSequenceNumber)
}

func TestANewEpochBeginsAtZeroAndFencesTheOldOne(t *testing.T) {
	w := inMemory(t)
	w.append(w.produced(1, 3, 0, 5))
	w.refuse(w.produced(1, 4, 5, 1), kerr.OutOfOrderSequenceNumber)
	w.append(w.produced(1, 9, 0, 1)) // epochs may be skipped
	w.refuse(w.produced(1, 3, 5, 1), kerr.InvalidProducerEpoch)
	w.refuse(w.produced(1, 3, 0, 5), kerr.InvalidProducerEpoch) // not a duplicate any more
	w.append(w.produced(1, 9, 1, 1))
}

func TestSequencesWrapToZero(t *testing.T) {
	w := inMemory(t)
	w.append(w.produced(1, 0, math.MaxInt32-4, 5))
	w.refuse(w.produced(1, 0, 1, 1), kerr.OutOfOrderSequenceNumber)
	w.append(w.produced(1, 0, 0, 3))
	w.append(w.produced(2, 0, math.MaxInt32-1, 4)) // …646, …647, 0, 1
	w.append(w.produced(2, 0, 2, 1))
	if a := w.append(w.produced(2, 0, math.MaxInt32-1, 4)); !a.Duplicate || a.BaseOffset != 8 {
		t.Fatalf("retry across the wrap: %+v", a)
	}
}

func TestCoordinatorsHaveNoSequences(t *testing.T) {
	w := inMemory(t)
	for _, sequence := range []int32{0, 7, 7, 0} {
		if _, err := w.log.Append(w.produced(1, 0, sequence, 1), AppendOptions{Origin: Coordinator}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProducersSurviveRestartsAndTheirRetriesKeepTheirOffsets(t *testing.T) {
	for name, restart := range map[string]func(w *world){
		"in order":        func(w *world) { w.reopenClean() },
		"by the manifest": func(w *world) { o := w.options(Checkpoint{}); o.Manifest = w.closeCleanly(); w.openWith(o) },
		"killed":          func(w *world) { w.kill() },
		"power cut":       func(w *world) { w.log.Close(false); w.reopen(Checkpoint{}) },
		"in order, its last snapshot lost": func(w *world) {
			w.closeCleanly()
			_ = w.disk.Remove(w.log.place.snapshotPath(w.log.EndOffset()))
			w.reopen(Checkpoint{Clean: true})
		},
		"in order, its last snapshot damaged": func(w *world) {
			w.closeCleanly()
			w.patch(offsetName(w.log.EndOffset())+snapshotSuffix, func(b []byte) []byte { b[12] ^= 1; return b })
			w.reopen(Checkpoint{Clean: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t)
			w.tune(func(s *Settings) { s.SegmentBytes = 2000 })
			for i := range int32(40) {
				w.append(w.produced(7, 2, i*3, 3))
				w.append(w.plain(1, 30))
			}
			last := w.append(w.produced(7, 2, 120, 3))
			restart(w)
			states, err := w.log.Producers()
			want := []ProducerState{{
				ProducerID: 7, Epoch: 2, LastSequence: 122, LastOffset: last.LastOffset, LastTimestamp: w.clock.UnixMilli(),
				CoordinatorEpoch: -1, TransactionStart: -1,
			}}
			if err != nil || !slices.Equal(states, want) {
				t.Fatalf("producers %+v (%v), want %+v", states, err, want)
			}
			if again := w.append(w.produced(7, 2, 120, 3)); !again.Duplicate || again.BaseOffset != last.BaseOffset {
				t.Fatalf("retry after the restart: %+v, first time %+v", again, last)
			}
			w.append(w.produced(7, 2, 123, 1))
			w.refuse(w.produced(7, 2, 200, 1), kerr.OutOfOrderSequenceNumber)
		})
	}
}

func TestASilentProducerIsForgotten(t *testing.T) {
	w := inMemory(t)
	w.append(w.produced(1, 0, 0, 1))
	w.append(w.inTransaction(2, 0, 0, 1))
	w.clock = w.clock.Add(24*time.Hour - 1)
	h, err := w.log.Housekeep(w.clock)
	if err != nil || h.NextDue != time.UnixMilli(testStart+24*3600_000) {
		t.Fatalf("next due %v, %v", h.NextDue, err)
	}
	w.clock = w.clock.Add(1)
	if _, err := w.log.Housekeep(w.clock); err != nil {
		t.Fatal(err)
	}
	states, _ := w.log.Producers()
	if len(states) != 1 || states[0].ProducerID != 2 {
		t.Fatalf("left: %+v, want the one with an open transaction", states)
	}
	w.append(w.produced(1, 0, 99, 1))
}

func TestAFailedWriteLeavesTheProducersAsTheyWere(t *testing.T) {
	w, fail := onFaultyDisk(t)
	w.append(w.produced(1, 0, 0, 2))
	fail.writes(1)
	w.refuse(w.produced(1, 0, 2, 2), kerr.KafkaStorageError)
	if a := w.append(w.produced(1, 0, 2, 2)); a.Duplicate || a.BaseOffset != 2 {
		t.Fatalf("the retry: %+v", a)
	}
}

func TestManyProducersInOneFollowerAppend(t *testing.T) {
	leader, follower := inMemory(t), inMemory(t)
	var all []byte
	for round := range int32(3) {
		for id := range int64(50) {
			b := leader.produced(id, 0, round*2, 2)
			leader.append(b)
			all = append(all, b...)
		}
	}
	if _, err := follower.log.Append(all, AppendOptions{Origin: Replication, FirstOffsetIsGiven: true}); err != nil {
		t.Fatal(err)
	}
	want, _ := leader.log.Producers()
	if got, err := follower.log.Producers(); err != nil || !slices.Equal(got, want) {
		t.Fatalf("producers of the follower: %+v, %v", got, err)
	}
}

func TestRollingTakesASnapshotAndOldStraysGo(t *testing.T) {
	w := inMemory(t)
	w.append(w.produced(1, 0, 0, 10))
	w.reopenClean() // a snapshot at 10, where no segment begins
	if !w.has("00000000000000000010.snapshot") {
		t.Fatalf("files %v", w.names())
	}
	w.append(w.produced(1, 0, 10, 10))
	w.tune(func(s *Settings) { s.SegmentBytes = 200 })
	w.append(w.produced(1, 0, 20, 1))
	if !w.has("00000000000000000020.snapshot") || w.has("00000000000000000010.snapshot") {
		t.Fatalf("files %v", w.names())
	}
}

// The last sequence of a batch, and back from it.
func TestFirstSequenceUndoesLastSequence(t *testing.T) {
	for _, base := range []int32{0, 1, 5, math.MaxInt32 - 3, math.MaxInt32} {
		for delta := range int32(6) {
			last := batch.AddSequence(base, delta)
			if got := (producerBatch{lastSequence: last, offsetDelta: delta}).firstSequence(); got != base {
				t.Errorf("base %d, delta %d: last %d leads back to %d", base, delta, last, got)
			}
		}
	}
}
