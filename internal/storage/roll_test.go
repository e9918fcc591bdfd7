package storage

import (
	"slices"
	"testing"
	"time"
)

func bases(infos []SegmentInfo) (out []int64) {
	for _, s := range infos {
		out = append(out, s.BaseOffset)
	}
	return out
}

func TestASegmentIsRolledBeforeItGrowsBeyondItsSize(t *testing.T) {
	w := onDisk(t)
	size := int64(len(w.plain(1, 1000)))
	w.tune(func(s *Settings) { s.SegmentBytes = 3 * size })
	for range 7 {
		w.append(w.plain(1, 1000))
	}
	if got := bases(w.log.Segments()); !slices.Equal(got, []int64{0, 3, 6}) {
		t.Fatalf("segments begin at %v", got)
	}
	for _, name := range []string{"00000000000000000003.log", "00000000000000000003.snapshot", "00000000000000000000.index", "00000000000000000000.timeindex"} {
		if !w.has(name) {
			t.Errorf("%s is missing among %v", name, w.names())
		}
	}
}

func TestASegmentIsRolledByTheTimeOfItsRecords(t *testing.T) {
	w := onDisk(t)
	w.tune(func(s *Settings) { s.SegmentMs = 1000 })
	w.append(w.plain(1, 10))
	w.clock = w.clock.Add(time.Second)
	w.append(w.plain(1, 10))
	if n := len(w.log.Segments()); n != 1 {
		t.Fatalf("%d segments after exactly segment.ms", n)
	}
	w.reopenClean() // the first batch's time is read again
	w.clock = w.clock.Add(time.Millisecond)
	w.append(w.plain(1, 10))
	if got := bases(w.log.Segments()); !slices.Equal(got, []int64{0, 2}) {
		t.Fatalf("segments begin at %v", got)
	}
}

func TestASegmentIsRolledWhenItsIndexIsFull(t *testing.T) {
	w := onDisk(t)
	w.tune(func(s *Settings) { s.IndexIntervalBytes, s.SegmentIndexBytes = 1, 4*timeEntrySize })
	for range 9 {
		w.clock = w.clock.Add(time.Millisecond)
		w.append(w.plain(1, 10))
	}
	// The first batch gets no entry; the time index keeps its last place for the entry of the roll.
	if got := bases(w.log.Segments()); !slices.Equal(got, []int64{0, 4, 8}) {
		t.Fatalf("segments begin at %v", got)
	}
}

func TestASegmentIsRolledWhenOffsetsAreTooFarFromItsBase(t *testing.T) {
	w := onDisk(t)
	w.append(w.plain(1, 10))
	far := w.plain(1, 10)
	putOffset(far, 1<<31+5)
	if _, err := w.log.Append(far, AppendOptions{Origin: Replication, FirstOffsetIsGiven: true}); err != nil {
		t.Fatal(err)
	}
	if got := bases(w.log.Segments()); !slices.Equal(got, []int64{0, 1<<31 + 5}) {
		t.Fatalf("segments begin at %v", got)
	}
	if got := offsets(t, w.read(0, 1<<20)); !slices.Equal(got, []int64{0, 1<<31 + 5}) {
		t.Fatalf("batches at %v", got)
	}
}
