//go:build suite && linux

package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// client produces and reads with franz-go, and knows what was acknowledged: what a topic must hold, in that order.
type client struct {
	t       *testing.T
	address string
	kgo     *kgo.Client
	admin   *kadm.Client
	kept    map[string][]uint64 // the number that each acknowledged record of a topic was made from
	next    uint64
}

func newClient(t *testing.T, address string) *client {
	t.Helper()
	c := &client{t: t, address: address, kept: map[string][]uint64{}}
	c.connect()
	return c
}

// connect makes a client that tries once and reports what the broker says; so it does not outlive a broker.
func (c *client) connect() {
	c.t.Helper()
	k, err := kgo.NewClient(kgo.SeedBrokers(c.address), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0),
		kgo.ProducerLinger(0), kgo.MetadataMinAge(20*time.Millisecond), kgo.ProducerBatchCompression(kgo.NoCompression()))
	must(c.t, err)
	c.t.Cleanup(k.Close)
	c.kgo, c.admin = k, kadm.NewClient(k)
}

func (c *client) create(topic string, configs map[string]string) {
	c.t.Helper()
	set := map[string]*string{}
	for name, value := range configs {
		set[name] = &value
	}
	_, err := c.admin.CreateTopic(c.t.Context(), 1, 1, set, topic)
	must(c.t, err)
}

// value is what a number stands for: it can be told from any other, and its bytes do not repeat.
func value(number uint64, size int) []byte {
	chacha := rand.NewChaCha8([32]byte{byte(number), byte(number >> 8), byte(number >> 16), byte(number >> 24)})
	b := make([]byte, size)
	_, _ = chacha.Read(b) // never fails
	return b
}

// produce sends one record and remembers it if it was acknowledged.
func (c *client) produce(topic string, size int) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	number := c.next
	c.next++
	err := c.kgo.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: value(number, size)}).FirstErr()
	if err == nil {
		c.kept[topic] = append(c.kept[topic], number)
	}
	return err
}

// produceUntilRefused fills the disk and returns what the broker says in the end.
func (c *client) produceUntilRefused(topic string, size int, atMost int) error {
	c.t.Helper()
	for sent := 0; sent <= atMost; sent += size {
		if err := c.produce(topic, size); err != nil {
			return err
		}
	}
	c.t.Fatalf("%d bytes went to a disk that has fewer", atMost)
	return nil
}

// checkAll reads a topic from its start and compares it with what was acknowledged.
func (c *client) checkAll(topic string) {
	c.t.Helper()
	must(c.t, c.readAll(topic))
}

func (c *client) readAll(topic string) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	ends, err := c.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	kept := c.kept[topic]
	if end, _ := ends.Lookup(topic, 0); end.Err != nil || end.Offset != int64(len(kept)) {
		return fmt.Errorf("%s ends at %d (%w), %d records were acknowledged", topic, end.Offset, end.Err, len(kept))
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(c.address), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return err
	}
	defer reader.Close()
	next := 0
	for next < len(kept) {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s at %d of %d: %w", topic, next, len(kept), err)
		}
		var wrong error
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset != int64(next) || next < len(kept) && !bytes.Equal(r.Value, value(kept[next], len(r.Value))) {
				wrong = errors.Join(wrong, fmt.Errorf("%s holds another record at %d than was acknowledged for %d", topic, r.Offset, next))
			}
			next++
		})
		if wrong != nil {
			return wrong
		}
	}
	return nil
}
