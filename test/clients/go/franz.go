package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type franz struct{ broker string }

func (f franz) produce(ctx context.Context, topic, codec string, idempotent bool, records []record) error {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(f.broker),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(codecs[codec]),
		kgo.ProducerBatchMaxBytes(200_000),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.MetadataMinAge(100 * time.Millisecond), // it looks again before it retries, at most this often
	}
	if !idempotent {
		options = append(options, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	batch := make([]*kgo.Record, len(records))
	for i, r := range records {
		batch[i] = &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value, Timestamp: r.time()}
		for _, h := range r.Headers {
			batch[i].Headers = append(batch[i].Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
		}
	}
	return client.ProduceSync(ctx, batch...).FirstErr()
}

func (f franz) consume(ctx context.Context, topic string, count int) ([]record, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(f.broker), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		topic: {0: kgo.NewOffset().AtStart()},
	}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return f.poll(ctx, client, count)
}

func (f franz) group(ctx context.Context, topic, group string, count int) ([]record, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(f.broker), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.Balancers(kgo.RangeBalancer()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	if err != nil {
		return nil, err
	}
	defer client.Close() // leaves the group
	records, err := f.poll(ctx, client, count)
	if err != nil {
		return records, err
	}
	last := records[len(records)-1]
	return records, client.CommitRecords(ctx, &kgo.Record{Topic: topic, Offset: last.Offset, LeaderEpoch: -1})
}

// poll takes exactly count records.
func (f franz) poll(ctx context.Context, client *kgo.Client, count int) ([]record, error) {
	records := make([]record, 0, count)
	for len(records) < count {
		fetches := client.PollRecords(ctx, count-len(records))
		if err := fetches.Err(); err != nil {
			return records, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			out := record{Key: r.Key, Value: r.Value, Timestamp: r.Timestamp.UnixMilli(), Offset: r.Offset}
			for _, h := range r.Headers {
				out.Headers = append(out.Headers, header{h.Key, h.Value})
			}
			records = append(records, out)
		})
	}
	return records, nil
}
