//go:build suite && linux

package faults

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/test/kafka/kafkatest"
)

const bitRecords = 200

// damages are places in a batch that a bit can flip at. Where it takes the way to the next batch with it, the records
// behind it in the segment may be out of reach, too.
var damages = []struct {
	name    string
	at      func(batch []byte) int
	wayLost bool
}{
	{"a record", func(batch []byte) int { return len(batch) / 2 }, false},
	{"the checksum", func([]byte) int { return 17 }, false},
	{"the length", func([]byte) int { return 10 }, true},
	{"the offset", func([]byte) int { return 6 }, true}, // no checksum covers it
	{"the magic", func([]byte) int { return 16 }, true},
}

func TestAFlippedBitInAClosedSegmentIsReportedAndNeverServed(t *testing.T) {
	for _, d := range damages {
		t.Run("in "+d.name, func(t *testing.T) { flippedBit(t, d.at, d.wayLost) })
	}
}

func flippedBit(t *testing.T, at func(batch []byte) int, wayLost bool) {
	broker := start(t, kafkatest.Options{})
	newClient(t, broker.Address).create("bits", map[string]string{"internal.segment.bytes": "65536"})
	writeBits(t, dial(t, broker.Address))
	must(t, broker.Stop())
	segments, err := filepath.Glob(filepath.Join(broker.DataDir, "bits-0", "*.log"))
	must(t, err)
	slices.Sort(segments)
	if len(segments) < 4 {
		t.Fatalf("%d segments, want at least 4", len(segments))
	}
	sizes := sizesOf(t, segments)
	damaged := flipInTheMiddle(t, segments[1], at)
	must(t, broker.Start())

	l := dial(t, broker.Address)
	if served := readUntil(t, l, 0, damaged); served != damaged {
		t.Fatalf("reading ended at offset %d, the damaged batch is at %d", served, damaged)
	}
	for range 2 { // It stays so.
		got, err := l.fetch("bits", damaged)
		if len(got) > 0 || !errors.Is(err, kerr.CorruptMessage) {
			t.Fatalf("the damaged batch is answered with %d bytes and %v, want none and %v", len(got), err, kerr.CorruptMessage)
		}
	}
	behind := damaged + 1
	if wayLost {
		behind = baseOf(t, segments[2])
	}
	if end := readUntil(t, l, behind, bitRecords); end != bitRecords {
		t.Fatalf("reading behind the damage ended at offset %d of %d", end, bitRecords)
	}
	if offset, err := l.produce("bits", value(bitRecords, 2000)); err != nil || offset != bitRecords {
		t.Errorf("the next record got offset %d, %v", offset, err)
	}
	if got := sizesOf(t, segments[:len(segments)-1]); !slices.Equal(got, sizes[:len(sizes)-1]) {
		t.Errorf("the closed segments had %v bytes and now have %v", sizes, got)
	}
	lines := linesWith(t, broker, "damaged")
	if lines < 1 || lines > 3 || linesWith(t, broker, "bits-0") < 1 {
		t.Errorf("%d lines of the log tell of the damage, want one or two, with the partition's name", lines)
	}
	t.Logf("%d segments; batch %d damaged; %d and %d records around it read; %d log lines", len(segments), damaged, damaged, bitRecords-behind, lines)
}

func writeBits(t *testing.T, l *line) {
	t.Helper()
	for i := range uint64(bitRecords) {
		offset, err := l.produce("bits", value(i, 2000))
		if err != nil || offset != int64(i) {
			t.Fatalf("record %d got offset %d, %v", i, offset, err)
		}
	}
}

// readUntil fetches from one offset until another, or until the broker says that data is corrupt, and returns how far
// it came. Each record must be the one that was acknowledged.
func readUntil(t *testing.T, l *line, from, until int64) int64 {
	t.Helper()
	for from < until {
		batches, err := l.fetch("bits", from)
		if errors.Is(err, kerr.CorruptMessage) {
			return from
		}
		must(t, err)
		if len(batches) == 0 {
			t.Fatalf("nothing at offset %d, before %d", from, until)
		}
		for len(batches) > 0 {
			_, whole, rest, err := batch.Next(batches)
			must(t, err)
			if err := batch.CheckCRC(whole); err != nil {
				t.Fatalf("a damaged batch was served for offset %d: %v", from, err)
			}
			for r, err := range batch.Records(whole, 1<<20) {
				must(t, err)
				if r.Offset < from {
					continue
				}
				if r.Offset != from || !bytes.Equal(r.Value, value(uint64(r.Offset), 2000)) {
					t.Fatalf("offset %d is answered with another record, of offset %d", from, r.Offset)
				}
				from++
			}
			batches = rest
		}
	}
	return from
}

// flipInTheMiddle flips a bit of a record in the middle of a segment and returns the batch's offset.
func flipInTheMiddle(t *testing.T, segment string, at func(batch []byte) int) int64 {
	t.Helper()
	b, err := os.ReadFile(segment)
	must(t, err)
	for rest := b; ; {
		h, whole, after, err := batch.Next(rest)
		must(t, err)
		if len(after) > len(b)/2 {
			rest = after
			continue
		}
		whole[at(whole)] ^= 0x10 // Next does not copy
		must(t, os.WriteFile(segment, b, 0o644))
		return h.BaseOffset
	}
}

// baseOf is the first offset of a segment, which its name says.
func baseOf(t *testing.T, segment string) int64 {
	t.Helper()
	base, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(segment), ".log"), 10, 64)
	must(t, err)
	return base
}

func sizesOf(t *testing.T, files []string) []int64 {
	t.Helper()
	sizes := make([]int64, len(files))
	for i, file := range files {
		info, err := os.Stat(file)
		must(t, err)
		sizes[i] = info.Size()
	}
	return sizes
}
