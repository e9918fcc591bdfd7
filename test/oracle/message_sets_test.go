//go:build suite

package oracle

import (
	"bytes"
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// wrapped makes a compressed message of a set of them.
func wrapped(codec int, magic int8, offset int64, inner ...message) message {
	m := message{offset: offset, magic: magic, attributes: int8(codec), timestamp: baseTime, value: compress(codec, messageSet(inner...))}
	if magic == 0 && codec == lz4 {
		m.value = wrongLZ4(m.value)
	}
	return m
}

func old(magic int8, n int) []message {
	var all []message
	for i, r := range recs(n) {
		all = append(all, message{offset: int64(i), magic: magic, timestamp: baseTime + r.delta, key: r.key, value: r.value})
	}
	return all
}

// aboutMessageSets are the versions of Produce and Fetch that carry messages of magic 0 and 1.
func aboutMessageSets() []conversation {
	return []conversation{
		between(kmsg.Produce, 0, 2, "message sets", func(t *Talk) {
			for _, magic := range []int8{0, 1} {
				name := "magic " + number(int16(magic)) + " "
				to := t.Topic("-"+number(int16(magic)), 1)
				send := func(step string, messages ...message) {
					t.Ask(name+step, produce(t.Version, to, 0, messageSet(messages...)))
				}
				send("three", old(magic, 3)...)
				send("one", old(magic, 1)...)
				send("null key", message{magic: magic, timestamp: baseTime, value: []byte("v")})
				send("null value", message{magic: magic, timestamp: baseTime, key: []byte("k")})
				send("wrong offsets", message{offset: 5, magic: magic, timestamp: baseTime, value: []byte("v")}, message{offset: 5, magic: magic, timestamp: baseTime, value: []byte("w")})
				send("no timestamp", message{magic: magic, timestamp: -1, value: []byte("v")})
				send("wrong checksum", message{magic: magic, timestamp: baseTime, value: []byte("v"), crc: 1})
				send("append time", message{magic: magic, attributes: 8, timestamp: baseTime, value: []byte("v")})
				for codec, codecName := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
					if codec == noCodec {
						continue
					}
					send(codecName, wrapped(codec, magic, 2, old(magic, 3)...))
					send(codecName+" with absolute offsets", wrapped(codec, magic, 12, message{offset: 10, magic: magic, timestamp: baseTime, value: []byte("a")}, message{offset: 12, magic: magic, timestamp: baseTime, value: []byte("b")}))
					send(codecName+" twice", wrapped(codec, magic, 2, old(magic, 3)...), wrapped(codec, magic, 4, old(magic, 2)...))
					send(codecName+" beside a plain one", append(old(magic, 1), wrapped(codec, magic, 2, old(magic, 3)...))...)
					send(codecName+" of garbage", message{magic: magic, attributes: int8(codec), timestamp: baseTime, value: []byte("garbage, nothing but garbage")})
					send(codecName+" of the other magic", wrapped(codec, magic, 2, old(1-magic, 3)...))
				}
				send("codec 5", message{magic: magic, attributes: 5, timestamp: baseTime, value: []byte("v")})
				t.Ask(name+"nothing", produce(t.Version, to, 0, []byte{}))
				whole := messageSet(old(magic, 2)...)
				t.Ask(name+"cut short", produce(t.Version, to, 0, whole[:len(whole)-3]))
				t.Ask(name+"half a header", produce(t.Version, to, 0, whole[:9]))
				t.Contents(name+"contents", to, 0)
				small := t.Topic("-small-"+number(int16(magic)), 1, "max.message.bytes", "1000")
				t.Ask(name+"too large", produce(t.Version, small, 0, messageSet(message{magic: magic, timestamp: baseTime, value: bytes.Repeat([]byte("x"), 1000)})))
				compacted := t.Topic("-compacted-"+number(int16(magic)), 1, "cleanup.policy", "compact")
				t.Ask(name+"null key compacted", produce(t.Version, compacted, 0, messageSet(message{magic: magic, timestamp: baseTime, value: []byte("v")})))
			}
			to := t.Topic("-mixed", 1)
			t.Ask("both magics", produce(t.Version, to, 0, append(messageSet(old(0, 1)...), messageSet(old(1, 1)...)...)))
			t.Ask("a batch of magic 2", produce(t.Version, to, 0, batchOf(recs(2)...).bytes()))
			t.Ask("a batch of magic 2 with zstd", produce(t.Version, t.Topic("-zstd", 1), 0, batchOf(recs(2)...).packed(zstd).bytes()))
			t.Contents("contents", to, 0)
		}),
		between(kmsg.Fetch, 0, 3, "down-conversion", func(t *Talk) {
			for codec, name := range []string{"none", "gzip", "snappy", "lz4"} {
				from := t.Topic("-"+name, 1)
				t.Write(from, 0, batchOf(recs(5)...).packed(codec).bytes(), batchOf(record{key: []byte("k"), headers: []string{"a", "b"}}, record{value: []byte("v")}).packed(codec).bytes())
				for _, offset := range []int64{0, 2, 5, 6, 7} {
					t.readOld(name+" from "+number(offset), from, offset)
				}
			}
			from := t.Topic("-zstd", 1)
			t.Write(from, 0, batchOf(recs(5)...).packed(zstd).bytes())
			t.Ask("zstd", fetch(t.Version, from, 0, 0))
			broker := t.Topic("-append", 1, "message.timestamp.type", "LogAppendTime")
			t.Write(broker, 0, batchOf(recs(3)...).bytes())
			t.readOld("append time", broker, 0)
			id, epoch := t.Producer()
			producer := t.Topic("-producer", 1)
			t.Write(producer, 0, batchOf(recs(3)...).from(id, epoch, 0).bytes())
			t.readOld("of a producer", producer, 0)
		}),
	}
}

// readOld fetches messages as an old client does, until there are no more, and records them all together. How many come
// in one answer, and how much of another at its end, is up to the broker: converted records are of another size than
// those in the log, and a client drops what is incomplete and asks again.
func (t *Talk) readOld(step string, from topic, offset int64) {
	var all *kmsg.FetchResponse
	for next := offset; ; {
		got := t.Must(fetch(t.Version, from, 0, next)).(*kmsg.FetchResponse)
		p := &got.Topics[0].Partitions[0]
		whole, last := wholeMessages(p.RecordBatches)
		p.RecordBatches = whole
		if all == nil {
			all = got
		} else {
			p := &all.Topics[0].Partitions[0]
			p.RecordBatches = append(p.RecordBatches, whole...)
		}
		if last < next {
			break
		}
		next = last + 1
	}
	t.record(step, all, nil)
}

// wholeBatches is the same for batches of magic 2.
func wholeBatches(b []byte) (whole []byte, last int64) {
	at := 0
	last = -1
	for len(b)-at >= batchHeader {
		size := 12 + int(binary.BigEndian.Uint32(b[at+8:]))
		if size > len(b)-at {
			break
		}
		last = int64(binary.BigEndian.Uint64(b[at:])) + int64(binary.BigEndian.Uint32(b[at+23:]))
		at += size
	}
	return b[:at], last
}

// wholeMessages cuts an incomplete message off the end, and says which offset the last complete one has.
func wholeMessages(b []byte) (whole []byte, last int64) {
	at := 0
	last = -1
	for len(b)-at >= 12 {
		size := 12 + int(binary.BigEndian.Uint32(b[at+8:]))
		if size > len(b)-at {
			break
		}
		last = int64(binary.BigEndian.Uint64(b[at:]))
		at += size
	}
	return b[:at], last
}
