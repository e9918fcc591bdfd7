//go:build !race

package batch

import (
	"errors"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// allocated is how many bytes f allocates, freed or not: no less than the most that it holds at once.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

const (
	hugeRecords = 64
	hugeRecord  = 1 << 20
	// fewBytes is what walking or rebuilding a huge batch may take: codecs' windows and what is staged.
	fewBytes = 32 << 20
)

// huge is a small batch that decompresses to 64 MiB.
func huge(codec Codec) []byte {
	b := NewBuilder(BuilderOptions{Codec: codec})
	value := make([]byte, hugeRecord)
	for i := range hugeRecords {
		b.Append(Record{Timestamp: int64(1000 + i), Key: []byte{byte(i)}, Value: value})
	}
	return b.Build()
}

// One Produce of 408 KB to a topic with another compression.type took 1.4 GB.
func TestAHugeBatchIsRecompressedInLittleMemory(t *testing.T) {
	for _, to := range allCodecs[1:] {
		from := CodecLZ4
		if to == CodecLZ4 {
			from = CodecZstd
		}
		b := huge(from)
		var c Checked
		var err error
		if n := allocated(func() { c, err = Check(b, open(to)) }); n > fewBytes {
			t.Errorf("%s to %s took %d MiB", from, to, n>>20)
		}
		if err != nil || !c.Rebuilt || c.Header.Codec() != to || c.MaxTimestamp != 1000+hugeRecords-1 || c.DeltaOfMaxTimestamp != hugeRecords-1 {
			t.Fatalf("%s to %s: %+v, %v", from, to, c.Header, err)
		}
		if _, err := Check(c.Bytes, open(CodecProducer)); err != nil {
			t.Fatalf("%s to %s: %v", from, to, err)
		}
	}
}

func TestABatchThatOutgrowsTheTopicsLimitIsGivenUpAtIt(t *testing.T) {
	b := huge(CodecZstd)
	for _, to := range []Codec{CodecNone, CodecSnappy} {
		o := open(to)
		o.MaxBatchBytes = 1 << 20
		var err error
		if n := allocated(func() { _, err = Check(b, o) }); n > fewBytes/2 {
			t.Errorf("to %s: took %d MiB", to, n>>20)
		}
		if !isKerr(err, kerr.MessageTooLarge) {
			t.Errorf("to %s: %v", to, err)
		}
	}
}

// What Produce took was beyond what readers decoded, so that time lookups failed ever after.
func TestWhateverProduceTakesReadersTake(t *testing.T) {
	b := NewBuilder(BuilderOptions{Codec: CodecLZ4})
	value := make([]byte, 8<<20)
	for range 33 { // 264 MiB
		b.Append(Record{Value: value})
	}
	whole := b.Build()
	o := open(CodecProducer)
	o.MaxDecoded = 1<<31 - 9 // what max.decompressed.message.bytes allows at most
	if _, err := Check(whole, o); err != nil {
		t.Fatal(err)
	}
	records := 0
	n := allocated(func() {
		for _, err := range Scan(whole, nil) {
			if err != nil {
				t.Fatal(err)
			}
			records++
		}
	})
	if records != 33 || n > fewBytes/2 {
		t.Errorf("%d records in %d MiB", records, n>>20)
	}
}

func TestAHugeBatchIsDownConvertedARecordAtATime(t *testing.T) {
	for _, codec := range []Codec{CodecGzip, CodecSnappy, CodecLZ4} {
		b := huge(codec)
		for _, magic := range []int8{MagicV0, MagicV1} {
			var down []byte
			var err error
			if n := allocated(func() { down, err = DownConvert(b, magic, 0, 0) }); err != nil || n > fewBytes {
				t.Fatalf("%s to magic %d took %d MiB: %v", codec, magic, n>>20, err)
			}
			m, err := parseLegacyMessage(down)
			if err != nil || m.offset != hugeRecords-1 || m.codec() != codec {
				t.Fatalf("%s to magic %d: %+v, %v", codec, magic, m.offset, err)
			}
		}
	}
}

func TestWhatOldFormatsCannotStreamIsBounded(t *testing.T) {
	b := NewBuilder(BuilderOptions{Codec: CodecLZ4})
	b.Append(Record{Value: make([]byte, maxConvertedBytes)})
	if _, err := DownConvert(b.Build(), MagicV1, 0, 0); !errors.Is(err, ErrDecodedTooLarge) {
		t.Errorf("a record on its way down: %v", err)
	}
	inner := appendLegacyMessage(nil, &legacyMessage{magic: MagicV1, value: make([]byte, maxConvertedBytes)})
	wrapper := appendLegacyMessage(nil, &legacyMessage{magic: MagicV1, attributes: byte(CodecLZ4), value: Compress(CodecLZ4, Levels{}, nil, inner)})
	o := open(CodecProducer)
	o.ProduceVersion = 2
	if _, err := Check(wrapper, o); !errors.Is(err, ErrDecodedTooLarge) {
		t.Errorf("a wrapper on its way up: %v", err)
	}
}
