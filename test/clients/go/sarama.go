package main

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"
)

// saramaClient may be given a version to pretend that the broker is an old Kafka.
type saramaClient struct {
	broker  string
	version []string
}

func (s saramaClient) config() (*sarama.Config, error) {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	if len(s.version) > 0 {
		v, err := sarama.ParseKafkaVersion(s.version[0])
		if err != nil {
			return nil, err
		}
		c.Version = v
		c.ApiVersionsRequest = false
	}
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Flush.MaxMessages = 500
	c.Producer.Retry.Max, c.Producer.Retry.Backoff = 20, 20*time.Millisecond
	c.Consumer.Return.Errors = true
	c.Consumer.Fetch.Default = 4 << 20
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	return c, nil
}

func (s saramaClient) produce(ctx context.Context, topic, codec string, idempotent bool, records []record) error {
	c, err := s.config()
	if err != nil {
		return err
	}
	c.Producer.Compression = map[string]sarama.CompressionCodec{
		"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
		"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}[codec]
	c.Net.MaxOpenRequests = 1 // what sarama needs for order, and for idempotence
	c.Producer.Idempotent = idempotent
	p, err := sarama.NewAsyncProducer([]string{s.broker}, c)
	if err != nil {
		return err
	}
	var first error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for range records {
			select {
			case <-p.Successes():
			case e := <-p.Errors():
				if first == nil {
					first = e
				}
			case <-ctx.Done():
				first = ctx.Err()
				return
			}
		}
	}()
	for _, r := range records {
		m := &sarama.ProducerMessage{Topic: topic, Partition: 0, Timestamp: r.time()}
		if r.Key != nil {
			m.Key = sarama.ByteEncoder(r.Key)
		}
		if r.Value != nil {
			m.Value = sarama.ByteEncoder(r.Value)
		}
		for _, h := range r.Headers {
			m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.Name), Value: h.Value})
		}
		p.Input() <- m
	}
	<-answered
	p.AsyncClose()
	return first
}

func (s saramaClient) consume(ctx context.Context, topic string, count int) ([]record, error) {
	c, err := s.config()
	if err != nil {
		return nil, err
	}
	consumer, err := sarama.NewConsumer([]string{s.broker}, c)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	p, err := consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return nil, err
	}
	defer p.AsyncClose()
	records := make([]record, 0, count)
	for len(records) < count {
		select {
		case m := <-p.Messages():
			records = append(records, fromSarama(m))
		case e := <-p.Errors():
			return records, e
		case <-ctx.Done():
			return records, ctx.Err()
		}
	}
	return records, nil
}

func (s saramaClient) group(ctx context.Context, topic, group string, count int) ([]record, error) {
	c, err := s.config()
	if err != nil {
		return nil, err
	}
	g, err := sarama.NewConsumerGroup([]string{s.broker}, group, c)
	if err != nil {
		return nil, err
	}
	defer g.Close() // leaves the group
	ctx, done := context.WithCancel(ctx)
	defer done()
	taker := &saramaTaker{count: count, done: done}
	for len(taker.records) < count {
		if err := g.Consume(ctx, []string{topic}, taker); err != nil {
			return taker.records, err
		}
		if ctx.Err() != nil && len(taker.records) < count {
			return taker.records, errors.Join(ctx.Err(), errors.New("the group gave no more records"))
		}
	}
	return taker.records, nil
}

// A saramaTaker takes count records, commits the last, and ends its session.
type saramaTaker struct {
	count   int
	records []record
	done    func()
}

func (*saramaTaker) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*saramaTaker) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (t *saramaTaker) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for m := range claim.Messages() {
		t.records = append(t.records, fromSarama(m))
		if len(t.records) == t.count {
			session.MarkMessage(m, "")
			session.Commit()
			t.done()
			return nil
		}
	}
	return nil
}

func fromSarama(m *sarama.ConsumerMessage) record {
	out := record{Key: m.Key, Value: m.Value, Timestamp: m.Timestamp.UnixMilli(), Offset: m.Offset}
	for _, h := range m.Headers {
		out.Headers = append(out.Headers, header{string(h.Key), h.Value})
	}
	return out
}
