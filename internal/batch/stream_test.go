package batch

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"testing"
)

func TestAStreamedBatchHoldsWhatWasPutIn(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 3*stagedBytes+17)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	want := append(someRecords(500, 5000), Record{Offset: 500, Timestamp: 1_700_000_000_000, Value: noise})
	for _, codec := range allCodecs {
		b := build(BuilderOptions{Codec: codec}, want)
		sameRecords(t, want, decode(t, b))
		readByKgo(t, shifted(b), moved(want), MagicCurrent)
	}
}

// shifted puts a batch, and moved its records, where readByKgo wants them.
func shifted(b []byte) []byte {
	b = bytes.Clone(b)
	SetBaseOffset(b, goldenBase)
	return b
}

func moved(records []Record) []Record {
	records = append([]Record(nil), records...)
	for i := range records {
		records[i].Offset += goldenBase
	}
	return records
}

func TestCopiedRecordsAreThoseThatWereChosen(t *testing.T) {
	records := someRecords(3000, 1000)
	odd := func(index int) bool { return index%2 == 1 }
	var want []Record
	for i, r := range records {
		if odd(i) {
			want = append(want, r)
		}
	}
	horizon := int64(12345)
	for _, codec := range allCodecs {
		for _, o := range []BuilderOptions{{Codec: codec}, {Codec: codec, DeleteHorizonMs: &horizon}} {
			b := NewBuilder(o)
			if err := b.AppendFrom(build(BuilderOptions{Codec: codec}, records), odd); err != nil {
				t.Fatal(err)
			}
			twin := NewBuilder(o)
			for _, r := range want {
				if err := twin.AppendAt(r); err != nil {
					t.Fatal(err)
				}
			}
			got := b.Build()
			sameRecords(t, want, decode(t, got))
			h, _ := ParseHeader(got)
			th, _ := ParseHeader(twin.Build())
			h.CRC, th.CRC, h.Length, th.Length = 0, 0, 0, 0 // blocks may end elsewhere
			if h != th {
				t.Fatalf("%s: %+v, of a twin %+v", codec, h, th)
			}
		}
	}
}

// scanAgrees holds Scan to what Records says of the same batch.
func scanAgrees(t *testing.T, b []byte, records []Record) {
	t.Helper()
	key, i := sha256.New(), 0
	for r, err := range Scan(b, key) {
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
		want := records[i]
		if r != (RecordHead{want.Offset, want.Timestamp, want.Key != nil, want.Value != nil}) {
			t.Fatalf("record %d: %+v, want %+v", i, r, want)
		}
		if sum := sha256.Sum256(want.Key); !bytes.Equal(key.Sum(nil), sum[:]) {
			t.Fatalf("record %d: another key", i)
		}
		i++
	}
	if i != len(records) {
		t.Fatalf("%d records, want %d", i, len(records))
	}
}

func TestAScanSeesWhatDecodingDoes(t *testing.T) {
	for _, codec := range allCodecs {
		for _, o := range []BuilderOptions{{BaseOffset: 7, Codec: codec}, {Codec: codec, LogAppendTime: true, AppendTimeMs: 99}} {
			b := build(o, someRecords(500, 300))
			scanAgrees(t, b, decode(t, b))
		}
	}
}
