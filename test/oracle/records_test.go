//go:build suite

package oracle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	baseTime = 1_700_000_000_000 // 2023: no clock of the run
	noCodec  = 0
	gzip     = 1
	snappy   = 2
	lz4      = 3
	zstd     = 4
)

// record is one to be produced. A nil key or value is null.
type record struct {
	key, value []byte
	headers    []string // name, value, name, value, …
	delta      int64    // of the timestamp
}

func rec(key, value string) record { return record{key: []byte(key), value: []byte(value)} }

func recs(n int) []record {
	var all []record
	for i := range n {
		all = append(all, record{key: fmt.Appendf(nil, "k%d", i), value: fmt.Appendf(nil, "value %d", i), delta: int64(i)})
	}
	return all
}

// madeBatch is a v2 batch before it is bytes; what a test wants wrong it sets.
type madeBatch struct {
	baseOffset      int64
	length          int32 // added to the right one
	leaderEpoch     int32
	magic           int8
	crc             uint32 // xored with the right one
	attributes      int16
	lastOffsetDelta int32
	baseTimestamp   int64
	maxTimestamp    int64
	producerID      int64
	producerEpoch   int16
	baseSequence    int32
	count           int32
	records         []byte // encoded, before compression
	payload         []byte // if not nil, instead of the compressed records
	codec           int
}

// batchOf makes a good batch.
func batchOf(records ...record) *madeBatch {
	b := &madeBatch{
		leaderEpoch: -1, magic: 2, lastOffsetDelta: int32(len(records) - 1), baseTimestamp: baseTime, maxTimestamp: baseTime,
		producerID: -1, producerEpoch: -1, baseSequence: -1, count: int32(len(records)),
	}
	for i, r := range records {
		b.records = appendRecord(b.records, int64(i), r)
		b.maxTimestamp = max(b.maxTimestamp, baseTime+r.delta)
	}
	return b
}

func (b *madeBatch) with(change func(b *madeBatch)) *madeBatch {
	change(b)
	return b
}

func (b *madeBatch) from(producer int64, epoch int16, sequence int32) *madeBatch {
	b.producerID, b.producerEpoch, b.baseSequence = producer, epoch, sequence
	return b
}

func (b *madeBatch) packed(codec int) *madeBatch {
	b.codec = codec
	return b
}

func (b *madeBatch) bytes() []byte {
	payload := b.payload
	if payload == nil {
		payload = compress(b.codec, b.records)
	}
	o := binary.BigEndian
	out := o.AppendUint64(nil, uint64(b.baseOffset))
	out = o.AppendUint32(out, uint32(int32(49+len(payload))+b.length))
	out = o.AppendUint32(out, uint32(b.leaderEpoch))
	out = append(out, byte(b.magic))
	out = o.AppendUint32(out, 0)
	out = o.AppendUint16(out, uint16(b.attributes|int16(b.codec)))
	out = o.AppendUint32(out, uint32(b.lastOffsetDelta))
	out = o.AppendUint64(out, uint64(b.baseTimestamp))
	out = o.AppendUint64(out, uint64(b.maxTimestamp))
	out = o.AppendUint64(out, uint64(b.producerID))
	out = o.AppendUint16(out, uint16(b.producerEpoch))
	out = o.AppendUint32(out, uint32(b.baseSequence))
	out = o.AppendUint32(out, uint32(b.count))
	out = append(out, payload...)
	o.PutUint32(out[17:], crc32.Checksum(out[21:], crc32.MakeTable(crc32.Castagnoli))^b.crc)
	return out
}

func appendRecord(dst []byte, offsetDelta int64, r record) []byte {
	body := []byte{0}
	body = binary.AppendVarint(body, r.delta)
	body = binary.AppendVarint(body, offsetDelta)
	body = appendVarBytes(body, r.key)
	body = appendVarBytes(body, r.value)
	body = binary.AppendVarint(body, int64(len(r.headers)/2))
	for _, h := range r.headers {
		body = appendVarBytes(body, []byte(h))
	}
	return append(binary.AppendVarint(dst, int64(len(body))), body...)
}

func appendVarBytes(dst, b []byte) []byte {
	if b == nil {
		return binary.AppendVarint(dst, -1)
	}
	return append(binary.AppendVarint(dst, int64(len(b))), b...)
}

// message is one of a v0 or v1 message set.
type message struct {
	offset     int64
	magic      int8
	attributes int8
	timestamp  int64 // magic 1
	key, value []byte
	crc        uint32 // xored with the right one
}

func messageSet(messages ...message) []byte {
	var out []byte
	o := binary.BigEndian
	for _, m := range messages {
		body := []byte{byte(m.magic), byte(m.attributes)}
		if m.magic == 1 {
			body = o.AppendUint64(body, uint64(m.timestamp))
		}
		for _, b := range [][]byte{m.key, m.value} {
			if b == nil {
				body = o.AppendUint32(body, 0xffffffff)
				continue
			}
			body = append(o.AppendUint32(body, uint32(len(b))), b...)
		}
		out = o.AppendUint64(out, uint64(m.offset))
		out = o.AppendUint32(out, uint32(4+len(body)))
		out = o.AppendUint32(out, crc32.ChecksumIEEE(body)^m.crc)
		out = append(out, body...)
	}
	return out
}

func compress(codec int, b []byte) []byte {
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
	if codec == noCodec || codec >= len(codecs) {
		return b
	}
	c, err := kgo.DefaultCompressor(codecs[codec])
	if err != nil {
		panic(err)
	}
	out, _ := c.Compress(bytes.NewBuffer(nil), b)
	return out
}

func decompress(codec int, b []byte) ([]byte, error) {
	if codec == noCodec {
		return b, nil
	}
	return kgo.DefaultDecompressor().Decompress(b, kgo.CompressionCodecType(codec))
}
