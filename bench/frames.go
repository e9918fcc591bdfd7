package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// The versions that are sent: the newest that name topics and not their ids.
const (
	produceVersion = 12
	fetchVersion   = 12
)

const (
	correlationAt = 8       // of a request frame, behind length, key and version
	recordSize    = 1 << 10 // the value of a record in the bulk workloads
	tinySize      = 100

	smallBatch = 64 << 10
	largeBatch = 1 << 20
)

// recordBatch builds a batch of as many records as fit size bytes, or of count records if that is not zero.
func recordBatch(size, count, valueSize int) []byte {
	value := make([]byte, valueSize)
	random := rand.New(rand.NewPCG(1, 2)) // the same bytes each time, and such as no codec makes smaller
	for i := range value {
		value[i] = byte(random.Uint32())
	}
	b := batch.NewBuilder(batch.BuilderOptions{})
	now := time.Now().UnixMilli()
	if count == 0 {
		const overhead = 12 // of a record, at most
		count = (size - batch.HeaderSize) / (valueSize + overhead)
	}
	for range count {
		b.Append(batch.Record{Timestamp: now, Value: value})
	}
	return b.Build()
}

func frame(request kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench")).AppendRequest(nil, request, 0)
}

// produceFrame is a whole request that produces one batch to one partition.
func produceFrame(topic string, partition int32, acks int16, records []byte) []byte {
	r := kmsg.NewPtrProduceRequest()
	r.Version, r.Acks, r.TimeoutMillis = produceVersion, acks, 30_000
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.Partitions = topic, []kmsg.ProduceRequestTopicPartition{p}
	r.Topics = []kmsg.ProduceRequestTopic{t}
	return frame(r)
}

// fetchFrame is a whole request that fetches from one partition, and where in it the offset is.
func fetchFrame(topic string, partition int32, minBytes, maxBytes int32) (request []byte, offsetAt int) {
	const mark = 0x1122334455667788
	r := kmsg.NewPtrFetchRequest()
	r.Version, r.ReplicaID, r.SessionEpoch = fetchVersion, -1, -1
	r.MaxWaitMillis, r.MinBytes, r.MaxBytes = 500, minBytes, 64<<20
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.CurrentLeaderEpoch, p.LastFetchedEpoch, p.FetchOffset, p.PartitionMaxBytes = partition, -1, -1, mark, maxBytes
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.Partitions = topic, []kmsg.FetchRequestTopicPartition{p}
	r.Topics = []kmsg.FetchRequestTopic{t}
	f := frame(r)
	return f, bytes.Index(f, binary.BigEndian.AppendUint64(nil, mark))
}

var errShort = errors.New("answer is too short")

// checkProduced looks at the only partition's error in an answer without its length.
func checkProduced(answer []byte, topic string) error {
	at := 4 + 1 + 1 + 1 + len(topic) + 1 + 4 // correlation id, tags, topics, name's length, name, partitions, index
	if len(answer) < at+2 {
		return errShort
	}
	return codeError(answer[at:])
}

// fetched finds the records in an answer without its length that is about one partition.
func fetched(answer []byte, topic string) (records []byte, err error) {
	// correlation id, tags, throttle time, error, session, topics, name's length, name, partitions, index
	at := 4 + 1 + 4 + 2 + 4 + 1 + 1 + len(topic) + 1 + 4
	rest := at + 2 + 3*8 + 1 + 4 // error, three offsets, aborted transactions (null or none), preferred replica
	if len(answer) < 11 {
		return nil, errShort
	}
	if err := codeError(answer[9:]); err != nil {
		return nil, err
	}
	if len(answer) <= rest {
		return nil, errShort
	}
	if err := codeError(answer[at:]); err != nil {
		return nil, err
	}
	n, size := binary.Uvarint(answer[rest:])
	if size <= 0 || n > uint64(len(answer)-rest-size)+1 {
		return nil, errShort
	}
	if n == 0 {
		return nil, nil
	}
	return answer[rest+size:][:n-1], nil
}

func codeError(b []byte) error {
	return kerr.ErrorForCode(int16(binary.BigEndian.Uint16(b)))
}

// nextOffset is where the fetch after these records begins. A batch that was cut off at the end does not count; size
// is what the whole ones take.
func nextOffset(records []byte, from int64) (next int64, size int, err error) {
	next = from
	for len(records)-size >= batch.HeaderSize {
		rest := records[size:]
		length := int(binary.BigEndian.Uint32(rest[8:])) + 12
		if length > len(rest) {
			break
		}
		next = int64(binary.BigEndian.Uint64(rest)) + int64(binary.BigEndian.Uint32(rest[23:])) + 1
		size += length
	}
	if next <= from && len(records) > 0 {
		return 0, 0, fmt.Errorf("%d bytes of records from offset %d hold no whole batch", len(records), from)
	}
	return next, size, nil
}
