package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// somePayloads are of the sizes at which blocks begin and end, of bytes that compress well, badly and not at all.
func somePayloads() [][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var payloads [][]byte
	for _, n := range []int{0, 1, 12, 100, 32 << 10, 32<<10 + 1, 64 << 10, 64<<10 + 1, 200 << 10} {
		noise := make([]byte, n)
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
		text := make([]byte, 0, n+16)
		for len(text) < n {
			text = fmt.Appendf(text, "line %d;", rng.IntN(1000))
		}
		payloads = append(payloads, make([]byte, n), text[:n], noise)
	}
	return payloads
}

func TestEveryPayloadSurvivesEveryCodecAndLevel(t *testing.T) {
	levels := []Levels{{}, {Gzip: 1, LZ4: 1, Zstd: 1}, {Gzip: 9, LZ4: 17, Zstd: 22}, {Gzip: -1, LZ4: 9, Zstd: -7}, {Gzip: 99, LZ4: -5, Zstd: 99}}
	for _, codec := range allCodecs {
		for i, payload := range somePayloads() {
			for _, l := range levels {
				if len(payload) > 40_000 && l != levels[0] {
					continue
				}
				prefix := []byte("prefix")
				packed := Compress(codec, l, prefix, payload)
				if !bytes.HasPrefix(packed, prefix) {
					t.Fatal("the prefix is gone")
				}
				got, err := Decompress(codec, packed[len(prefix):], max(len(payload), 1))
				if err != nil || !bytes.Equal(got, payload) {
					t.Fatalf("%s, payload %d, %+v: %d bytes back, %v", codec, i, l, len(got), err)
				}
			}
		}
	}
}

func TestOtherClientsReadWhatWeCompressAndWeWhatTheyDo(t *testing.T) {
	theirs := map[Codec]kgo.CompressionCodec{
		CodecGzip: kgo.GzipCompression(), CodecSnappy: kgo.SnappyCompression(), CodecLZ4: kgo.Lz4Compression(), CodecZstd: kgo.ZstdCompression(),
	}
	decompressor := kgo.DefaultDecompressor()
	for codec, c := range theirs {
		compressor, err := kgo.DefaultCompressor(c)
		if err != nil {
			t.Fatal(err)
		}
		for i, payload := range somePayloads() {
			if len(payload) == 0 {
				continue
			}
			var dst bytes.Buffer
			packed, kind := compressor.Compress(&dst, payload)
			if Codec(kind) != codec {
				continue // it found that this does not compress
			}
			if got, err := Decompress(codec, packed, len(payload)); err != nil || !bytes.Equal(got, payload) {
				t.Errorf("%s, payload %d of theirs: %v", codec, i, err)
			}
			got, err := decompressor.Decompress(Compress(codec, Levels{}, nil, payload), kgo.CompressionCodecType(codec))
			if err != nil || !bytes.Equal(got, payload) {
				t.Errorf("%s, payload %d of ours: %v", codec, i, err)
			}
		}
	}
}

func TestOtherClientsReadOurBatchesAndMessageSets(t *testing.T) {
	want := goldenRecords(MagicCurrent, false)
	for _, codec := range allCodecs {
		b := build(BuilderOptions{BaseOffset: goldenBase, Codec: codec, LeaderEpoch: 1}, want)
		readByKgo(t, b, want, 2)
		for _, magic := range []int8{MagicV0, MagicV1} {
			if codec == CodecZstd || codec == CodecLZ4 && magic == MagicV0 { // kgo does not know the broken checksum
				continue
			}
			down, err := DownConvert(b, magic, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			readByKgo(t, down, goldenRecords(magic, false), magic)
		}
	}
}

func readByKgo(t *testing.T, b []byte, want []Record, magic int8) {
	t.Helper()
	part := kmsg.NewFetchResponseTopicPartition()
	part.RecordBatches, part.HighWatermark = b, 1<<40
	got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Offset: goldenBase}, &part, kgo.DefaultDecompressor(), nil)
	if got.Err != nil || len(got.Records) != len(want) || next != goldenBase+int64(len(want)) {
		t.Fatalf("magic %d: %d records up to %d, %v", magic, len(got.Records), next, got.Err)
	}
	for i, r := range got.Records {
		w := want[i]
		sameHeaders := len(r.Headers) == len(w.Headers)
		sameTime := magic == MagicV0 || r.Timestamp.UnixMilli() == w.Timestamp
		if r.Offset != w.Offset || !sameTime || !bytes.Equal(r.Key, w.Key) || (r.Key == nil) != (w.Key == nil) ||
			!bytes.Equal(r.Value, w.Value) || (r.Value == nil) != (w.Value == nil) || !sameHeaders {
			t.Fatalf("magic %d, record %d: %+v, want %+v", magic, i, r, w)
		}
	}
}

func TestTheChecksumOfLZ4FramesIsXXH32(t *testing.T) {
	for in, want := range map[string]uint32{ // from the reference implementation
		"": 0x02CC5D05, "a": 0x550D7456, "abc": 0x32D153FF, "abcdefghijklmnopqrstuvwxyz": 0x63A14D5F,
	} {
		if got := sumXXH32([]byte(in)); got != want {
			t.Errorf("%q: %08x, want %08x", in, got, want)
		}
	}
	var pieces xxh32
	pieces.reset()
	long := bytes.Repeat([]byte("0123456789"), 100)
	for n := 1; len(long) > 0; n++ {
		pieces.write(long[:min(n, len(long))])
		long = long[min(n, len(long)):]
	}
	if got, want := pieces.sum(), sumXXH32(bytes.Repeat([]byte("0123456789"), 100)); got != want {
		t.Errorf("in pieces %08x, at once %08x", got, want)
	}
}

func TestLZ4FramesOfTheLibraryAreReadWithAllTheirOptions(t *testing.T) {
	payload := somePayloads()[25]
	for _, size := range []lz4.BlockSize{lz4.Block64Kb, lz4.Block256Kb, lz4.Block1Mb, lz4.Block4Mb} {
		var out bytes.Buffer
		w := lz4.NewWriter(&out)
		if err := w.Apply(lz4.BlockSizeOption(size), lz4.BlockChecksumOption(true), lz4.ChecksumOption(true), lz4.SizeOption(uint64(len(payload)))); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(payload); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := Decompress(CodecLZ4, out.Bytes(), len(payload))
		if err != nil || !bytes.Equal(got, payload) {
			t.Fatalf("blocks of %v: %v", size, err)
		}
		for _, at := range []int{5, out.Len() / 2, out.Len() - 1} { // header, a block, the content's checksum
			if _, err := Decompress(CodecLZ4, flip(out.Bytes(), at), len(payload)); err == nil {
				t.Errorf("blocks of %v: a flipped bit at %d passed", size, at)
			}
		}
	}
}

func TestOldLZ4ChecksumsAreWrongInMagic0Only(t *testing.T) {
	broken := compress(CodecLZ4, Levels{}, nil, []byte("payload"), true)
	if _, err := Decompress(CodecLZ4, broken, 0); !isKerr(err, kerr.InvalidRecord) {
		t.Fatalf("a broken frame checksum passed: %v", err)
	}
	if got, err := decompress(CodecLZ4, broken, 0, true); err != nil || string(got) != "payload" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestSnappyIsReadRawAndConcatenated(t *testing.T) {
	payload := bytes.Repeat([]byte("snappy "), 10000)
	framed := Compress(CodecSnappy, Levels{}, nil, payload)
	for name, in := range map[string][]byte{
		"raw": snappy.Encode(nil, payload), "framed": framed,
	} {
		if got, err := Decompress(CodecSnappy, in, 0); err != nil || !bytes.Equal(got, payload) {
			t.Errorf("%s: %v", name, err)
		}
	}
	twice, err := Decompress(CodecSnappy, append(bytes.Clone(framed), framed...), 0)
	if err != nil || !bytes.Equal(twice, append(bytes.Clone(payload), payload...)) {
		t.Errorf("concatenated: %v", err)
	}
}

func TestSnappyWithForeignExtensionsIsRefused(t *testing.T) {
	// A literal "abcd", a copy of 4 from distance 4, a copy of 4 from distance 0: "repeat" in s2, an error in snappy.
	block := []byte{12, 3 << 2, 'a', 'b', 'c', 'd', 1, 4, 1, 0}
	if _, err := Decompress(CodecSnappy, block, 0); !isKerr(err, kerr.InvalidRecord) {
		t.Fatal(err)
	}
	if got, err := Decompress(CodecSnappy, append([]byte{8}, block[1:8]...), 0); err != nil || string(got) != "abcdabcd" {
		t.Fatalf("%q %v", got, err)
	}
}

func TestASnappyBlockThatClaimsTooMuchCostsNoMemory(t *testing.T) {
	claim := binary.AppendUvarint(nil, 1<<31)
	if _, err := Decompress(CodecSnappy, append(claim, make([]byte, 100)...), 0); !isKerr(err, kerr.InvalidRecord) {
		t.Fatal(err)
	}
}

func TestZstdWithLargeWindowsIsDecoded(t *testing.T) {
	payload := bytes.Repeat(somePayloads()[25], 50) // 10 MB
	for _, window := range []int{1 << 20, maxStreamWindow, 64 << 20} {
		var out bytes.Buffer
		w, err := zstd.NewWriter(&out, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(payload); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := Decompress(CodecZstd, out.Bytes(), 0); err != nil || !bytes.Equal(got, payload) {
			t.Errorf("window %d: %v", window, err)
		}
		if _, err := Decompress(CodecZstd, out.Bytes(), 1<<20); !isKerr(err, kerr.MessageTooLarge) {
			t.Errorf("window %d over the limit: %v", window, err)
		}
	}
}
