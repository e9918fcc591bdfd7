package storage

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

func TestTheLastStableOffsetWaitsForTheOldestTransaction(t *testing.T) {
	w := inMemory(t)
	stable := func(want int64) {
		t.Helper()
		w.log.SetHighWatermark(w.log.EndOffset())
		if got := w.log.LastStableOffset(); got != want {
			t.Fatalf("last stable offset %d, want %d", got, want)
		}
	}
	w.append(w.plain(5, 50))
	stable(5)
	w.append(w.inTransaction(1, 0, 0, 2)) // 5, 6
	w.append(w.inTransaction(2, 0, 0, 3)) // 7, 8, 9
	w.append(w.plain(1, 10))
	stable(5)
	w.end(2, 0, true) // 11
	stable(5)
	w.end(1, 0, false) // 12
	stable(13)
}

func TestADecidedTransactionIsStableOnlyWhenItsMarkerIsCommitted(t *testing.T) {
	w := inMemory(t)
	w.append(w.inTransaction(1, 0, 0, 2))
	w.log.SetHighWatermark(2)
	w.end(1, 0, true)
	if got := w.log.LastStableOffset(); got != 0 {
		t.Fatalf("last stable offset %d before the marker is replicated", got)
	}
	w.log.SetHighWatermark(3)
	if got := w.log.LastStableOffset(); got != 3 {
		t.Fatalf("last stable offset %d after it", got)
	}
}

func TestAbortedTransactionsAreFoundByTheOffsetsTheyTouch(t *testing.T) {
	w := inMemory(t)
	w.append(w.inTransaction(1, 0, 0, 5)) // 0-4
	w.append(w.inTransaction(2, 0, 0, 5)) // 5-9
	w.end(1, 0, false)                    // 10
	w.append(w.plain(5, 50))              // 11-15
	w.end(2, 0, false)                    // 16
	w.append(w.inTransaction(1, 0, 5, 2)) // 17, 18
	w.end(1, 0, true)                     // 19
	one, two := AbortedTransaction{1, 0, 10, 5}, AbortedTransaction{2, 5, 16, 17}
	for _, c := range []struct {
		from, below int64
		want        []AbortedTransaction
	}{
		{0, 20, []AbortedTransaction{one, two}},
		{0, 5, []AbortedTransaction{one}},
		{11, 16, []AbortedTransaction{two}},
		{10, 11, []AbortedTransaction{one, two}},
		{17, 20, nil},
		{16, 17, []AbortedTransaction{two}},
	} {
		if got, err := w.log.AbortedTransactions(c.from, c.below); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("[%d, %d): %v (%v), want %v", c.from, c.below, got, err, c.want)
		}
	}
}

func TestMarkersAreFencedByProducerAndCoordinatorEpochs(t *testing.T) {
	w := inMemory(t)
	marker := func(epoch int16, coordinatorEpoch int32, transactionVersion int16) error {
		b := batch.BuildEndTxnMarker(1, epoch, batch.EndTxnMarker{Commit: true, CoordinatorEpoch: coordinatorEpoch}, testStart)
		_, err := w.log.Append(b, AppendOptions{Origin: Marker, TransactionVersion: transactionVersion})
		return err
	}
	w.append(w.inTransaction(1, 5, 0, 1))
	wantError(t, marker(4, 3, 0), kerr.InvalidProducerEpoch)
	if err := marker(5, 3, 0); err != nil {
		t.Fatal(err)
	}
	wantError(t, marker(5, 2, 0), kerr.TransactionCoordinatorFenced)
	// From transaction version 2 on the marker has a newer epoch than its data (KIP-1228).
	w.append(w.inTransaction(1, 5, 1, 1))
	wantError(t, marker(5, 3, 2), kerr.InvalidProducerEpoch)
	if err := marker(6, 3, 2); err != nil {
		t.Fatal(err)
	}
	if err := marker(6, 3, 2); err != nil { // its retry, when nothing is open (KAFKA-19999)
		t.Fatal(err)
	}
	wantError(t, marker(5, 3, 2), kerr.InvalidProducerEpoch)
	w.append(w.inTransaction(1, math.MaxInt16, 0, 1))
	if err := marker(math.MaxInt16, 3, 2); err != nil {
		t.Fatal(err) // there is no newer one
	}
}

func TestATransactionTakesNoOtherRecordsAndCanBeRequiredToBeOngoing(t *testing.T) {
	w := inMemory(t)
	w.append(w.inTransaction(1, 0, 0, 1))
	w.refuse(w.produced(1, 0, 1, 1), kerr.InvalidTxnState)
	ongoing := AppendOptions{MustBeOngoing: true}
	if _, err := w.log.Append(w.inTransaction(1, 0, 1, 1), ongoing); err != nil {
		t.Fatal(err)
	}
	w.end(1, 0, true)
	if yes, err := w.log.OngoingTransaction(1, 0); yes || err != nil {
		t.Fatalf("ongoing after its end: %v, %v", yes, err)
	}
	_, err := w.log.Append(w.inTransaction(1, 0, 2, 1), ongoing)
	wantError(t, err, kerr.InvalidTxnState)
	w.append(w.produced(1, 3, 0, 1))
	_, err = w.log.Append(w.inTransaction(1, 2, 0, 1), ongoing)
	wantError(t, err, kerr.InvalidProducerEpoch)
}

func TestAnAbortThatCouldNotBeWrittenIsNotInTheIndex(t *testing.T) {
	w, fail := onFaultyDisk(t)
	w.append(w.inTransaction(1, 0, 0, 1))
	fail.writes(1)
	b := batch.BuildEndTxnMarker(1, 0, batch.EndTxnMarker{}, testStart)
	_, err := w.log.Append(b, AppendOptions{Origin: Marker})
	wantError(t, err, kerr.KafkaStorageError)
	if got, err := w.log.AbortedTransactions(0, 10); err != nil || len(got) != 0 {
		t.Fatalf("aborted: %v, %v", got, err)
	}
	w.append(w.plain(3, 30))
	w.end(1, 0, true)
	w.closeCleanly()
	if n := len(w.fileBytes("00000000000000000000.txnindex")); n != 0 {
		t.Fatalf("the index was closed with %d bytes", n)
	}
}

// transactional is a slow twin: it knows every transaction that was ever begun.
type transactional struct {
	open    map[int64]int64 // producer → first offset
	aborted []AbortedTransaction
}

func (m *transactional) stable(end int64) int64 {
	for _, first := range m.open {
		end = min(end, first)
	}
	return end
}

func TestTransactionsSurviveRollsRestartsAndTruncation(t *testing.T) {
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 0))
		w := inMemory(t)
		w.tune(func(s *Settings) { s.SegmentBytes, s.IndexIntervalBytes = 1500, 300 })
		m := &transactional{open: map[int64]int64{}}
		sequences := map[int64]int32{}
		for range 150 {
			id := rng.Int64N(4)
			first, open := m.open[id]
			switch roll := rng.IntN(20); {
			case roll < 8:
				a := w.append(w.inTransaction(id, 0, sequences[id], 2))
				sequences[id] += 2
				if !open {
					m.open[id] = a.BaseOffset
				}
			case roll < 11:
				w.append(w.plain(1, 20))
			case roll < 17 && open:
				commit := rng.IntN(2) == 0
				a := w.end(id, 0, commit)
				delete(m.open, id)
				if !commit {
					m.aborted = append(m.aborted, AbortedTransaction{id, first, a.LastOffset, min(m.stable(a.EndOffset), a.EndOffset)})
				}
			case roll == 17:
				w.reopenClean()
			case roll == 18:
				w.kill()
			case roll == 19:
				w.log.Close(false)
				w.reopen(Checkpoint{RecoveryPoint: rng.Int64N(w.log.EndOffset() + 1)})
			}
			w.log.SetHighWatermark(w.log.EndOffset())
			if got, want := w.log.LastStableOffset(), m.stable(w.log.EndOffset()); got != want {
				t.Fatalf("seed %d: last stable offset %d, want %d", seed, got, want)
			}
		}
		got, err := w.log.AbortedTransactions(0, w.log.EndOffset())
		if err != nil || !slices.Equal(got, m.aborted) {
			t.Fatalf("seed %d: aborted\n%v (%v), want\n%v", seed, got, err, m.aborted)
		}
		cut := w.log.EndOffset() / 2
		if err := w.log.Truncate(cut); err != nil {
			t.Fatal(err)
		}
		m.aborted = slices.DeleteFunc(m.aborted, func(a AbortedTransaction) bool { return a.LastOffset >= cut })
		got, err = w.log.AbortedTransactions(0, w.log.EndOffset())
		if err != nil || !slices.Equal(got, m.aborted) {
			t.Fatalf("seed %d: after truncation to %d: %v (%v), want %v", seed, cut, got, err, m.aborted)
		}
	}
}

func TestARestartByManifestForgetsWhatOnlyWaitedForTheHighWatermark(t *testing.T) {
	w := inMemory(t)
	w.append(w.inTransaction(1, 0, 0, 2))
	w.end(1, 0, true)
	o := w.options(Checkpoint{})
	o.Manifest = w.closeCleanly()
	w.openWith(o)
	w.log.SetHighWatermark(3)
	if got := w.log.LastStableOffset(); got != 3 {
		t.Fatalf("last stable offset %d", got)
	}
}
