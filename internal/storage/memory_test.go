//go:build !race

package storage

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// hugeBatch is a batch of 1 MB, as a producer may send it, whose records decompress to 264 MiB: a key every 8 MiB.
func hugeBatch(prefix string) []byte {
	b := batch.NewBuilder(batch.BuilderOptions{Codec: batch.CodecLZ4})
	value := make([]byte, 8<<20)
	for i := range 33 {
		b.Append(batch.Record{Timestamp: testStart + int64(i), Key: fmt.Appendf(nil, "%s-%d", prefix, i), Value: value})
	}
	return b.Build()
}

// allocated is how many bytes f allocates, freed or not: no less than the most that it holds at once.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

const fewBytes = 32 << 20

// One ListOffsets by timestamp took 1.1 GB and failed, as the records were decompressed whole, up to less than Produce
// allows.
func TestATimeLookupInAHugeBatchTakesLittleMemory(t *testing.T) {
	w := inMemory(t)
	w.append(hugeBatch("k"))
	for name, find := range map[string]func() (Found, bool, error){
		"by timestamp": func() (Found, bool, error) { return w.log.OffsetForTimestamp(testStart + 32) },
		"the largest":  w.log.MaxTimestamp,
	} {
		n := allocated(func() {
			if found, ok, err := find(); err != nil || !ok || found.Offset != 32 {
				t.Errorf("%s: %+v, %v, %v", name, found, ok, err)
			}
		})
		if n > fewBytes {
			t.Errorf("%s: took %d MiB", name, n>>20)
		}
	}
}

// Such a batch ended compaction of its topic until the next start, and at that again.
func TestAHugeBatchIsCompactedInLittleMemory(t *testing.T) {
	w := compacted(t)
	w.tune(func(s *Settings) { s.SegmentBytes = math.MaxInt32 })
	w.append(hugeBatch("k"))
	w.put(batch.BuilderOptions{}, "k-7=new", "other=1")
	w.endSegment()
	n := allocated(func() {
		d, err := w.log.Dirt(0, w.clock)
		if err != nil {
			t.Fatal(err)
		}
		o := cleanerOptions
		o.BufferBytes = 512 << 10
		if stats, err := w.log.Clean(context.Background(), d, w.clock, o); err != nil || stats.RecordsKept != 34 || stats.CleanedTo != 35 {
			t.Fatalf("%+v, %v", stats, err)
		}
	})
	if n > fewBytes {
		t.Errorf("took %d MiB", n>>20)
	}
	whole, err := readAll(w.log, 0, 35, 4<<20)
	if err != nil {
		t.Fatal(err)
	}
	h, first, _, err := batch.Next(whole)
	if err != nil || batch.CheckCRC(first) != nil || h.LastOffset() != 32 || h.NumRecords != 32 || h.Codec() != batch.CodecLZ4 {
		t.Fatalf("%+v, %v", h, err)
	}
	var offsets []int64
	for r, err := range batch.Scan(first, nil) {
		if err != nil {
			t.Fatal(err)
		}
		offsets = append(offsets, r.Offset)
	}
	if len(offsets) != 32 || slices.Contains(offsets, 7) {
		t.Errorf("records at %v", offsets)
	}
}
