package batch

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"testing"
)

var allCodecs = []Codec{CodecNone, CodecGzip, CodecSnappy, CodecLZ4, CodecZstd}

// someRecords are n records of about size bytes with everything that a record can have.
func someRecords(n, size int) []Record {
	records := make([]Record, n)
	for i := range records {
		value := bytes.Repeat(fmt.Appendf(nil, "value %d of a record; ", i), size/20+1)[:size]
		records[i] = Record{Offset: int64(i), Timestamp: 1_700_000_000_000 + int64(i%7), Key: fmt.Appendf(nil, "key-%d", i), Value: value}
		switch i % 5 {
		case 1:
			records[i].Value = nil
		case 2:
			records[i].Headers = []RecordHeader{{"trace", []byte("abc")}, {"", nil}, {"empty", []byte{}}}
		case 3:
			records[i].Key = []byte{}
		}
	}
	return records
}

func build(o BuilderOptions, records []Record) []byte {
	b := NewBuilder(o)
	for _, r := range records {
		b.Append(r)
	}
	return b.Build()
}

func decode(t testing.TB, b []byte) []Record {
	t.Helper()
	var records []Record
	for r, err := range Records(b, 0) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return records
}

func sameRecords(t testing.TB, want, got []Record) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(want[i], got[i]) { // which tells nil from empty
			t.Fatalf("record %d is %#v, want %#v", i, got[i], want[i])
		}
	}
}

func TestARecordComesOutOfABatchAsItWentIn(t *testing.T) {
	for _, codec := range allCodecs {
		for _, n := range []int{1, 2, 300, 2000} {
			t.Run(fmt.Sprint(codec, n), func(t *testing.T) {
				want := someRecords(n, 200)
				for i := range want {
					want[i].Offset += 1000
				}
				b := build(BuilderOptions{BaseOffset: 1000, Codec: codec, LeaderEpoch: 5}, want)
				if err := CheckCRC(b); err != nil {
					t.Fatal(err)
				}
				h, whole, rest, err := Next(append(bytes.Clone(b), 1, 2))
				if err != nil || len(rest) != 2 || !bytes.Equal(whole, b) {
					t.Fatalf("Next: %v, %d bytes rest", err, len(rest))
				}
				if h.LastOffset() != 999+int64(n) || h.NumRecords != int32(n) || h.Codec() != codec || h.LeaderEpoch != 5 {
					t.Fatalf("header %+v", h)
				}
				sameRecords(t, want, decode(t, b))
			})
		}
	}
}

func TestTheHeaderSurvivesBeingWrittenAndParsed(t *testing.T) {
	want := Header{
		BaseOffset: math.MaxInt64, Length: HeaderSize - LogOverhead, LeaderEpoch: math.MinInt32, Magic: 2, CRC: math.MaxUint32,
		Attributes: -1, LastOffsetDelta: -2, BaseTimestamp: math.MinInt64, MaxTimestamp: math.MaxInt64, ProducerID: 1 << 60,
		ProducerEpoch: -3, BaseSequence: math.MaxInt32, NumRecords: 7,
	}
	b := make([]byte, HeaderSize)
	want.put(b)
	if got, err := ParseHeader(b); err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestSequencesWrapToZero(t *testing.T) {
	for _, c := range []struct{ base, delta, want int32 }{
		{0, 0, 0}, {5, 4, 9}, {math.MaxInt32, 0, math.MaxInt32}, {math.MaxInt32, 1, 0}, {math.MaxInt32 - 2, 5, 2},
		{NoSequence, 3, NoSequence},
	} {
		if got := (Header{BaseSequence: c.base, LastOffsetDelta: c.delta}).LastSequence(); got != c.want {
			t.Errorf("%d + %d = %d, want %d", c.base, c.delta, got, c.want)
		}
	}
}

func TestWhatLiesOutsideTheChecksumCanBeSetFreely(t *testing.T) {
	b := build(BuilderOptions{}, someRecords(3, 10))
	SetBaseOffset(b, 1<<40)
	SetLeaderEpoch(b, 77)
	if err := CheckCRC(b); err != nil {
		t.Fatal(err)
	}
	SetTimestamps(b, 4711, true)
	h, err := ParseHeader(b)
	if err != nil || CheckCRC(b) != nil || !h.LogAppendTime() || h.MaxTimestamp != 4711 || h.BaseOffset != 1<<40 || h.LeaderEpoch != 77 {
		t.Fatalf("%+v %v", h, err)
	}
	for _, r := range decode(t, b) {
		if r.Timestamp != 4711 {
			t.Fatalf("timestamp %d, want the append time", r.Timestamp)
		}
	}
}

func TestACompactedBatchKeepsItsLastOffset(t *testing.T) {
	horizon := int64(123456)
	o := BuilderOptions{
		BaseOffset: 100, DeleteHorizonMs: &horizon, Transactional: true,
		Producer: &Producer{ID: 9, Epoch: 2, BaseSequence: 40},
	}
	b := NewBuilder(o)
	want := Record{Offset: 103, Timestamp: 5000, Key: []byte("k")}
	if err := b.AppendAt(want); err != nil {
		t.Fatal(err)
	}
	if b.AppendAt(Record{Offset: 103}) == nil || b.AppendAt(Record{Offset: 100 + 1<<31}) == nil {
		t.Fatal("offsets that do not rise, or do not fit, were taken")
	}
	b.SetLastOffset(109)
	out := b.Build()
	h, err := ParseHeader(out)
	if ms, ok := h.DeleteHorizon(); err != nil || !ok || ms != horizon || h.LastOffset() != 109 || h.NumRecords != 1 {
		t.Fatalf("%+v %v", h, err)
	}
	sameRecords(t, []Record{want}, decode(t, out))
	if again := OptionsOf(h); *again.Producer != *o.Producer || *again.DeleteHorizonMs != horizon || !again.Transactional {
		t.Fatalf("%+v", again)
	}

	empty := EmptyBatch(h)
	e, err := ParseHeader(empty)
	if err != nil || CheckCRC(empty) != nil || e.Size() != HeaderSize || e.LastOffset() != 109 || e.LastSequence() != h.LastSequence() || e.NumRecords != 0 {
		t.Fatalf("%+v %v", e, err)
	}
	if len(decode(t, empty)) != 0 {
		t.Fatal("records in an empty batch")
	}
}

func TestATransactionMarkerIsReadBack(t *testing.T) {
	for _, commit := range []bool{true, false} {
		want := EndTxnMarker{Commit: commit, CoordinatorEpoch: 12}
		b := BuildEndTxnMarker(4000, 3, want, 99)
		h, err := ParseHeader(b)
		if err != nil || !h.Control() || !h.Transactional() || h.ProducerID != 4000 || h.ProducerEpoch != 3 || h.BaseSequence != NoSequence {
			t.Fatalf("%+v %v", h, err)
		}
		got, err := ParseEndTxnMarker(decode(t, b)[0])
		if err != nil || got != want {
			t.Fatalf("%+v %v", got, err)
		}
		if _, err := Check(b, CheckOptions{Origin: FromCoordinator, Compacted: true, Codec: CodecZstd, BeforeMaxMs: math.MaxInt64, AfterMaxMs: math.MaxInt64}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ParseControlType([]byte{0, 0, 0}); err == nil {
		t.Fatal("a short key was taken")
	}
	if _, err := ParseEndTxnMarker(ControlRecord(ControlLeaderChange, nil, 0)); err == nil {
		t.Fatal("a leader change was taken for a marker")
	}
}

func TestVarintsMatchTheirSizes(t *testing.T) {
	for _, v := range []int64{0, -1, 1, 63, 64, -64, -65, 1 << 20, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64} {
		b := appendVarint(nil, v)
		got, end := readVarint64(b, 0)
		if got != v || end != len(b) || varintSize(v) != len(b) {
			t.Errorf("%d: read %d, %d bytes, size %d, end %d", v, got, len(b), varintSize(v), end)
		}
		if got, end := readVarint32(b, 0); v == int64(int32(v)) && (int64(got) != v || end < 0) || v != int64(int32(v)) && end >= 0 {
			t.Errorf("%d as 32 bits: %d, %d", v, got, end)
		}
	}
}
