//go:build suite

package oracle

import (
	"bytes"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// magicOf is what a Produce version carries: message sets of magic 0 and 1 before v3.
func goodRecords(version int16, n int) []byte {
	if version >= 3 {
		return batchOf(recs(n)...).bytes()
	}
	var all []message
	for i, r := range recs(n) {
		all = append(all, message{offset: int64(i), magic: int8(min(version, 1)), timestamp: baseTime + r.delta, key: r.key, value: r.value})
	}
	if version == 2 || version == 1 {
		for i := range all {
			all[i].magic = int8(version - 1)
		}
	}
	return messageSet(all...)
}

func aboutProduce() []conversation {
	return []conversation{
		every(kmsg.Produce, "good records", func(t *Talk) {
			to := t.Topic("", 2)
			t.Ask("first", produce(t.Version, to, 0, goodRecords(t.Version, 3)))
			t.Ask("second", produce(t.Version, to, 0, goodRecords(t.Version, 2)))
			one := produce(t.Version, to, 1, goodRecords(t.Version, 1))
			one.Acks = 1
			t.Ask("acks 1", one)
			both := produce(t.Version, to, 0, goodRecords(t.Version, 1))
			more := kmsg.NewProduceRequestTopicPartition()
			more.Partition, more.Records = 1, goodRecords(t.Version, 2)
			both.Topics[0].Partitions = append(both.Topics[0].Partitions, more)
			t.Ask("two partitions", both)
			none := produce(t.Version, to, 0, nil)
			none.Topics = nil
			t.Ask("no topics", none)
			t.Contents("contents", to, 0)
		}),
		every(kmsg.Produce, "bad targets", func(t *Talk) {
			to := t.Topic("", 1)
			good := goodRecords(t.Version, 1)
			t.Ask("unknown topic", produce(t.Version, topic{name: t.Name + "-none", id: [16]byte{1, 2, 3}}, 0, good))
			t.Ask("unknown partition", produce(t.Version, to, 7, good))
			t.Ask("negative partition", produce(t.Version, to, -1, good))
			t.Ask("bad name", produce(t.Version, topic{name: "a b"}, 0, good))
			t.Ask("empty name", produce(t.Version, topic{}, 0, good))
			t.Ask("one good one unknown", asked(t.Version, produce(t.Version, to, 0, good), func(r *kmsg.ProduceRequest) {
				other := kmsg.NewProduceRequestTopicPartition()
				other.Partition, other.Records = 5, good
				r.Topics[0].Partitions = append(r.Topics[0].Partitions, other)
			}))
			t.Contents("contents", to, 0)
		}),
		every(kmsg.Produce, "a partition twice", func(t *Talk) {
			to := t.Topic("", 1)
			r := produce(t.Version, to, 0, goodRecords(t.Version, 1))
			other := kmsg.NewProduceRequestTopicPartition()
			other.Partition, other.Records = 0, goodRecords(t.Version, 2)
			r.Topics[0].Partitions = append(r.Topics[0].Partitions, other)
			t.Ask("answer", r)
			t.Ask("end", listOffsets(2, to.name, -1, 1))
		}),
		every(kmsg.Produce, "internal topics", func(t *Talk) {
			offsets := topic{"__consumer_offsets", t.awaitTopic("__consumer_offsets", 1)}
			t.Ask("offsets topic", produce(t.Version, offsets, 0, goodRecords(t.Version, 1)))
			t.Ask("metadata topic", produce(t.Version, topic{"__cluster_metadata", [16]byte{15: 1}}, 0, goodRecords(t.Version, 1)))
		}),
		every(kmsg.Produce, "acks", func(t *Talk) {
			to := t.Topic("", 1)
			for _, acks := range []int16{2, -2, 100} {
				t.Ask("acks "+number(acks), asked(t.Version, produce(t.Version, to, 0, goodRecords(t.Version, 1)), func(r *kmsg.ProduceRequest) { r.Acks = acks }))
			}
			quiet := produce(t.Version, to, 0, goodRecords(t.Version, 2))
			quiet.Acks = 0
			t.Send("", quiet)
			t.Ask("the next after acks 0", produce(t.Version, to, 0, goodRecords(t.Version, 1)))
			quiet.Topics[0].Partitions[0].Records = nil
			quiet.Topics[0].Partitions[0].Partition = 9
			quiet.Topics[0].Partitions[0].Records = goodRecords(t.Version, 1)
			t.Silent("acks 0 to an unknown partition", t.Send("", quiet), time.Second)
			t.Contents("contents", to, 0)
		}),
		since(kmsg.Produce, 3, "codecs", func(t *Talk) {
			for codec, name := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
				to := t.Topic("-"+name, 1)
				t.Ask(name, produce(t.Version, to, 0, batchOf(recs(20)...).packed(codec).bytes()))
				t.Contents(name+" contents", to, 0)
			}
		}),
		since(kmsg.Produce, 7, "recompression", func(t *Talk) {
			for _, name := range []string{"uncompressed", "gzip", "snappy", "lz4", "zstd"} {
				to := t.Topic("-"+name, 1, "compression.type", name)
				t.Ask(name+" of none", produce(t.Version, to, 0, batchOf(recs(20)...).bytes()))
				t.Ask(name+" of gzip", produce(t.Version, to, 0, batchOf(recs(20)...).packed(gzip).bytes()))
				t.Ask(name+" of zstd", produce(t.Version, to, 0, batchOf(recs(3)...).packed(zstd).bytes()))
				t.Contents(name+" contents", to, 0)
			}
		}),
		since(kmsg.Produce, 3, "sizes", func(t *Talk) {
			to := t.Topic("", 1, "max.message.bytes", "2000")
			t.Ask("too large", produce(t.Version, to, 0, batchOf(record{value: bytes.Repeat([]byte("x"), 2000)}).bytes()))
			b := batchOf(record{value: bytes.Repeat([]byte("x"), 1900)}).bytes()
			t.Ask("just fits", produce(t.Version, to, 0, batchOf(record{value: bytes.Repeat([]byte("x"), 1900+2000-len(b))}).bytes()))
			t.Ask("one more", produce(t.Version, to, 0, batchOf(record{value: bytes.Repeat([]byte("x"), 1901+2000-len(b))}).bytes()))
			t.Ask("compressed fits", produce(t.Version, to, 0, batchOf(record{value: bytes.Repeat([]byte("x"), 3000)}).packed(gzip).bytes()))
			large := t.Topic("-segment", 1, "segment.bytes", "1048576", "max.message.bytes", "2000000")
			t.Ask("larger than a segment", produce(t.Version, large, 0, batchOf(record{value: bytes.Repeat([]byte("x"), 1100000)}).bytes()))
		}),
		since(kmsg.Produce, 3, "timestamps", func(t *Talk) {
			to := t.Topic("", 1)
			now := time.Now().UnixMilli()
			at := func(ms int64) []byte {
				return batchOf(rec("k", "v")).with(func(b *madeBatch) { b.baseTimestamp, b.maxTimestamp = ms, ms }).bytes()
			}
			t.Ask("none", produce(t.Version, to, 0, at(-1)))
			t.Ask("minus two", produce(t.Version, to, 0, at(-2)))
			t.Ask("minus a million", produce(t.Version, to, 0, at(-1000000)))
			t.Ask("two hours ahead", produce(t.Version, to, 0, at(now+7200_000)))
			t.Ask("far ahead", produce(t.Version, to, 0, at(1<<62)))
			t.Ask("zero", produce(t.Version, to, 0, at(0)))
			t.Ask("wrong max", produce(t.Version, to, 0, batchOf(recs(2)...).with(func(b *madeBatch) { b.maxTimestamp += 1000 }).bytes()))
			past := t.Topic("-before", 1, "message.timestamp.before.max.ms", "3600000")
			t.Ask("too old", produce(t.Version, past, 0, at(baseTime)))
			t.Ask("one of three too old", produce(t.Version, past, 0, batchOf(record{value: []byte("a"), delta: now - baseTime}, record{value: []byte("b")}, record{value: []byte("c"), delta: now - baseTime}).bytes()))
			broker := t.Topic("-append", 1, "message.timestamp.type", "LogAppendTime")
			t.Ask("append time far ahead", produce(t.Version, broker, 0, at(1<<62)))
			t.Ask("append time", produce(t.Version, broker, 0, batchOf(recs(3)...).bytes()))
			t.Ask("append time compressed", produce(t.Version, broker, 0, batchOf(recs(3)...).packed(lz4).bytes()))
			t.Ask("client says append time", produce(t.Version, to, 0, batchOf(recs(1)...).with(func(b *madeBatch) { b.attributes |= 8 }).bytes()))
			t.Contents("append time contents", broker, 0)
			t.Contents("contents", to, 0)
		}),
		since(kmsg.Produce, 3, "a compacted topic", func(t *Talk) {
			to := t.Topic("", 1, "cleanup.policy", "compact")
			t.Ask("null key", produce(t.Version, to, 0, batchOf(record{value: []byte("v")}).bytes()))
			t.Ask("null key in the middle", produce(t.Version, to, 0, batchOf(rec("a", "1"), record{value: []byte("v")}, rec("b", "2")).bytes()))
			t.Ask("null keys compressed", produce(t.Version, to, 0, batchOf(record{value: []byte("v")}, rec("a", "1"), record{value: []byte("w")}).packed(snappy).bytes()))
			t.Ask("tombstone", produce(t.Version, to, 0, batchOf(record{key: []byte("k")}).bytes()))
			t.Ask("empty key", produce(t.Version, to, 0, batchOf(record{key: []byte{}, value: []byte{}}).bytes()))
			t.Contents("contents", to, 0)
		}),
		since(kmsg.Produce, 3, "transactions refused", func(t *Talk) {
			to := t.Topic("", 1)
			t.Ask("transactional batch without id", produce(t.Version, to, 0, batchOf(recs(1)...).from(5_000_000, 0, 0).with(func(b *madeBatch) { b.attributes |= 16 }).bytes()))
			named := produce(t.Version, to, 0, batchOf(recs(1)...).from(5_000_000, 0, 0).with(func(b *madeBatch) { b.attributes |= 16 }).bytes())
			named.TransactionID = kmsg.StringPtr("nobody-" + t.Name)
			t.Ask("unknown transactional id", named)
			plain := produce(t.Version, to, 0, batchOf(recs(1)...).bytes())
			plain.TransactionID = kmsg.StringPtr("nobody-" + t.Name)
			t.Ask("id with a plain batch", plain)
			t.Ask("transactional without producer", produce(t.Version, to, 0, batchOf(recs(1)...).with(func(b *madeBatch) { b.attributes |= 16 }).bytes()))
			t.Ask("control batch", produce(t.Version, to, 0, batchOf(recs(1)...).with(func(b *madeBatch) { b.attributes |= 32 }).bytes()))
			t.Contents("contents", to, 0)
		}),
	}
}
