package batch

import "strings"

// Codec is how the records of a batch are compressed: the low three bits of the attributes.
type Codec int8

// The codecs that exist, and CodecProducer, the setting that keeps what the producer chose.
const (
	CodecProducer Codec = -1
	CodecNone     Codec = 0
	CodecGzip     Codec = 1
	CodecSnappy   Codec = 2
	CodecLZ4      Codec = 3
	CodecZstd     Codec = 4
)

// codecNames are Kafka's names in compression.type, at the codec's number.
var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// Known says whether the codec is one that exists in a batch.
func (c Codec) Known() bool { return c >= CodecNone && c <= CodecZstd }

func (c Codec) String() string {
	switch {
	case c == CodecProducer:
		return "producer"
	case c.Known():
		return codecNames[c]
	default:
		return "unknown codec"
	}
}

// ParseCodec returns the codec of a compression.type: Kafka's names, "producer" and "uncompressed" included.
func ParseCodec(name string) (Codec, bool) {
	switch name = strings.ToLower(name); name {
	case "producer":
		return CodecProducer, true
	case "uncompressed":
		return CodecNone, true
	}
	for i, n := range codecNames {
		if n == name {
			return Codec(i), true
		}
	}
	return 0, false
}

// Levels are the compression levels by codec, in Kafka's numbers; 0 is the codec's default.
type Levels struct {
	Gzip int // 1 to 9, -1 default
	LZ4  int // 1 to 17; 9 is the default, and means the fast compressor as in Kafka
	Zstd int // -131072 to 22, default 3
}
