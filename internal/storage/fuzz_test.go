package storage

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

func FuzzProducerSnapshot(f *testing.F) {
	state := ProducerState{ProducerID: 7, Epoch: 1, LastSequence: 5, LastOffset: 9, LastTimestamp: testStart, CoordinatorEpoch: 2, TransactionStart: -1}
	f.Add(encodeSnapshot(nil, nil))
	f.Add(encodeSnapshot([]ProducerState{state, {ProducerID: 8, LastOffset: -1, TransactionStart: 3}}, map[int64]int32{7: 4}))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := decodeSnapshot(b)
		if err != nil {
			return
		}
		states, deltas := []ProducerState{}, map[int64]int32{}
		seen := map[int64]bool{}
		for i := range entries {
			e := &entries[i]
			if seen[e.id] || e.state().LastOffset < 0 {
				return // not what is written
			}
			seen[e.id] = true
			states, deltas[e.id] = append(states, e.state()), e.batches[0].offsetDelta
		}
		again, err := decodeSnapshot(encodeSnapshot(states, deltas))
		if err != nil || !slices.Equal(again, entries) {
			t.Fatalf("%v became %v, %v", entries, again, err)
		}
	})
}

func FuzzLeaderEpochs(f *testing.F) {
	f.Add([]byte("0\n0\n"))
	f.Add([]byte("0\n2\n1 0\n3 17\n"))
	f.Add([]byte("0\n9999999999\n1 0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := decodeEpochs(b)
		if err != nil {
			return
		}
		again, err := decodeEpochs(encodeEpochs(entries))
		if err != nil || !slices.Equal(again, entries) {
			t.Fatalf("%v became %v, %v", entries, again, err)
		}
	})
}

func FuzzManifestEntry(f *testing.F) {
	entry := ManifestEntry{EndOffset: 5, Segments: []SegmentInfo{{Size: 9, MaxTimestamp: -1}}, Epochs: []EpochEntry{{1, 0}}, ProducerSnapshot: -1}
	f.Add(entry.AppendTo(nil))
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xf})
	f.Fuzz(func(t *testing.T, b []byte) {
		entry, _, err := DecodeManifestEntry(b)
		if err != nil {
			return
		}
		again, rest, err := DecodeManifestEntry(entry.AppendTo(nil))
		if err != nil || len(rest) > 0 || !reflect.DeepEqual(again, entry) {
			t.Fatalf("%+v became %+v, %v", entry, again, err)
		}
	})
}

// A log must open whatever its files hold, take appends, and give back what was appended since.
func FuzzOpenWhateverTheFilesHold(f *testing.F) {
	w := &world{clock: testClock()}
	two := append(w.plain(2, 20), w.plain(1, 10)...)
	batch.SetBaseOffset(two[len(two)-len(w.plain(1, 10)):], 2)
	f.Add(two, []byte{0, 0, 0, 1, 0, 0, 0, 0}, []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}, []byte{}, []byte("0\n1\n0 0\n"), byte(0))
	f.Add(two[:70], []byte{1}, []byte{}, make([]byte, 34), []byte{}, byte(5))
	f.Add([]byte{}, []byte{}, []byte{}, []byte{}, []byte{}, byte(9))
	f.Fuzz(func(t *testing.T, log, index, times, txns, epochs []byte, how byte) {
		w := newWorld(t, vfs.NewMem(), "/data/topic-0")
		w.log.Close(false)
		for name, b := range map[string][]byte{
			firstLog: log, "00000000000000000000.index": index, "00000000000000000000.timeindex": times,
			"00000000000000000000.txnindex": txns, epochCheckpointName: epochs,
		} {
			if err := vfs.WriteFileAtomic(w.disk, w.dir+"/"+name, b, false); err != nil {
				t.Fatal(err)
			}
		}
		c := Checkpoint{Clean: how&1 != 0, SameBoot: how&2 != 0, RecoveryPoint: int64(how >> 4), LogStartOffset: int64(how>>2) & 3}
		l, err := Open(w.options(c))
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		defer l.Close(false)
		b := w.plain(1, 10)
		a, err := l.Append(b, AppendOptions{})
		if err != nil {
			t.Fatalf("%+v: append: %v", c, err)
		}
		got, err := readAll(l, a.BaseOffset, a.EndOffset, 1000)
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%+v: read %d bytes back, %v", c, len(got), err)
		}
		_, _ = readAll(l, l.StartOffset(), l.EndOffset(), 100)
		_, _, _ = l.OffsetForTimestamp(0)
		_, _ = l.AbortedTransactions(0, 100)
	})
}
