package batch

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// fuzzLimit keeps the fuzzer from spending its time on bombs.
const fuzzLimit = 1 << 20

// addGolden seeds a fuzzer with what Kafka wrote.
func addGolden(f *testing.F) {
	files, err := filepath.Glob("testdata/kafka/*.bin")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, file := range files {
		f.Add(golden(f, filepath.Base(file)[:len(filepath.Base(file))-len(".bin")]))
	}
}

// knownError fails for errors by which a client would be told UNKNOWN_SERVER_ERROR.
func knownError(t *testing.T, err error) {
	t.Helper()
	for _, known := range []error{
		kerr.CorruptMessage, kerr.InvalidRecord, kerr.InvalidTimestamp, kerr.MessageTooLarge, kerr.UnsupportedCompressionType,
	} {
		if errors.Is(err, known) {
			return
		}
	}
	t.Fatalf("an error that no client understands: %v", err)
}

func FuzzParseHeader(f *testing.F) {
	addGolden(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if err != nil {
			knownError(t, err)
			return
		}
		again := bytes.Clone(b)
		h.put(again)
		if !bytes.Equal(again, b) {
			t.Fatalf("%+v is not what was parsed", h)
		}
		if _, whole, rest, err := Next(b); err == nil && len(whole)+len(rest) != len(b) {
			t.Fatal("bytes got lost")
		}
	})
}

func FuzzRecords(f *testing.F) {
	addGolden(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		var records []Record
		for r, err := range Records(b, fuzzLimit) {
			if err != nil {
				knownError(t, err)
				return
			}
			records = append(records, r)
		}
		h, err := ParseHeader(b)
		if err == nil {
			scanAgrees(t, b, records)
		}
		if err != nil || h.LogAppendTime() || len(records) == 0 {
			return
		}
		again := NewBuilder(BuilderOptions{BaseOffset: h.BaseOffset})
		for _, r := range records {
			if again.AppendAt(r) != nil {
				return // offsets need not rise in a stranger's batch
			}
		}
		sameRecords(t, records, decode(t, again.Build()))
	})
}

func FuzzCheck(f *testing.F) {
	files, err := filepath.Glob("testdata/kafka/*.bin")
	if err != nil {
		f.Fatal(err)
	}
	for i, file := range files {
		b := golden(f, filepath.Base(file)[:len(filepath.Base(file))-len(".bin")])
		SetBaseOffset(b, 0)
		f.Add(b, byte(i), true)
	}
	f.Add(build(BuilderOptions{}, someRecords(5, 8)), byte(9), false)
	f.Fuzz(func(t *testing.T, b []byte, settings byte, fixCRC bool) {
		if size, magic, err := frame(b); fixCRC && err == nil && size >= HeaderSize && magic == MagicCurrent {
			SetCRC(b[:size])
		}
		o := open(CodecProducer)
		o.MaxDecoded = fuzzLimit
		o.LogAppendTime = settings&1 != 0
		o.Compacted = settings&2 != 0
		if settings&4 != 0 {
			o.BeforeMaxMs, o.AfterMaxMs = 1000, 1000
		}
		if settings&8 != 0 {
			o.ProduceVersion = int16(settings >> 4)
		}
		if settings&64 != 0 {
			o.Codec = Codec(settings >> 5 & 3)
		}
		before := bytes.Clone(b)
		c, err := Check(b, o)
		if err != nil {
			knownError(t, err)
			if !bytes.Equal(b, before) {
				t.Fatal("a refused batch was changed")
			}
		}
		if err == nil && len(c.Bytes) == 0 {
			return // an old producer's empty set
		}
		if magic, peek := PeekMagic(before); peek == nil && magic == MagicCurrent && !errors.Is(err, kerr.MessageTooLarge) {
			passes, maxTimestamp := slowCheck(before, o)
			if passes != (err == nil) {
				t.Fatalf("the slow twin says %v, Check %v", passes, err)
			}
			if passes && !o.LogAppendTime && c.MaxTimestamp != maxTimestamp {
				t.Fatalf("the slow twin's max timestamp is %d, Check's %d", maxTimestamp, c.MaxTimestamp)
			}
		}
		if err == nil {
			claimed, err := ParseHeader(before)
			checkedIsReadable(t, c, o, err == nil && claimed.LogAppendTime())
		}
	})
}

// checkedIsReadable holds Check to its promise about what it lets pass. Where the producer claimed the append time and the
// topic has create times, the max timestamp stays the claimed one, as in Kafka, though the records say less.
func checkedIsReadable(t *testing.T, c Checked, o CheckOptions, claimed bool) {
	t.Helper()
	h, err := ParseHeader(c.Bytes)
	if err != nil || h != c.Header || h.Size() != len(c.Bytes) || CheckCRC(c.Bytes) != nil {
		t.Fatalf("%+v, %v", h, err)
	}
	n := int32(0)
	for r, err := range Records(c.Bytes, fuzzLimit) {
		if err != nil || r.Offset != int64(n) {
			t.Fatalf("record %d at %d: %v", n, r.Offset, err)
		}
		if r.Timestamp > c.MaxTimestamp {
			t.Fatalf("timestamp %d over the max of %d", r.Timestamp, c.MaxTimestamp)
		}
		n++
	}
	if n != h.NumRecords || h.LastOffsetDelta != n-1 || h.MaxTimestamp != c.MaxTimestamp {
		t.Fatalf("%d records under %+v", n, h)
	}
	if h.LogAppendTime() || claimed {
		return
	}
	if again, err := Check(bytes.Clone(c.Bytes), CheckOptions{
		Codec: CodecProducer, BeforeMaxMs: o.BeforeMaxMs, AfterMaxMs: o.AfterMaxMs, NowMs: o.NowMs, ProduceVersion: 9,
	}); err != nil || again.Rebuilt || !bytes.Equal(again.Bytes, c.Bytes) {
		t.Fatalf("what passed does not pass again unchanged: %v", err)
	}
}

func FuzzUpConvert(f *testing.F) {
	addGolden(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		up, err := UpConvert(b, ConvertOptions{Codec: CodecProducer, MaxDecoded: fuzzLimit})
		if err != nil {
			knownError(t, err)
			return
		}
		if CheckCRC(up) != nil {
			t.Fatal("a wrong checksum")
		}
		want := decode(t, up)
		for _, magic := range []int8{MagicV0, MagicV1} {
			down, err := DownConvert(up, magic, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			again, err := UpConvert(down, ConvertOptions{Codec: CodecNone, KeepOffsets: true})
			if err != nil {
				t.Fatal(err)
			}
			got := decode(t, again)
			for i := range got {
				if magic == MagicV0 {
					got[i].Timestamp = want[i].Timestamp
				}
			}
			sameRecords(t, want, got)
		}
	})
}

func FuzzDownConvert(f *testing.F) {
	addGolden(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, magic := range []int8{MagicV0, MagicV1} {
			if _, err := DownConvert(b, magic, 3, fuzzLimit); err != nil {
				knownError(t, err)
			}
		}
	})
}

func FuzzControl(f *testing.F) {
	r := decode(f, golden(f, "commit-marker"))[0]
	f.Add(r.Key, r.Value)
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if _, err := ParseEndTxnMarker(Record{Key: key, Value: value}); err != nil {
			knownError(t, err)
		}
	})
}

func fuzzCodec(f *testing.F, c Codec) {
	for _, payload := range [][]byte{nil, []byte("a"), bytes.Repeat([]byte("hello hello "), 20000), golden(f, "v2-none")} {
		f.Add(Compress(c, Levels{}, nil, payload))
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := Decompress(c, b, fuzzLimit)
		if err != nil {
			knownError(t, err)
		}
		if len(out) > fuzzLimit {
			t.Fatalf("%d bytes", len(out))
		}
		if back, err := Decompress(c, Compress(c, Levels{}, nil, b), max(len(b), 1)); err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%d bytes came back as %d: %v", len(b), len(back), err)
		}
	})
}

func FuzzGzip(f *testing.F)   { fuzzCodec(f, CodecGzip) }
func FuzzSnappy(f *testing.F) { fuzzCodec(f, CodecSnappy) }
func FuzzLZ4(f *testing.F)    { fuzzCodec(f, CodecLZ4) }
func FuzzZstd(f *testing.F)   { fuzzCodec(f, CodecZstd) }

func FuzzCompressedWalkAgreesWithThePlainOne(f *testing.F) {
	f.Add(int32(3), build(BuilderOptions{}, someRecords(3, 10))[HeaderSize:])
	f.Fuzz(func(t *testing.T, n int32, payload []byte) {
		if n <= 0 {
			return
		}
		var results []string
		for _, codec := range []Codec{CodecNone, CodecSnappy} {
			b := withPayload(n, codec, Compress(codec, Levels{}, nil, payload))
			c, err := Check(b, CheckOptions{Origin: FromCoordinator, Codec: CodecProducer, BeforeMaxMs: 1 << 62, AfterMaxMs: 1 << 62})
			results = append(results, fmt.Sprint(err == nil, c.MaxTimestamp, c.DeltaOfMaxTimestamp))
		}
		if results[0] != results[1] {
			t.Fatalf("plain %s, compressed %s", results[0], results[1])
		}
	})
}
