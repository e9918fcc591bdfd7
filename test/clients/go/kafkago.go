package main

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"
)

type kafkaGo struct{ broker string }

func (k kafkaGo) produce(ctx context.Context, topic, codec string, _ bool, records []record) error {
	codecs := map[string]kafka.Compression{"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd}
	w := &kafka.Writer{
		Addr: kafka.TCP(k.broker), Topic: topic, Compression: codecs[codec], RequiredAcks: kafka.RequireAll,
		BatchBytes: 300_000, BatchSize: 500, BatchTimeout: 5 * time.Millisecond,
		Balancer: kafka.BalancerFunc(func(kafka.Message, ...int) int { return 0 }),
	}
	defer w.Close()
	messages := make([]kafka.Message, len(records))
	for i, r := range records {
		messages[i] = kafka.Message{Key: r.Key, Value: r.Value, Time: r.time()}
		for _, h := range r.Headers {
			messages[i].Headers = append(messages[i].Headers, kafka.Header{Key: h.Name, Value: h.Value})
		}
	}
	return w.WriteMessages(ctx, messages...)
}

func (k kafkaGo) consume(ctx context.Context, topic string, count int) ([]record, error) {
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{k.broker}, Topic: topic, Partition: 0, MinBytes: 1, MaxBytes: 4 << 20, MaxWait: 500 * time.Millisecond,
	})
	defer r.Close()
	if err := r.SetOffset(kafka.FirstOffset); err != nil {
		return nil, err
	}
	records := make([]record, 0, count)
	for len(records) < count {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			return records, err
		}
		records = append(records, fromKafkaGo(m))
	}
	return records, nil
}

func (k kafkaGo) group(ctx context.Context, topic, group string, count int) ([]record, error) {
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{k.broker}, Topic: topic, GroupID: group, StartOffset: kafka.FirstOffset,
		MinBytes: 1, MaxBytes: 4 << 20, MaxWait: 500 * time.Millisecond,
		GroupBalancers: []kafka.GroupBalancer{kafka.RangeGroupBalancer{}},
	})
	defer r.Close() // leaves the group
	records := make([]record, 0, count)
	var last kafka.Message
	for len(records) < count {
		m, err := r.FetchMessage(ctx)
		if err != nil {
			return records, err
		}
		records, last = append(records, fromKafkaGo(m)), m
	}
	return records, r.CommitMessages(ctx, last)
}

func fromKafkaGo(m kafka.Message) record {
	out := record{Key: m.Key, Value: m.Value, Timestamp: m.Time.UnixMilli(), Offset: m.Offset}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, header{h.Key, h.Value})
	}
	return out
}
