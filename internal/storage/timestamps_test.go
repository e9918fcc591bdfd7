package storage

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// Searches by timestamp against a slow twin that knows every record.
func TestTimestampSearchesEqualAWalkOverTheRecords(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 3))
		w := inMemory(t)
		w.tune(func(s *Settings) { s.SegmentBytes, s.IndexIntervalBytes, s.SegmentMs = 4000, 300, 1<<40 })
		var records []Found
		for range 120 {
			b := batch.NewBuilder(batch.BuilderOptions{})
			n := 1 + rng.IntN(6)
			for range n {
				ts := testStart + rng.Int64N(1000)
				records = append(records, Found{Offset: int64(len(records)), Timestamp: ts, LeaderEpoch: 2})
				b.Append(batch.Record{Timestamp: ts, Value: make([]byte, rng.IntN(100))})
			}
			w.appendIn(2, b.Build())
		}
		check := func() {
			t.Helper()
			start := w.log.StartOffset()
			for range 300 {
				ts := testStart - 10 + rng.Int64N(1020)
				want, ok := Found{}, false
				for _, r := range records[start:] {
					if r.Timestamp >= ts {
						want, ok = r, true
						break
					}
				}
				got, found, err := w.log.OffsetForTimestamp(ts)
				if err != nil || found != ok || got != want {
					t.Fatalf("seed %d, start %d, timestamp %d: got %+v %v (%v), want %+v %v", seed, start, ts-testStart, got, found, err, want, ok)
				}
			}
		}
		check()
		largest := records[0]
		for _, r := range records {
			if r.Timestamp > largest.Timestamp {
				largest = r
			}
		}
		if got, ok, err := w.log.MaxTimestamp(); err != nil || !ok || got != largest {
			t.Fatalf("seed %d: max timestamp %+v (%v), want %+v", seed, got, err, largest)
		}
		w.log.SetHighWatermark(w.log.EndOffset())
		if err := w.log.DeleteRecordsBefore(w.log.EndOffset() / 3); err != nil {
			t.Fatal(err)
		}
		check()
		w.reopenClean()
		check()
		w.kill()
		check()
	}
}

func TestMarkersHaveTimestampsAsRecordsDo(t *testing.T) {
	w := inMemory(t)
	if _, ok, err := w.log.MaxTimestamp(); ok || err != nil {
		t.Fatalf("in an empty log: %v, %v", ok, err)
	}
	w.append(w.inTransaction(1, 0, 0, 1))
	w.clock = w.clock.Add(time.Hour)
	w.end(1, 0, true)
	if got, ok, err := w.log.OffsetForTimestamp(testStart + 1); !ok || err != nil || got.Offset != 1 {
		t.Fatalf("found %+v, %v, %v", got, ok, err)
	}
}
