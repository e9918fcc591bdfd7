package storage

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// mixed is a closed log of several segments with producers and transactions, and its batches by offset.
func mixed(t *testing.T) (w *world, batches map[int64][]byte) {
	w = inMemory(t)
	w.tune(func(s *Settings) { s.SegmentBytes, s.IndexIntervalBytes = 2500, 300 })
	batches = map[int64][]byte{}
	keep := func(b []byte) { w.append(b); h, _ := batch.ParseHeader(b); batches[h.BaseOffset] = bytes.Clone(b) }
	for i := range int32(15) {
		w.clock = w.clock.Add(time.Second)
		keep(w.produced(1, 0, i*3, 3))
		keep(w.plain(2, 150))
		keep(w.inTransaction(2, 0, i, 1))
		a := w.end(2, 0, i%3 == 0)
		batches[a.BaseOffset] = w.read(a.BaseOffset, 1)
	}
	return w, batches
}

// harm changes a file at random.
func harm(rng *rand.Rand, b []byte) []byte {
	if len(b) == 0 {
		return append(b, byte(rng.Uint32()))
	}
	at := rng.IntN(len(b))
	switch rng.IntN(5) {
	case 0:
		b[at] ^= 1 << rng.IntN(8)
	case 1:
		return b[:at]
	case 2:
		clear(b[at:min(len(b), at+1+rng.IntN(200))])
	case 3:
		return append(b, b[at:]...)
	case 4:
		return append(b, make([]byte, rng.IntN(300))...)
	}
	return b
}

// afterOffsets is where the part of a batch begins that its checksum vouches for, itself included: base offset, length and
// leader epoch before it are checked only by what is around them.
const afterOffsets = 16

func TestWhateverHappensToTheFilesNoWrongBatchIsServed(t *testing.T) {
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 9))
		w, batches := mixed(t)
		if rng.IntN(2) == 0 {
			w.closeCleanly()
		} else {
			w.log.Close(false)
		}
		genuine := map[string]bool{}
		for _, b := range batches {
			genuine[string(b[afterOffsets:])] = true
		}
		names := w.names()
		var harmed []string
		for range 1 + rng.IntN(3) {
			name := names[rng.IntN(len(names))]
			harmed = append(harmed, name)
			w.patch(name, func(b []byte) []byte { return harm(rng, b) })
		}
		c := Checkpoint{Clean: rng.IntN(3) == 0, SameBoot: rng.IntN(2) == 0, RecoveryPoint: rng.Int64N(120)}
		l, err := Open(w.options(c))
		if err != nil {
			t.Fatalf("seed %d, harmed %v, %+v: %v", seed, harmed, c, err)
		}
		w.log = l
		w.clock = w.clock.Add(time.Second)
		tail := w.plain(1, 30)
		a, err := l.Append(tail, AppendOptions{})
		if err != nil {
			t.Fatalf("seed %d, harmed %v, %+v: append: %v", seed, harmed, c, err)
		}
		served := 0
		for from := l.StartOffset(); from < l.EndOffset(); from++ {
			got, err := readAll(l, from, l.EndOffset(), 1+rng.IntN(900))
			if err != nil && !isError(err, kerr.CorruptMessage) {
				t.Fatalf("seed %d, harmed %v, %+v: read at %d: %v", seed, harmed, c, from, err)
			}
			for len(got) > 0 {
				h, whole, rest, _ := batch.Next(got)
				if h.BaseOffset != a.BaseOffset && !genuine[string(whole[afterOffsets:])] {
					t.Fatalf("seed %d, harmed %v, %+v: wrong batch served at offset %d", seed, harmed, c, h.BaseOffset)
				}
				served, got = served+1, rest
			}
		}
		if got, err := readAll(l, a.BaseOffset, a.EndOffset, 1); err != nil || !bytes.Equal(got, tail) {
			t.Fatalf("seed %d, harmed %v, %+v: the append is not read back: %v", seed, harmed, c, err)
		}
		if _, err := l.Producers(); err != nil {
			t.Fatalf("seed %d, harmed %v, %+v: producers: %v", seed, harmed, c, err)
		}
		if _, _, err := l.OffsetForTimestamp(testStart + 5000); err != nil && !isError(err, kerr.CorruptMessage) {
			t.Fatalf("seed %d, harmed %v, %+v: timestamp: %v", seed, harmed, c, err)
		}
		if err := l.Truncate(l.EndOffset() / 2); err != nil {
			t.Fatalf("seed %d, harmed %v, %+v: truncate: %v", seed, harmed, c, err)
		}
		l.Close(false)
	}
}

func TestAnInterruptedCompactionIsFinishedOrUndone(t *testing.T) {
	for _, stage := range []string{".cleaned", ".swap", "live"} {
		t.Run(strings.TrimPrefix(stage, "."), func(t *testing.T) {
			w, batches := mixed(t)
			w.closeCleanly()
			list := bases(w.log.entry().Segments)
			// One segment in place of the first two, without the batch at offset 0.
			var cleaned []byte
			for offset := int64(1); offset < list[2]; offset++ {
				cleaned = append(cleaned, batches[offset]...)
			}
			suffix := stage
			if stage == "live" { // the log was renamed, its indexes not yet
				suffix = ".swap"
				w.patch(firstLog, func([]byte) []byte { return cleaned })
				for _, kind := range []fileKind{logFile, offsetIndexFile, timeIndexFile, txnIndexFile} {
					_ = w.disk.Remove(filepath.Join(w.dir, offsetName(list[1])+kind.suffix()))
				}
				_ = w.disk.Remove(filepath.Join(w.dir, "00000000000000000000.index"))
				_ = w.disk.Remove(filepath.Join(w.dir, "00000000000000000000.timeindex"))
			} else if err := vfs.WriteFileAtomic(w.disk, filepath.Join(w.dir, firstLog+suffix), cleaned, true); err != nil {
				t.Fatal(err)
			}
			for _, kind := range []string{".index", ".timeindex"} {
				if err := vfs.WriteFileAtomic(w.disk, filepath.Join(w.dir, "00000000000000000000"+kind+suffix), nil, true); err != nil {
					t.Fatal(err)
				}
			}
			w.reopen(Checkpoint{Clean: true})
			got := offsets(t, w.read(0, 1<<20))
			if wantFirst := map[string]int64{".cleaned": 0, ".swap": 3, "live": 3}[stage]; got[0] != wantFirst {
				t.Fatalf("the log begins at %d, want %d", got[0], wantFirst)
			}
			for _, name := range w.names() {
				if strings.HasSuffix(name, ".cleaned") || strings.HasSuffix(name, ".swap") {
					t.Fatalf("files %v", w.names())
				}
			}
			if n := len(got); n != len(batches) && n != len(batches)-1 {
				t.Fatalf("%d batches of %d", n, len(batches))
			}
		})
	}
}
