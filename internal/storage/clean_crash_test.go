package storage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// view is what a consumer with read_committed ends up with that reads the whole log into a table: the slow obvious twin
// of compaction. Tombstones leave nothing.
func view(t *testing.T, l *Log) map[string]string {
	t.Helper()
	end := l.LastStableOffset()
	aborted, err := l.AbortedTransactions(l.StartOffset(), end)
	if err != nil {
		t.Fatal(err)
	}
	b, err := readAll(l, l.StartOffset(), end, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	for next := int64(-1); len(b) > 0; {
		h, whole, rest, err := batch.Next(b)
		if err == nil {
			err = batch.CheckCRC(whole)
		}
		if err != nil || h.BaseOffset < next {
			t.Fatalf("batch at %d after %d: %v", h.BaseOffset, next, err)
		}
		next, b = h.NextOffset(), rest
		if !h.Control() && !isAborted(aborted, &h) {
			fold(t, table, whole)
		}
	}
	return table
}

func isAborted(aborted []AbortedTransaction, h *batch.Header) bool {
	for _, a := range aborted {
		if h.Transactional() && a.ProducerID == h.ProducerID && a.FirstOffset <= h.BaseOffset && h.LastOffset() < a.LastOffset {
			return true
		}
	}
	return false
}

func fold(t *testing.T, table map[string]string, whole []byte) {
	t.Helper()
	for r, err := range batch.Records(whole, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Value == nil {
			delete(table, string(r.Key))
		} else {
			table[string(r.Key)] = string(r.Value)
		}
	}
}

func sameTable(a, b map[string]string) string {
	for k, v := range a {
		if b[k] != v {
			return fmt.Sprintf("%s is %q, was %q", k, b[k], v)
		}
	}
	for k, v := range b {
		if _, has := a[k]; !has {
			return fmt.Sprintf("%s is %q, was not there", k, v)
		}
	}
	return ""
}

// chaos writes at random: plain batches, producers, transactions that end either way, tombstones, new segments.
type chaos struct {
	w    *world
	rng  *rand.Rand
	next [4]int32 // sequence by producer
	open [4]bool
}

func (c *chaos) step() {
	producer := c.rng.IntN(4)
	switch roll := c.rng.IntN(20); {
	case roll < 3:
		c.w.endSegment()
	case roll < 8 && c.open[producer]:
		c.w.end(int64(producer), 0, c.rng.IntN(2) == 0)
		c.open[producer] = false
	default:
		n := 1 + c.rng.IntN(4)
		var records []string
		for range n {
			r := fmt.Sprintf("key-%d", c.rng.IntN(12))
			if c.rng.IntN(5) > 0 {
				r += fmt.Sprintf("=%d", c.rng.IntN(1_000_000))
			}
			records = append(records, r)
		}
		o := batch.BuilderOptions{Codec: batch.Codec(c.rng.IntN(5))}
		if producer > 0 {
			o.Producer = &batch.Producer{ID: int64(producer), BaseSequence: c.next[producer]}
			o.Transactional = producer > 1
			c.next[producer] += int32(n)
			c.open[producer] = producer > 1
		}
		c.w.put(o, records...)
	}
	c.w.log.SetHighWatermark(c.w.log.EndOffset())
	c.w.clock = c.w.clock.Add(time.Duration(c.rng.IntN(400)) * time.Millisecond)
}

func TestNoConsumerCanTellThatALogWasCompacted(t *testing.T) {
	for seed := range uint64(8) {
		w := compacted(t)
		c := &chaos{w: w, rng: rand.New(rand.NewPCG(seed, 1))}
		dirty := int64(0)
		for i := range 150 {
			c.step()
			if i%10 > 0 {
				continue
			}
			before, end := view(t, w.log), w.log.EndOffset()
			producers, err := w.log.Producers()
			if err != nil {
				t.Fatal(err)
			}
			dirty = w.clean(dirty)
			if c.rng.IntN(3) == 0 {
				w.kill()
				w.log.SetHighWatermark(end)
			}
			if diff := sameTable(before, view(t, w.log)); diff != "" || w.log.EndOffset() != end {
				t.Fatalf("seed %d, step %d: %s; end %d, was %d", seed, i, diff, w.log.EndOffset(), end)
			}
			after, err := w.log.Producers()
			if err != nil || len(after) != len(producers) {
				t.Fatalf("seed %d, step %d: producers %+v, were %+v: %v", seed, i, after, producers, err)
			}
			for p := range after {
				if after[p] != producers[p] {
					t.Fatalf("seed %d, step %d: producer %+v, was %+v", seed, i, after[p], producers[p])
				}
			}
		}
		for id, open := range c.open {
			if open {
				w.end(int64(id), 0, true)
			}
		}
		for range 3 { // horizons are set, pass, and what was behind them goes
			w.put(batch.BuilderOptions{}, "key-0=last")
			w.endSegment()
			dirty = w.clean(dirty)
			w.clock = w.clock.Add(time.Hour)
		}
		if kept := w.kept(); len(kept) > 30 {
			t.Errorf("seed %d: %d records kept of 12 keys: %q", seed, len(kept), kept)
		}
	}
}

// cleaningOn writes a log onto a disk, durably, compacts it and drops what was replaced, until the power goes.
func cleaningOn(t *testing.T, disk vfs.FS, ready func()) (table map[string]string, clean func() error, l *Log) {
	t.Helper()
	w := newWorld(t, disk, "/data/topic-0")
	w.tune(func(s *Settings) {
		s.Compact, s.Delete, s.DeleteRetentionMs, s.SegmentBytes, s.FileDeleteDelayMs = true, false, 0, 3000, 0
	})
	c := &chaos{w: w, rng: rand.New(rand.NewPCG(5, 5))}
	for range 30 {
		c.step()
	}
	w.endSegment()
	if err := errors.Join(w.log.Sync(), disk.SyncDir("/data"), disk.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	table = view(t, w.log)
	ready()
	return table, func() error {
		for range 2 { // the second one drops tombstones
			d, err := w.log.Dirt(0, w.clock)
			if err != nil {
				return err
			}
			if _, err := w.log.Clean(context.Background(), d, w.clock, cleanerOptions); err != nil {
				return err
			}
			w.clock = w.clock.Add(time.Hour)
			if _, err := w.log.Housekeep(w.clock); err != nil {
				return err
			}
			if err := w.log.Sync(); err != nil {
				return err
			}
		}
		return nil
	}, w.log
}

// cutWhileCleaning takes the power away before each change of a cleaning, and returns what readers find different then.
func cutWhileCleaning(t *testing.T, mutation *vfs.Mutation, outcomes int) (cuts int64, broken []string) {
	t.Helper()
	mutate := func(m *vfs.Mem) vfs.FS {
		if mutation == nil {
			return m
		}
		return vfs.WithoutSyncs(m, *mutation)
	}
	whole := vfs.NewMem()
	table, clean, _ := cleaningOn(t, mutate(whole), func() { cuts = -whole.Changes() })
	if err := clean(); err != nil {
		t.Fatal(err)
	}
	cuts += whole.Changes()
	for n := range cuts + 1 {
		m := vfs.NewMem()
		_, clean, l := cleaningOn(t, mutate(m), func() { m.PowerOffAt(n) })
		if err := clean(); err != nil && !m.Off() {
			t.Fatalf("cut %d: %v", n, err)
		}
		end := l.EndOffset()
		for outcome := range outcomes {
			var rng *rand.Rand
			if outcome > 0 {
				rng = rand.New(rand.NewPCG(uint64(n), uint64(outcome)))
			}
			if diff := afterCut(t, m.Crash(rng), end, table); diff != "" {
				broken = append(broken, fmt.Sprintf("cut %d, outcome %d: %s", n, outcome, diff))
			}
		}
		if mutation != nil && len(broken) > 0 {
			break
		}
	}
	return cuts, broken
}

// afterCut opens what a power cut left and compares it with what was durable.
func afterCut(t *testing.T, disk *vfs.Mem, end int64, table map[string]string) string {
	t.Helper()
	settings := testSettings()
	l, err := Open(Options{FS: disk, Dir: "/data/topic-0", Files: NewFiles(10), Settings: &settings, Checkpoint: Checkpoint{RecoveryPoint: end}})
	if err != nil {
		return err.Error()
	}
	defer l.Close(false)
	l.SetHighWatermark(l.EndOffset())
	if l.EndOffset() != end {
		return fmt.Sprintf("the log ends at %d, not %d", l.EndOffset(), end)
	}
	if at, cause := l.Damaged(); at >= 0 {
		return fmt.Sprintf("damaged at %d: %v", at, cause)
	}
	entries, err := disk.ReadDir("/data/topic-0")
	if err != nil {
		return err.Error()
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), cleanedSuffix) || strings.HasSuffix(e.Name(), swapSuffix) {
			return e.Name() + " is left"
		}
	}
	return sameTable(table, view(t, l))
}

func TestAPowerCutDuringCompactionLosesAndBringsBackNothing(t *testing.T) {
	cuts, broken := cutWhileCleaning(t, nil, 3)
	for _, b := range broken[:min(len(broken), 10)] {
		t.Error(b)
	}
	t.Logf("%d cuts", cuts)
}

// TestEachSyncOfACompactionIsNeeded leaves one out: the test above must notice, or it proves nothing.
func TestEachSyncOfACompactionIsNeeded(t *testing.T) {
	for _, mutation := range []vfs.Mutation{
		{Kind: vfs.OpSync, Pattern: "*.log" + cleanedSuffix},
		{Kind: vfs.OpSyncDir, Pattern: "topic-0"},
	} {
		if _, broken := cutWhileCleaning(t, &mutation, 5); len(broken) == 0 {
			t.Errorf("%v: nobody notices", mutation)
		}
	}
}
