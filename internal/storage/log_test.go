package storage

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

func isError(err, target error) bool { return errors.Is(err, target) }

func TestWhatIsAppendedIsReadBackWithItsOffsets(t *testing.T) {
	w := onDisk(t)
	var want []byte
	for i := range 100 {
		b := w.plain(3, 50+i)
		a := w.appendIn(7, b)
		if a.BaseOffset != int64(i*3) || a.LastOffset != int64(i*3+2) || a.EndOffset != int64(i*3+3) {
			t.Fatalf("append %d went to %+v", i, a)
		}
		want = append(want, b...) // offsets were written in place
	}
	for _, piece := range []int{0, 1, 100, 1000, 5000, 1 << 20} {
		if got := w.read(0, piece); !bytes.Equal(got, want) {
			t.Fatalf("reading pieces of %d bytes: got %d bytes, want %d, offsets %v", piece, len(got), len(want), offsets(t, got))
		}
	}
	h, _ := batch.ParseHeader(want)
	if h.LeaderEpoch != 7 || w.log.LatestEpoch() != 7 {
		t.Fatalf("leader epoch in the batch is %d, in the log %d, want 7", h.LeaderEpoch, w.log.LatestEpoch())
	}
	if w.appended != 100 {
		t.Fatalf("the hook was called %d times", w.appended)
	}
}

func TestReadingStartsInTheMidstOfABatchAndEndsBelowTheBound(t *testing.T) {
	w := inMemory(t)
	for range 10 {
		w.append(w.plain(10, 300))
	}
	read := func(from, below int64, maxBytes int, atLeastOne bool) []int64 {
		t.Helper()
		r, err := w.log.Read(from, below, maxBytes, atLeastOne)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		b := make([]byte, r.Len())
		if n, err := r.ReadInto(b); err != nil || n != len(b) {
			t.Fatalf("read %d of %d bytes: %v", n, len(b), err)
		}
		return offsets(t, b)
	}
	for _, c := range []struct {
		what        string
		from, below int64
		max         int
		atLeastOne  bool
		want        []int64
	}{
		{"all", 0, 100, 1 << 20, true, []int64{0, 10, 20, 30, 40, 50, 60, 70, 80, 90}},
		{"inside a batch", 35, 50, 1 << 20, true, []int64{30, 40}},
		{"bound inside a batch", 35, 55, 1 << 20, true, []int64{30, 40}},
		{"bound inside the first batch", 35, 37, 1 << 20, true, nil},
		{"at least one", 35, 100, 10, true, []int64{30}},
		{"not even one", 35, 100, 10, false, nil},
		{"nothing at the end", 100, 100, 10, true, nil},
		{"exactly two batches", 0, 100, 2 * len(w.plain(10, 300)), false, []int64{0, 10}},
		{"one byte short of two", 0, 100, 2*len(w.plain(10, 300)) - 1, false, []int64{0}},
	} {
		if got := read(c.from, c.below, c.max, c.atLeastOne); !slices.Equal(got, c.want) {
			t.Errorf("%s: got batches %v, want %v", c.what, got, c.want)
		}
	}
	_, err := w.log.Read(101, 200, 10, true)
	wantError(t, err, kerr.OffsetOutOfRange)
	_, err = w.log.Read(-1, 200, 10, true)
	wantError(t, err, kerr.OffsetOutOfRange)
}

// Fast code against a slow obvious twin: every read of a log with small segments and indexes is compared with a walk.
func TestReadsByIndexEqualAWalk(t *testing.T) {
	w := onDisk(t)
	w.tune(func(s *Settings) { s.SegmentBytes, s.IndexIntervalBytes = 20_000, 700 })
	rng := rand.New(rand.NewPCG(1, 2))
	var all []byte
	for range 400 {
		b := w.plain(1+rng.IntN(5), 1+rng.IntN(1500))
		w.append(b)
		all = append(all, b...)
	}
	if n := len(w.log.Segments()); n < 5 {
		t.Fatalf("only %d segments", n)
	}
	check := func() {
		t.Helper()
		for range 800 {
			from := rng.Int64N(w.log.EndOffset() + 1)
			below := from + rng.Int64N(w.log.EndOffset()-from+1)
			maxBytes, atLeastOne := rng.IntN(9000), rng.IntN(2) == 0
			r, err := w.log.Read(from, below, maxBytes, atLeastOne)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, r.Len())
			if n, err := r.ReadInto(got); err != nil || n != len(got) {
				t.Fatalf("read %d of %d: %v", n, len(got), err)
			}
			next := r.NextOffset
			r.Close()
			want := walk(all, from, below, maxBytes, atLeastOne, w.log.Segments())
			if !bytes.Equal(got, want) {
				t.Fatalf("from %d below %d, %d bytes, at least one %v: got %v, want %v", from, below, maxBytes, atLeastOne, offsets(t, got), offsets(t, want))
			}
			if len(got) > 0 && next != lastHeader(got).NextOffset() {
				t.Fatalf("next offset %d, last batch ends before %d", next, lastHeader(got).NextOffset())
			}
		}
	}
	check()
	w.reopenClean()
	check()
	w.kill()
	check()
	w.openWith(func() Options { o := w.options(Checkpoint{}); o.Manifest = w.closeCleanly(); return o }())
	check()
}

// walk is the slow twin of Read: a region does not go beyond one segment.
func walk(all []byte, from, below int64, maxBytes int, atLeastOne bool, segments []SegmentInfo) (out []byte) {
	if from >= below {
		return nil
	}
	segmentOf := func(offset int64) (base int64) {
		for _, s := range segments {
			if s.BaseOffset <= offset {
				base = s.BaseOffset
			}
		}
		return base
	}
	first := int64(-1)
	for len(all) > 0 {
		h, whole, rest, err := batch.Next(all)
		if err != nil {
			panic(err)
		}
		all = rest
		if h.LastOffset() < from {
			continue
		}
		if first < 0 {
			first = segmentOf(h.BaseOffset)
		}
		fits := len(out)+len(whole) <= maxBytes || len(out) == 0 && atLeastOne
		if h.NextOffset() > below || !fits || segmentOf(h.BaseOffset) != first {
			return out
		}
		out = append(out, whole...)
	}
	return out
}

func TestEveryMethodOfAClosedLogSaysSo(t *testing.T) {
	w := inMemory(t)
	w.append(w.plain(1, 10))
	w.closeCleanly()
	_, err := w.log.Append(w.plain(1, 10), AppendOptions{})
	wantError(t, err, kerr.KafkaStorageError)
	_, err = w.log.Read(0, 1, 100, true)
	wantError(t, err, kerr.KafkaStorageError)
	wantError(t, w.log.Sync(), kerr.KafkaStorageError)
	wantError(t, w.log.Truncate(0), kerr.KafkaStorageError)
	_, err = w.log.Housekeep(w.clock)
	wantError(t, err, kerr.KafkaStorageError)
	_, _, err = w.log.OffsetForTimestamp(0)
	wantError(t, err, kerr.KafkaStorageError)
	_, err = w.log.Close(true)
	wantError(t, err, kerr.KafkaStorageError)
}

func TestAppendTakesOnlyWholeBatches(t *testing.T) {
	w := inMemory(t)
	b := w.plain(2, 100)
	for _, bad := range [][]byte{b[:len(b)-1], b[:30], append(slices.Clone(b), 1, 2, 3), make([]byte, 100)} {
		_, err := w.log.Append(slices.Clone(bad), AppendOptions{})
		wantError(t, err, kerr.CorruptMessage)
	}
	if w.log.EndOffset() != 0 || w.log.Size() != 0 {
		t.Fatalf("the log has %d records in %d bytes", w.log.EndOffset(), w.log.Size())
	}
	w.tune(func(s *Settings) { s.SegmentBytes = 100 })
	_, err := w.log.Append(w.plain(1, 200), AppendOptions{})
	wantError(t, err, kerr.RecordListTooLarge)
}

func TestAFollowerKeepsTheOffsetsAndEpochsItIsGiven(t *testing.T) {
	leader, follower := inMemory(t), inMemory(t)
	var sent []byte
	for epoch := range int32(3) {
		for range 4 {
			b := leader.plain(5, 100)
			leader.appendIn(epoch, b)
			sent = append(sent, b...)
		}
	}
	given := AppendOptions{Origin: Replication, FirstOffsetIsGiven: true}
	if _, err := follower.log.Append(slices.Clone(sent), given); err != nil {
		t.Fatal(err)
	}
	if got := follower.read(0, 1<<20); !bytes.Equal(got, leader.read(0, 1<<20)) {
		t.Fatal("the logs differ")
	}
	for epoch, end := range map[int32]int64{0: 20, 1: 40, 2: 60} {
		if found, got := follower.log.EpochEnd(epoch); found != epoch || got != end {
			t.Errorf("epoch %d ends at %d (%d), want %d", epoch, got, found, end)
		}
	}
	_, err := follower.log.Append(slices.Clone(sent), given)
	wantError(t, err, kerr.CorruptMessage)
	// After compaction on the leader there are gaps.
	gap := leader.build(batch.BuilderOptions{BaseOffset: 100, LeaderEpoch: 2}, 1, 10)
	if a, err := follower.log.Append(gap, given); err != nil || a.BaseOffset != 100 || follower.log.EndOffset() != 101 {
		t.Fatalf("append behind a gap: %+v, %v", a, err)
	}
	r, err := follower.log.Read(60, 101, 1000, true)
	if err != nil || r.Len() == 0 {
		t.Fatalf("read across the gap: %d bytes, %v", r.Len(), err)
	}
	r.Close()
}
