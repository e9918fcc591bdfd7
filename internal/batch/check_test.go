package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func isKerr(err error, want error) bool { return errors.Is(err, want) }

// open are options that refuse nothing by settings.
func open(codec Codec) CheckOptions {
	return CheckOptions{Codec: codec, BeforeMaxMs: math.MaxInt64, AfterMaxMs: math.MaxInt64, NowMs: 1_700_000_000_500, ProduceVersion: 9}
}

// change returns a copy of b with bytes set and the checksum made right.
func change(b []byte, at int, set ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], set)
	SetCRC(b)
	return b
}

// withPayload returns a batch of n records with this payload behind the header.
func withPayload(n int32, codec Codec, payload []byte) []byte {
	return finish(append(make([]byte, HeaderSize), payload...), Header{
		Attributes: int16(codec), LastOffsetDelta: n - 1, NumRecords: n, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1,
	})
}

func TestAGoodBatchPassesUntouched(t *testing.T) {
	for _, codec := range allCodecs {
		b := build(BuilderOptions{Codec: codec}, someRecords(100, 50))
		before := bytes.Clone(b)
		c, err := Check(append(b, "half a batch"...), open(CodecProducer))
		if err != nil {
			t.Fatalf("%s: %v", codec, err)
		}
		if c.Rebuilt || !bytes.Equal(c.Bytes, before) || c.MaxTimestamp != 1_700_000_000_006 || c.DeltaOfMaxTimestamp != 6 {
			t.Fatalf("%s: %+v", codec, c.Header)
		}
	}
}

func TestABatchIsRecompressedOnlyForAnotherCodec(t *testing.T) {
	records := someRecords(100, 300)
	for _, from := range allCodecs {
		for _, to := range allCodecs {
			o := BuilderOptions{Codec: from, Transactional: true, Producer: &Producer{ID: 5, Epoch: 1, BaseSequence: 7}}
			c, err := Check(build(o, records), open(to))
			if err != nil || c.Rebuilt != (from != to) || c.Header.Codec() != to {
				t.Fatalf("%s to %s: %+v, %v", from, to, c.Header, err)
			}
			if CheckCRC(c.Bytes) != nil || !c.Header.Transactional() || c.Header.LastSequence() != 106 || c.DeltaOfMaxTimestamp != 6 {
				t.Fatalf("%s to %s: %+v", from, to, c.Header)
			}
			sameRecords(t, records, decode(t, c.Bytes))
		}
	}
}

func TestTheBrokersAppendTimeReplacesTheProducers(t *testing.T) {
	for _, target := range []Codec{CodecProducer, CodecLZ4} {
		o := open(target)
		o.LogAppendTime = true
		o.AfterMaxMs, o.BeforeMaxMs = 0, 0
		c, err := Check(build(BuilderOptions{}, someRecords(3, 10)), o)
		if err != nil || !c.Header.LogAppendTime() || c.MaxTimestamp != o.NowMs || c.Header.MaxTimestamp != o.NowMs || CheckCRC(c.Bytes) != nil {
			t.Fatalf("%+v %v", c, err)
		}
	}
}

func TestAWrongMaxTimestampIsPutRight(t *testing.T) {
	b := build(BuilderOptions{}, someRecords(3, 10))
	SetTimestamps(b, 5, false)
	c, err := Check(b, open(CodecProducer))
	if err != nil || c.Header.MaxTimestamp != 1_700_000_000_002 || CheckCRC(c.Bytes) != nil {
		t.Fatalf("%+v %v", c.Header, err)
	}
}

func TestCompressedOffsetsWithGapsAreNumberedAnew(t *testing.T) {
	for _, codec := range allCodecs {
		b := NewBuilder(BuilderOptions{Codec: codec})
		for _, offset := range []int64{0, 2, 3} {
			if err := b.AppendAt(Record{Offset: offset, Value: []byte("v")}); err != nil {
				t.Fatal(err)
			}
		}
		b.SetLastOffset(2)
		c, err := Check(b.Build(), open(CodecProducer))
		if codec == CodecNone {
			if !isKerr(err, kerr.InvalidRecord) {
				t.Fatalf("plain batch with a gap: %v", err)
			}
			continue
		}
		if err != nil || !c.Rebuilt {
			t.Fatalf("%s: %v", codec, err)
		}
		for i, r := range decode(t, c.Bytes) {
			if r.Offset != int64(i) {
				t.Fatalf("record %d at offset %d", i, r.Offset)
			}
		}
	}
}

func TestWhatProducersMayNotSend(t *testing.T) {
	good := build(BuilderOptions{}, someRecords(3, 10))
	producer := build(BuilderOptions{Producer: &Producer{ID: 5, BaseSequence: 0}}, someRecords(3, 10))
	zstd := build(BuilderOptions{Codec: CodecZstd}, someRecords(3, 500))
	record := good[HeaderSize:]
	compressed := func(c Codec, p []byte) []byte { return Compress(c, Levels{}, nil, p) }
	cases := []struct {
		story string
		b     []byte
		set   func(*CheckOptions)
		want  error
	}{
		{"no records", nil, nil, kerr.InvalidRecord},
		{"a few bytes", good[:11], nil, kerr.InvalidRecord},
		{"half a batch", good[:len(good)-1], nil, kerr.InvalidRecord},
		{"two batches", append(bytes.Clone(good), good...), nil, kerr.InvalidRecord},
		{"a flipped bit", flip(good, HeaderSize+5), nil, kerr.CorruptMessage},
		{"a wrong checksum", flip(good, posCRC), nil, kerr.CorruptMessage},
		{"magic 3", flip(good, posMagic, 1), nil, kerr.CorruptMessage},
		{"magic -1", flip(good, posMagic, 0xfd), nil, kerr.CorruptMessage},
		{"magic 1 in a new version", flip(good, posMagic, 3), nil, kerr.InvalidRecord},
		{"a length of zero", binaryPut(good, posLength, 0), nil, kerr.CorruptMessage},
		{"a negative length", binaryPut(good, posLength, 1<<31+5), nil, kerr.CorruptMessage},
		{"a length below the header", binaryPut(good, posLength, 30), nil, kerr.CorruptMessage},
		{"a base offset", setBase(good, 1), nil, kerr.InvalidRecord},
		{"too large a batch", good, func(o *CheckOptions) { o.MaxBatchBytes = len(good) - 1 }, kerr.MessageTooLarge},
		{"a batch that recompression made too large", zstd, func(o *CheckOptions) {
			o.MaxBatchBytes, o.Codec = len(zstd), CodecNone
		}, kerr.MessageTooLarge},
		{"no record in a batch", withPayload(0, 0, nil), nil, kerr.InvalidRecord},
		{"a negative count", withPayload(-5, 0, nil), nil, kerr.InvalidRecord},
		{"a count that the offsets belie", change(good, posNumRecords, 0, 0, 0, 2), nil, kerr.InvalidRecord},
		{"offsets that the count belies", change(good, posLastOffsetDelta, 0, 0, 0, 9), nil, kerr.InvalidRecord},
		{"fewer records than said", withPayload(4, 0, record), nil, kerr.InvalidRecord},
		{"more records than said", withPayload(2, 0, record), nil, kerr.InvalidRecord},
		{"fewer compressed records than said", withPayload(4, CodecLZ4, compressed(CodecLZ4, record)), nil, kerr.InvalidRecord},
		{"more compressed records than said", withPayload(2, CodecGzip, compressed(CodecGzip, record)), nil, kerr.InvalidRecord},
		{"garbage varints", withPayload(1, 0, bytes.Repeat([]byte{0xff}, 40)), nil, kerr.InvalidRecord},
		{"a control batch", change(good, posAttributes, 0, bitControl), nil, kerr.InvalidRecord},
		{"a delete horizon", change(good, posAttributes, 0, bitDeleteHorizon), nil, kerr.InvalidRecord},
		{"a producer without a sequence", change(producer, posBaseSequence, 0xff, 0xff, 0xff, 0xff), nil, kerr.InvalidRecord},
		{"a transaction without a producer", change(good, posAttributes, 0, bitTransactional), nil, kerr.InvalidRecord},
		{"zstd before it was known", zstd, func(o *CheckOptions) { o.ProduceVersion = 6 }, kerr.UnsupportedCompressionType},
		{"codec 5", change(good, posAttributes, 0, 5), nil, kerr.InvalidRecord},
		{"codec 7", change(good, posAttributes, 0, 7), nil, kerr.InvalidRecord},
		{"gzip that is none", change(good, posAttributes, 0, 1), nil, kerr.InvalidRecord},
		{"snappy that is none", change(good, posAttributes, 0, 2), nil, kerr.InvalidRecord},
		{"lz4 that is none", change(good, posAttributes, 0, 3), nil, kerr.InvalidRecord},
		{"zstd that is none", change(good, posAttributes, 0, 4), nil, kerr.InvalidRecord},
		{"empty zstd", withPayload(1, CodecZstd, nil), nil, kerr.InvalidRecord},
		{"empty snappy", withPayload(1, CodecSnappy, nil), nil, kerr.InvalidRecord},
		{"a cut zstd frame", withPayload(3, CodecZstd, zstd[HeaderSize:len(zstd)-2]), nil, kerr.InvalidRecord},
	}
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.story, " ", "-"), func(t *testing.T) {
			o := open(CodecProducer)
			if c.set != nil {
				c.set(&o)
			}
			before := bytes.Clone(c.b)
			if _, err := Check(c.b, o); !isKerr(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if !bytes.Equal(before, c.b) {
				t.Error("a refused batch was changed")
			}
		})
	}
}

func flip(b []byte, at int, with ...byte) []byte {
	b = bytes.Clone(b)
	x := byte(1)
	if len(with) > 0 {
		x = with[0]
	}
	b[at] ^= x
	return b
}

func binaryPut(b []byte, at int, v uint32) []byte {
	b = bytes.Clone(b)
	binary.BigEndian.PutUint32(b[at:], v)
	return b
}

func setBase(b []byte, offset int64) []byte {
	b = bytes.Clone(b)
	SetBaseOffset(b, offset)
	return b
}

func TestEveryCutBatchIsRefused(t *testing.T) {
	for _, codec := range allCodecs {
		whole := build(BuilderOptions{Codec: codec}, someRecords(20, 30))
		for n := HeaderSize; n < len(whole); n++ {
			b := withPayload(20, codec, whole[HeaderSize:n])
			if _, err := Check(b, open(CodecProducer)); err == nil {
				t.Fatalf("%s: a payload of %d of %d bytes passed", codec, n-HeaderSize, len(whole)-HeaderSize)
			}
		}
	}
}

func TestAnOldProducersEmptySetIsASuccess(t *testing.T) {
	o := open(CodecProducer)
	o.ProduceVersion = 2
	if c, err := Check(nil, o); err != nil || len(c.Bytes) != 0 {
		t.Fatalf("%v %v", c, err)
	}
}

func TestEachBadRecordIsNamed(t *testing.T) {
	records := someRecords(10, 5)
	for i := range records {
		records[i].Key = []byte("k")
	}
	records[2].Key, records[7].Key = nil, nil
	o := open(CodecProducer)
	o.Compacted = true
	for _, codec := range allCodecs {
		_, err := Check(build(BuilderOptions{Codec: codec}, records), o)
		var named *RecordErrors
		if !errors.As(err, &named) || !isKerr(err, kerr.InvalidRecord) || isKerr(err, kerr.InvalidTimestamp) {
			t.Fatalf("%v", err)
		}
		if named.Total != 2 || named.Records[0].Index != 2 || named.Records[1].Index != 7 {
			t.Fatalf("%+v", named)
		}
	}
	records[3].Timestamp = o.NowMs + 11
	o.AfterMaxMs = 10
	_, err := Check(build(BuilderOptions{}, records), o)
	if !isKerr(err, kerr.InvalidTimestamp) {
		t.Fatalf("a bad timestamp among bad keys: %v", err)
	}
}

func TestTimestampsAreHeldAgainstTheTopicsBounds(t *testing.T) {
	const now, hour = 1_700_000_000_000, 3_600_000
	for _, c := range []struct {
		timestamp, before, after int64
		good                     bool
	}{
		{now, 0, 0, true},
		{now + hour, math.MaxInt64, hour, true},
		{now + hour + 1, math.MaxInt64, hour, false},
		{now - 10, 10, hour, true},
		{now - 11, 10, hour, false},
		{NoTimestamp, 10, hour, true},
		{-2, math.MaxInt64, hour, true},
		{-2, 10, hour, false},
		{math.MaxInt64, math.MaxInt64, hour, false},
	} {
		o := open(CodecProducer)
		o.NowMs, o.BeforeMaxMs, o.AfterMaxMs = now, c.before, c.after
		b := build(BuilderOptions{}, []Record{{Timestamp: c.timestamp}})
		if _, err := Check(b, o); (err == nil) != c.good || err != nil && !isKerr(err, kerr.InvalidTimestamp) {
			t.Errorf("%+v: %v", c, err)
		}
		o.LogAppendTime = true
		if _, err := Check(b, o); err != nil {
			t.Errorf("%+v with append time: %v", c, err)
		}
	}
}

func TestProducersDoNotSetTheAppendTime(t *testing.T) {
	o := open(CodecProducer)
	o.LogAppendTime = true
	b := build(BuilderOptions{LogAppendTime: true, AppendTimeMs: o.NowMs}, someRecords(2, 5))
	if _, err := Check(bytes.Clone(b), o); !isKerr(err, kerr.InvalidTimestamp) {
		t.Fatal(err)
	}
	o.LogAppendTime = false // here Kafka takes the max timestamp for each record's, and makes it a create time
	c, err := Check(b, o)
	if err != nil || c.Header.LogAppendTime() || c.MaxTimestamp != o.NowMs || CheckCRC(c.Bytes) != nil {
		t.Fatalf("%+v %v", c.Header, err)
	}
}

func TestSoManyErrorsAreNamedAndNoMore(t *testing.T) {
	o := open(CodecProducer)
	o.Compacted = true
	records := make([]Record, 5*MaxRecordErrors)
	_, err := Check(build(BuilderOptions{}, records), o)
	var named *RecordErrors
	if !errors.As(err, &named) || named.Total != len(records) || len(named.Records) != MaxRecordErrors {
		t.Fatal(err)
	}
}

func TestABombIsDefusedAtTheLimit(t *testing.T) {
	record := appendRecord(nil, &Record{Value: make([]byte, 8<<20)}, 0, 0)
	for _, codec := range allCodecs[1:] {
		b := withPayload(1, codec, Compress(codec, Levels{}, nil, record))
		o := open(CodecProducer)
		o.MaxDecoded = 1 << 20
		if _, err := Check(b, o); !errors.Is(err, ErrDecodedTooLarge) || !isKerr(err, kerr.MessageTooLarge) {
			t.Errorf("%s: %v", codec, err)
		}
		for _, err := range Records(b, o.MaxDecoded) {
			if !errors.Is(err, ErrDecodedTooLarge) {
				t.Errorf("%s: %v", codec, err)
			}
		}
		if _, err := Check(b, open(CodecProducer)); err != nil {
			t.Errorf("%s within the limit: %v", codec, err)
		}
	}
}

func TestHeadersThatWouldFillTheMemoryAreRefused(t *testing.T) {
	record := func(n int) []byte {
		body := appendVarint([]byte{0, 0, 0, 1, 1}, int64(n)) // attributes, deltas, null key and value
		for range n {
			body = append(body, 0, 1) // an empty key, a null value
		}
		return append(appendVarint(nil, int64(len(body))), body...)
	}
	for _, codec := range allCodecs {
		for n, good := range map[int]bool{MaxRecordHeaders: true, MaxRecordHeaders + 1: false} {
			b := withPayload(1, codec, Compress(codec, Levels{}, nil, record(n)))
			if _, err := Check(b, open(CodecProducer)); (err == nil) != good || err != nil && !isKerr(err, kerr.InvalidRecord) {
				t.Errorf("%s, %d headers: %v", codec, n, err)
			}
		}
	}
}

func TestReplicatedBatchesKeepTheirOffsets(t *testing.T) {
	var all []byte
	for i := range 3 {
		all = append(all, build(BuilderOptions{BaseOffset: int64(10 * i), LeaderEpoch: 4}, someRecords(10, 20))...)
	}
	o := CheckOptions{Origin: FromReplication, Codec: CodecZstd}
	c, err := Check(append(bytes.Clone(all), all[:50]...), o)
	if err != nil || !bytes.Equal(c.Bytes, all) || c.Header.LeaderEpoch != 4 || c.MaxTimestamp != 1_700_000_000_006 {
		t.Fatalf("%+v %v", c.Header, err)
	}
	if _, err := Check(flip(all, len(all)-3), o); !isKerr(err, kerr.CorruptMessage) {
		t.Fatal(err)
	}
	if _, err := Check(append(bytes.Clone(all), all...), o); !isKerr(err, kerr.CorruptMessage) {
		t.Fatalf("offsets went back: %v", err)
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	b := build(BuilderOptions{}, someRecords(64, 1000))
	o := open(CodecProducer)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Check(b, o); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
