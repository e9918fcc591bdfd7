//go:build suite

package oracle

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// wrong is a batch that something is wrong with.
type wrong struct {
	name  string
	bytes []byte
}

func twisted(name string, change func(b *madeBatch)) wrong {
	return wrong{name, batchOf(recs(3)...).with(change).bytes()}
}

// wrongBatches are of all kinds. Those that Kafka ends with UNKNOWN_SERVER_ERROR are here as well.
func wrongBatches() []wrong {
	good := batchOf(recs(3)...).bytes()
	raw := batchOf(recs(3)...).records
	all := []wrong{
		twisted("wrong checksum", func(b *madeBatch) { b.crc = 1 }),
		twisted("magic 3", func(b *madeBatch) { b.magic = 3 }),
		twisted("magic -1", func(b *madeBatch) { b.magic = -1 }),
		twisted("magic 127", func(b *madeBatch) { b.magic = 127 }),
		twisted("length too long", func(b *madeBatch) { b.length = 10 }),
		twisted("length one too long", func(b *madeBatch) { b.length = 1 }),
		twisted("length too short", func(b *madeBatch) { b.length = -1 }),
		twisted("negative length", func(b *madeBatch) { b.length = -1000000 }),
		twisted("base offset 7", func(b *madeBatch) { b.baseOffset = 7 }),
		twisted("leader epoch 5", func(b *madeBatch) { b.leaderEpoch = 5 }),
		twisted("last offset delta too small", func(b *madeBatch) { b.lastOffsetDelta = 1 }),
		twisted("last offset delta too large", func(b *madeBatch) { b.lastOffsetDelta = 3 }),
		twisted("last offset delta negative", func(b *madeBatch) { b.lastOffsetDelta = -1 }),
		twisted("count too small", func(b *madeBatch) { b.count = 2 }),
		twisted("count too large", func(b *madeBatch) { b.count = 4 }),
		twisted("count and delta too large", func(b *madeBatch) { b.count, b.lastOffsetDelta = 4, 3 }),
		twisted("count and delta too small", func(b *madeBatch) { b.count, b.lastOffsetDelta = 2, 1 }),
		twisted("count zero", func(b *madeBatch) { b.count = 0 }),
		twisted("count negative", func(b *madeBatch) { b.count, b.lastOffsetDelta = -1, -2 }),
		twisted("no records at all", func(b *madeBatch) { b.count, b.lastOffsetDelta, b.records = 0, -1, nil }),
		twisted("no records delta zero", func(b *madeBatch) { b.count, b.lastOffsetDelta, b.records = 0, 0, nil }),
		twisted("bytes behind the records", func(b *madeBatch) { b.records = append(bytes.Clone(b.records), 1, 2, 3) }),
		twisted("records cut short", func(b *madeBatch) { b.records = b.records[:len(b.records)-2] }),
		twisted("garbage records", func(b *madeBatch) { b.records = bytes.Repeat([]byte{0xff}, 40) }),
		twisted("unused attributes", func(b *madeBatch) { b.attributes = 0x400 }),
		twisted("delete horizon", func(b *madeBatch) { b.attributes = 0x40 }),
		twisted("codec 5", func(b *madeBatch) { b.attributes = 5 }),
		twisted("codec 7", func(b *madeBatch) { b.attributes = 7 }),
		twisted("negative base timestamp", func(b *madeBatch) { b.baseTimestamp = -5 }),
		twisted("producer without epoch", func(b *madeBatch) { b.producerID = 4000 }),
		twisted("producer without sequence", func(b *madeBatch) { b.producerID, b.producerEpoch = 4000, 0 }),
		twisted("epoch without producer", func(b *madeBatch) { b.producerEpoch, b.baseSequence = 0, 0 }),
		{"first offset delta 1", batchOf().with(func(b *madeBatch) {
			b.records, b.count, b.lastOffsetDelta = appendRecord(nil, 1, rec("k", "v")), 1, 0
		}).bytes()},
		{"offset deltas with a gap", batchOf().with(func(b *madeBatch) {
			b.records, b.count, b.lastOffsetDelta = appendRecord(appendRecord(nil, 0, rec("k", "v")), 2, rec("l", "w")), 2, 2
		}).bytes()},
		{"offset deltas the same", batchOf().with(func(b *madeBatch) {
			b.records, b.count, b.lastOffsetDelta = appendRecord(appendRecord(nil, 0, rec("k", "v")), 0, rec("l", "w")), 2, 1
		}).bytes()},
		{"half a header", good[:30]},
		{"header alone", good[:61]},
		{"one byte", good[:1]},
		{"cut short", good[:len(good)-1]},
		{"two batches", append(bytes.Clone(good), good...)},
		{"a byte behind the batch", append(bytes.Clone(good), 0)},
		{"half a batch behind the batch", append(bytes.Clone(good), good[:40]...)},
		{"most of a batch behind the batch", append(bytes.Clone(good), good[:len(good)-1]...)},
		{"a message set of magic 1", messageSet(message{magic: 1, timestamp: baseTime, key: []byte("k"), value: []byte("v")})},
		{"a message set of magic 0", messageSet(message{key: []byte("k"), value: []byte("v")})},
		{"headers with a null name", batchOf(record{value: []byte("v")}).with(func(b *madeBatch) {
			b.records = appendHeaders(1, -1)
		}).bytes()},
		{"a negative count of headers", batchOf(record{value: []byte("v")}).with(func(b *madeBatch) {
			b.records = appendHeaders(-1, 0)
		}).bytes()},
		{"more headers than bytes", batchOf(record{value: []byte("v")}).with(func(b *madeBatch) {
			b.records = appendHeaders(1000, 0)
		}).bytes()},
	}
	for codec, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		if codec == noCodec {
			continue
		}
		packed := compress(codec, raw)
		all = append(all,
			wrong{name + " of nothing", batchOf(recs(3)...).with(func(b *madeBatch) { b.codec, b.records = codec, []byte{} }).bytes()},
			wrong{name + " without bytes", batchOf(recs(3)...).with(func(b *madeBatch) { b.codec, b.payload = codec, []byte{} }).bytes()},
			wrong{name + " of garbage", batchOf(recs(3)...).with(func(b *madeBatch) { b.codec, b.payload = codec, []byte("no such thing, none at all") }).bytes()},
			wrong{name + " cut short", batchOf(recs(3)...).with(func(b *madeBatch) { b.codec, b.payload = codec, packed[:len(packed)/2] }).bytes()},
			wrong{name + " wrong count", batchOf(recs(3)...).packed(codec).with(func(b *madeBatch) { b.count, b.lastOffsetDelta = 4, 3 }).bytes()},
			wrong{name + " count too small", batchOf(recs(3)...).packed(codec).with(func(b *madeBatch) { b.count, b.lastOffsetDelta = 2, 1 }).bytes()},
			wrong{name + " bytes behind the records", batchOf(recs(3)...).packed(codec).with(func(b *madeBatch) { b.records = append(bytes.Clone(b.records), 1, 2, 3) }).bytes()},
			wrong{name + " of a gap", batchOf().packed(codec).with(func(b *madeBatch) {
				b.records, b.count, b.lastOffsetDelta = appendRecord(appendRecord(nil, 0, rec("k", "v")), 2, rec("l", "w")), 2, 2
			}).bytes()},
			wrong{name + " of half a record", batchOf(recs(3)...).packed(codec).with(func(b *madeBatch) { b.records = b.records[:len(b.records)-2] }).bytes()},
		)
	}
	return all
}

// appendHeaders is a record that claims a count of headers, of which one has a name of that length.
func appendHeaders(count, nameLength int64) []byte {
	body := []byte{0}
	for _, v := range []int64{0, 0, -1, 1} {
		body = binary.AppendVarint(body, v)
	}
	body = append(body, 'v')
	body = binary.AppendVarint(body, count)
	body = binary.AppendVarint(body, nameLength)
	body = binary.AppendVarint(body, 1)
	body = append(body, 'x')
	return append(binary.AppendVarint(nil, int64(len(body))), body...)
}

func aboutBadBatches() []conversation {
	return []conversation{
		since(kmsg.Produce, 3, "wrong batches", func(t *Talk) {
			// Each has a partition of its own: where one broker takes what the other refuses, what follows is alike.
			to, sends := t.Topic("", int32(len(wrongBatches()))), wrongBatches()
			for i, w := range sends {
				r := t.Ask(w.name, produce(t.Version, to, int32(i), w.bytes))
				if answer, ok := r.(*kmsg.ProduceResponse); ok && answer.Topics[0].Partitions[0].ErrorCode == 0 {
					t.Contents(w.name+" contents", to, int32(i))
				}
			}
		}),
		since(kmsg.Produce, 3, "acks 0 and a wrong checksum", func(t *Talk) {
			to := t.Topic("", 1)
			r := produce(t.Version, to, 0, batchOf(recs(1)...).with(func(b *madeBatch) { b.crc = 1 }).bytes())
			r.Acks = 0
			t.Silent("answer", t.Send("", r), time.Second)
		}),
		every(kmsg.Produce, "null records", func(t *Talk) {
			to := t.Topic("", 1)
			t.Silent("null", t.Send("", produce(t.Version, to, 0, nil)), 2*time.Second)
		}),
		since(kmsg.Produce, 3, "empty records", func(t *Talk) {
			to := t.Topic("", 1)
			t.Ask("empty", produce(t.Version, to, 0, []byte{}))
		}),
	}
}
