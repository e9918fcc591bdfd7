//go:build suite && linux

package faults

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

const (
	produceVersion = 9  // the last ones by topic name that are flexible
	fetchVersion   = 12 // "
)

// line is one connection: nothing is tried again, and a connection that ends is an error.
type line struct {
	net.Conn
	correlation int32
}

func dial(t *testing.T, address string) *line {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return &line{Conn: c}
}

// ask sends a request and reads its answer.
func (l *line) ask(request kmsg.Request) (kmsg.Response, error) {
	l.correlation++
	if err := l.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := l.Write(kmsg.NewRequestFormatter().AppendRequest(nil, request, l.correlation)); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(l, size[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(l, body); err != nil {
		return nil, err
	}
	if got := int32(binary.BigEndian.Uint32(body)); got != l.correlation {
		return nil, fmt.Errorf("the answer to %d says it is that to %d", l.correlation, got)
	}
	response, head := request.ResponseKind(), 4
	if request.IsFlexible() && request.Key() != int16(kmsg.ApiVersions) {
		head++ // no tags
	}
	return response, response.ReadFrom(body[head:])
}

// produce appends one record, in a batch of its own, and returns its offset.
func (l *line) produce(topic string, value []byte) (int64, error) {
	b := batch.NewBuilder(batch.BuilderOptions{})
	b.Append(batch.Record{Timestamp: time.Now().UnixMilli(), Value: value})
	request := kmsg.NewPtrProduceRequest()
	request.Version, request.Acks, request.TimeoutMillis = produceVersion, -1, 10_000
	partition := kmsg.NewProduceRequestTopicPartition()
	partition.Records = b.Build()
	request.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{partition}}}
	answer, err := l.ask(request)
	if err != nil {
		return -1, err
	}
	p := answer.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	return p.BaseOffset, kerr.ErrorForCode(p.ErrorCode)
}

// fetch returns what the broker sends of a partition from an offset on, as it is.
func (l *line) fetch(topic string, from int64) ([]byte, error) {
	request := kmsg.NewPtrFetchRequest()
	request.Version, request.MaxWaitMillis, request.MinBytes, request.MaxBytes = fetchVersion, 100, 1, 1<<20
	request.SessionEpoch = -1
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.FetchOffset, partition.PartitionMaxBytes = from, 1<<20
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.Partitions = topic, []kmsg.FetchRequestTopicPartition{partition}
	request.Topics = append(request.Topics, t)
	answer, err := l.ask(request)
	if err != nil {
		return nil, err
	}
	response := answer.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(response.ErrorCode); err != nil {
		return nil, err
	}
	p := response.Topics[0].Partitions[0]
	return p.RecordBatches, kerr.ErrorForCode(p.ErrorCode)
}

// record fetches one record's value.
func (l *line) record(topic string, offset int64) ([]byte, error) {
	batches, err := l.fetch(topic, offset)
	if err != nil {
		return nil, err
	}
	for len(batches) > 0 {
		_, whole, rest, err := batch.Next(batches)
		if err != nil {
			return nil, err
		}
		if err := batch.CheckCRC(whole); err != nil {
			return nil, err
		}
		for r, err := range batch.Records(whole, 1<<20) {
			if err != nil || r.Offset == offset {
				return r.Value, err
			}
		}
		batches = rest
	}
	return nil, fmt.Errorf("%s: nothing at offset %d", topic, offset)
}
