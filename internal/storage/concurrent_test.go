package storage

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// Readers, a writer, retention, syncs and rolls at the same time: every batch that is read is whole, in its place and in
// order.
func TestReadersAndWritersAndRetentionDoNotDisturbEachOther(t *testing.T) {
	w := onDisk(t)
	w.files = NewFiles(8)
	w.closeCleanly()
	w.reopen(Checkpoint{Clean: true})
	w.tune(func(s *Settings) {
		s.SegmentBytes, s.IndexIntervalBytes, s.RetentionBytes, s.FileDeleteDelayMs = 20_000, 500, 100_000, 0
	})
	const total = 1500
	var done atomic.Bool
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() { followReader(t, w.log, &done) })
	}
	group.Go(func() {
		for !done.Load() {
			if err := w.log.Sync(); err != nil {
				t.Error(err)
			}
			w.log.SetHighWatermark(w.log.FlushedOffset())
			if _, err := w.log.Housekeep(w.clock); err != nil {
				t.Error(err)
			}
			_, _ = w.log.Producers()
			_, _, _ = w.log.OffsetForTimestamp(testStart)
			_ = w.log.Size()
		}
	})
	for i := range int32(total) {
		b := w.build(batch.BuilderOptions{Producer: &batch.Producer{ID: 1, BaseSequence: i * 3}}, 3, 300+int(i%200))
		if _, err := w.log.Append(b, AppendOptions{LeaderEpoch: i / 100}); err != nil {
			t.Fatal(err)
		}
	}
	done.Store(true)
	group.Wait()
	if w.log.StartOffset() == 0 || w.log.EndOffset() != 3*total {
		t.Fatalf("start %d, end %d", w.log.StartOffset(), w.log.EndOffset())
	}
}

// followReader reads from the start to the end, again from the start when retention has overtaken it, until done.
func followReader(t *testing.T, l *Log, done *atomic.Bool) {
	buf := make([]byte, 1<<16)
	from := l.StartOffset()
	for !done.Load() || from < l.EndOffset() {
		r, err := l.Read(from, l.EndOffset(), 5000, true)
		if isError(err, kerr.OffsetOutOfRange) {
			from = l.StartOffset()
			continue
		}
		if err != nil {
			t.Error(err)
			return
		}
		n, err := r.ReadInto(buf)
		r.Close()
		if err != nil {
			t.Error(err)
			return
		}
		for b := bytes.Clone(buf[:n]); len(b) > 0; {
			h, whole, rest, err := batch.Next(b)
			if err == nil {
				err = batch.CheckCRC(whole)
			}
			if err != nil || h.BaseOffset != from || h.LeaderEpoch != int32(h.BaseOffset/300) {
				t.Errorf("read at %d: batch at %d of epoch %d, %v", from, h.BaseOffset, h.LeaderEpoch, err)
				return
			}
			from, b = h.NextOffset(), rest
		}
	}
}
