package storage

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTruncationRemovesTheBatchThatHoldsTheOffsetAndAllBehind(t *testing.T) {
	w := inMemory(t)
	w.tune(func(s *Settings) { s.SegmentBytes = 1500 })
	for epoch := range int32(10) {
		w.appendIn(epoch/2, w.plain(10, 500))
	}
	before := w.read(0, 1<<20)
	if err := w.log.Truncate(55); err != nil {
		t.Fatal(err)
	}
	if w.log.EndOffset() != 55 || w.log.LatestEpoch() != 2 {
		t.Fatalf("end %d, epoch %d", w.log.EndOffset(), w.log.LatestEpoch())
	}
	got := w.read(0, 1<<20)
	if !slices.Equal(offsets(t, got), []int64{0, 10, 20, 30, 40}) || !bytes.HasPrefix(before, got) {
		t.Fatalf("batches %v", offsets(t, got))
	}
	if a := w.appendIn(9, w.plain(1, 10)); a.BaseOffset != 55 {
		t.Fatalf("appended at %d", a.BaseOffset)
	}
	if found, end := w.log.EpochEnd(2); found != 2 || end != 55 {
		t.Fatalf("epoch 2 ends at %d (%d)", end, found)
	}
	w.kill()
	if got := offsets(t, w.read(0, 1<<20)); !slices.Equal(got, []int64{0, 10, 20, 30, 40, 55}) {
		t.Fatalf("after a restart: %v", got)
	}
}

func TestTruncationAtTheEndOnlyDropsEpochsWithoutRecords(t *testing.T) {
	w := inMemory(t)
	w.appendIn(1, w.plain(10, 100))
	w.log.BeginEpoch(5, 10)
	if w.log.LatestEpoch() != 5 {
		t.Fatalf("latest epoch %d", w.log.LatestEpoch())
	}
	if err := w.log.Truncate(10); err != nil {
		t.Fatal(err)
	}
	if w.log.EndOffset() != 10 || w.log.LatestEpoch() != 1 {
		t.Fatalf("end %d, epoch %d", w.log.EndOffset(), w.log.LatestEpoch())
	}
}

func TestTruncationForgetsTheRetriesOfWhatIsGone(t *testing.T) {
	w := inMemory(t)
	w.append(w.produced(1, 0, 0, 5))
	w.append(w.produced(1, 0, 5, 5))
	if err := w.log.Truncate(5); err != nil {
		t.Fatal(err)
	}
	if a := w.append(w.produced(1, 0, 5, 5)); a.Duplicate || a.BaseOffset != 5 {
		t.Fatalf("%+v", a)
	}
}

func TestARestartedLogHoldsNothingOfTheOldOne(t *testing.T) {
	w := inMemory(t)
	w.tune(func(s *Settings) { s.SegmentBytes = 700 })
	for i := range int32(5) {
		w.appendIn(3, w.produced(1, 0, i*10, 10))
	}
	if err := w.log.TruncateAndStartAt(1000); err != nil {
		t.Fatal(err)
	}
	producers, err := w.log.Producers()
	if err != nil || len(producers) != 0 || w.log.StartOffset() != 1000 || w.log.EndOffset() != 1000 || w.log.LatestEpoch() != -1 {
		t.Fatalf("producers %v (%v), start %d, end %d, epoch %d", producers, err, w.log.StartOffset(), w.log.EndOffset(), w.log.LatestEpoch())
	}
	w.appendIn(4, w.produced(1, 0, 77, 1))
	w.kill()
	if got := offsets(t, w.read(1000, 100)); !slices.Equal(got, []int64{1000}) {
		t.Fatalf("batches %v", got)
	}
}

func TestAReaderOfWhatIsTruncatedGetsAnErrorNotOtherBytes(t *testing.T) {
	w := inMemory(t)
	for range 5 {
		w.append(w.plain(10, 500))
	}
	r, err := w.log.Read(30, 50, 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := w.log.Truncate(20); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.append(w.plain(10, 500))
	}
	wantRewound := make([]byte, r.Len())
	_, err = r.ReadInto(wantRewound)
	wantError(t, err, errRewound)
}

// Truncation against a slow twin: after any cut the log equals the batches that end at or before it, through restarts.
func TestTruncationsAtRandomOffsets(t *testing.T) {
	for seed := range uint64(15) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := inMemory(t)
		w.tune(func(s *Settings) { s.SegmentBytes, s.IndexIntervalBytes = 3000, 200 })
		var kept [][]byte
		for range 120 {
			switch rng.IntN(12) {
			case 0:
				to := w.log.StartOffset() + rng.Int64N(w.log.EndOffset()-w.log.StartOffset()+1)
				if err := w.log.Truncate(to); err != nil {
					t.Fatal(err)
				}
				kept = slices.DeleteFunc(kept, func(b []byte) bool { return lastHeader(b).NextOffset() > to })
			case 1:
				w.kill()
			case 2:
				w.reopenClean()
			default:
				b := w.plain(1+rng.IntN(9), 1+rng.IntN(900))
				w.append(b)
				kept = append(kept, b)
			}
			want := slices.Concat(kept...)
			if got := w.read(0, 1+rng.IntN(4000)); !bytes.Equal(got, want) {
				t.Fatalf("seed %d: got %v, want %v", seed, offsets(t, got), offsets(t, want))
			}
		}
	}
}
