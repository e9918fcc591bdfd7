package batch

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// The files in testdata/kafka were written by Kafka's own MemoryRecordsBuilder (kafka-clients 3.9.1): twelve records from
// offset 1000 in each format, codec and kind of timestamps.

const (
	goldenBase       = 1000
	goldenAppendTime = 1700000009999
)

func golden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "kafka", name+".bin"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// goldenRecords are what the files hold, as a format can tell it.
func goldenRecords(magic int8, appendTime bool) []Record {
	records := make([]Record, 12)
	for i := range records {
		r := Record{Offset: goldenBase + int64(i), Timestamp: 1700000000000 + int64(i*37%11)}
		if i%3 != 1 {
			r.Key = fmt.Appendf(nil, "key-%d", i)
		}
		switch i % 4 {
		case 2:
		case 3:
			r.Value = []byte{}
		default:
			r.Value = bytes.Repeat(fmt.Appendf(nil, "value %d of a golden batch; ", i), i+1)
		}
		if magic == MagicCurrent && i%5 == 0 {
			r.Headers = []RecordHeader{{"trace", []byte("abc")}, {"null", nil}, {"", []byte{}}}
		}
		if appendTime {
			r.Timestamp = goldenAppendTime
		}
		if magic == MagicV0 {
			r.Timestamp = NoTimestamp
		}
		records[i] = r
	}
	return records
}

// eachGolden runs a story over every file of batches of a format.
func eachGolden(t *testing.T, magic int8, story func(t *testing.T, b []byte, codec Codec, appendTime bool)) {
	files, err := filepath.Glob(fmt.Sprintf("testdata/kafka/v%d-*.bin", magic))
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".bin")
		codecName, appendTime := strings.CutSuffix(name[len("v0-"):], "-appendtime")
		codec, ok := ParseCodec(codecName)
		if !ok {
			t.Fatalf("codec of %s", file)
		}
		t.Run(name, func(t *testing.T) { story(t, golden(t, name), codec, appendTime) })
	}
}

func TestWhatKafkaWroteIsReadInEveryFormat(t *testing.T) {
	for magic := MagicV0; magic <= MagicCurrent; magic++ {
		eachGolden(t, magic, func(t *testing.T, b []byte, _ Codec, appendTime bool) {
			var got []Record
			for len(b) > 0 {
				size, _, err := frame(b)
				if err != nil || size == 0 {
					t.Fatalf("frame of %d, %v", size, err)
				}
				got = append(got, decode(t, b[:size])...)
				b = b[size:]
			}
			sameRecords(t, goldenRecords(magic, appendTime), got)
		})
	}
}

func TestUncompressedBatchesAreByteForByteKafkas(t *testing.T) {
	for _, name := range []string{"v2-none", "v2-none-appendtime"} {
		o := BuilderOptions{
			BaseOffset: goldenBase, LeaderEpoch: 9, Producer: &Producer{ID: 77, Epoch: 3, BaseSequence: 500},
			LogAppendTime: name != "v2-none", AppendTimeMs: goldenAppendTime,
		}
		if got := build(o, goldenRecords(2, false)); !bytes.Equal(got, golden(t, name)) {
			t.Errorf("%s differs:\n%x\n%x", name, got, golden(t, name))
		}
	}
}

func TestMarkersAreByteForByteKafkas(t *testing.T) {
	commit := BuildEndTxnMarker(77, 3, EndTxnMarker{Commit: true, CoordinatorEpoch: 42}, 1700000000123)
	SetBaseOffset(commit, 2000)
	SetLeaderEpoch(commit, 9)
	abort := BuildEndTxnMarker(77, 3, EndTxnMarker{CoordinatorEpoch: 43}, 1700000000124)
	SetBaseOffset(abort, 2001)
	SetLeaderEpoch(abort, 9)
	if !bytes.Equal(commit, golden(t, "commit-marker")) || !bytes.Equal(abort, golden(t, "abort-marker")) {
		t.Errorf("markers differ:\n%x\n%x", commit, abort)
	}
}

func TestMessageSetsOfKafkaBecomeOneBatch(t *testing.T) {
	for _, magic := range []int8{MagicV0, MagicV1} {
		eachGolden(t, magic, func(t *testing.T, b []byte, codec Codec, appendTime bool) {
			for _, keep := range []bool{true, false} {
				up, err := UpConvert(b, ConvertOptions{Codec: CodecProducer, KeepOffsets: keep})
				if err != nil {
					t.Fatal(err)
				}
				h, whole, rest, err := Next(up)
				if err != nil || len(rest) != 0 || CheckCRC(whole) != nil || h.Codec() != codec || h.LogAppendTime() != appendTime {
					t.Fatalf("%+v, %v", h, err)
				}
				want := goldenRecords(magic, appendTime)
				for i := range want {
					if !keep {
						want[i].Offset = int64(i)
					}
				}
				sameRecords(t, want, decode(t, up))
			}
		})
	}
}

func TestCheckTakesOldMessageSetsFromOldProducersOnly(t *testing.T) {
	for _, magic := range []int8{MagicV0, MagicV1} {
		eachGolden(t, magic, func(t *testing.T, b []byte, codec Codec, appendTime bool) {
			o := open(CodecProducer)
			if _, err := Check(bytes.Clone(b), o); !isKerr(err, kerr.InvalidRecord) {
				t.Fatalf("Produce v9 took magic %d: %v", magic, err)
			}
			o.ProduceVersion = 2
			o.LogAppendTime = false
			c, err := Check(bytes.Clone(b), o)
			if err != nil {
				t.Fatal(err)
			}
			if !c.Rebuilt || c.Header.Codec() != codec || c.Header.NumRecords != 12 || c.Header.LogAppendTime() {
				t.Fatalf("%+v", c.Header)
			}
			o.LogAppendTime, o.NowMs = true, 12345
			c, err = Check(append(bytes.Clone(b), 0, 0, 1), o)
			if appendTime {
				if !isKerr(err, kerr.InvalidTimestamp) {
					t.Fatalf("a producer set the append time: %v", err)
				}
				return
			}
			if err != nil || !c.Header.LogAppendTime() || c.MaxTimestamp != 12345 {
				t.Fatalf("%+v %v", c.Header, err)
			}
		})
	}
}

func TestBatchesBecomeTheMessageSetsThatKafkaWouldWrite(t *testing.T) {
	eachGolden(t, MagicCurrent, func(t *testing.T, b []byte, codec Codec, appendTime bool) {
		for _, magic := range []int8{MagicV0, MagicV1} {
			b = append(append(bytes.Clone(golden(t, "commit-marker")), b...), golden(t, "abort-marker")...)
			down, err := DownConvert(append(b, b[:7]...), magic, 0, 0)
			if codec == CodecZstd {
				if !isKerr(err, kerr.UnsupportedCompressionType) {
					t.Fatalf("zstd: %v", err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if codec == CodecNone && (magic == MagicV1 || !appendTime) {
				name := fmt.Sprintf("v%d-none", magic)
				if appendTime {
					name += "-appendtime"
				}
				if !bytes.Equal(down, golden(t, name)) {
					t.Fatalf("not as Kafka's:\n%x\n%x", down, golden(t, name))
				}
			}
			set, err := parseMessageSet(down, 0, anySize)
			if err != nil || set.codec != codec || set.logAppendTime != (appendTime && magic == MagicV1) {
				t.Fatalf("%+v %v", set, err)
			}
			sameRecords(t, goldenRecords(magic, appendTime), set.records)
			b = golden(t, "v2-"+codec.String())
			if appendTime {
				b = golden(t, "v2-"+codec.String()+"-appendtime")
			}
		}
	})
}

func TestOldConsumersStartInTheMiddleOfAPlainBatchButGetCompressedOnesWhole(t *testing.T) {
	plain, err := DownConvert(golden(t, "v2-none"), MagicV1, goldenBase+5, 0)
	if err != nil {
		t.Fatal(err)
	}
	if set, err := parseMessageSet(plain, 0, anySize); err != nil || len(set.records) != 7 || set.records[0].Offset != goldenBase+5 {
		t.Fatalf("%+v %v", set, err)
	}
	packed, err := DownConvert(golden(t, "v2-lz4"), MagicV1, goldenBase+5, 0)
	if err != nil {
		t.Fatal(err)
	}
	if set, err := parseMessageSet(packed, 0, anySize); err != nil || len(set.records) != 12 {
		t.Fatalf("%+v %v", set, err)
	}
}

func TestDownConversionStopsAtItsLimitBehindOneBatch(t *testing.T) {
	one := golden(t, "v2-none")
	first, err := DownConvert(append(bytes.Clone(one), one...), MagicV1, 0, 1)
	if err != nil || !bytes.Equal(first, golden(t, "v1-none")) {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	both, err := DownConvert(append(bytes.Clone(one), one...), MagicV1, 0, math.MaxInt)
	if err != nil || len(both) != 2*len(first) {
		t.Fatalf("%d bytes, %v", len(both), err)
	}
}
