package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// loadTopic is the topic of the load at hand; there is one at a time.
const loadTopic = "bench"

// parallel runs several connections at once, each on its own goroutine, and adds up what they did.
func parallel(ctx context.Context, address string, connections int, do func(c *conn, number int) (work, error)) (work, error) {
	var mu sync.Mutex // guards total and failed
	var total work
	var failed error
	var running sync.WaitGroup
	for i := range connections {
		running.Go(func() {
			var done work
			c, err := dial(ctx, address)
			if err == nil {
				stop := context.AfterFunc(ctx, c.close)
				done, err = do(c, i)
				stop()
				c.close()
			}
			mu.Lock()
			defer mu.Unlock()
			total.bytes += done.bytes
			total.requests += done.requests
			total.took = append(total.took, done.took...)
			failed = errors.Join(failed, err)
		})
	}
	running.Wait()
	return total, failed
}

// produceLoad sends the same batch until a pass's bytes are in. Each pass has a new topic.
type produceLoad struct {
	options options
	records []byte
	configs map[string]string // of the topic
}

func newProduceLoad(o options, size int) load {
	return &produceLoad{options: o, records: recordBatch(size, 0, recordSize)}
}

func (l *produceLoad) prepare(ctx context.Context, b *broker) error { return l.renew(ctx, b, false) }
func (l *produceLoad) finish(ctx context.Context, b *broker) error {
	return b.deleteTopic(ctx, loadTopic)
}

// renew makes the topic empty.
func (l *produceLoad) renew(ctx context.Context, b *broker, exists bool) error {
	if exists {
		if err := b.deleteTopic(ctx, loadTopic); err != nil {
			return err
		}
	}
	return b.createTopic(ctx, loadTopic, l.options.Connections, l.configs)
}

func (l *produceLoad) pass(ctx context.Context, b *broker) (work, error) {
	n := int(l.options.Bytes) / len(l.records) / l.options.Connections
	return parallel(ctx, b.node.Address, l.options.Connections, func(c *conn, number int) (work, error) {
		return produceMany(ctx, c, int32(number), l.options, l.records, requests(n))
	})
}

// produceMany produces a batch to one partition as often as more says.
func produceMany(ctx context.Context, c *conn, partition int32, o options, records []byte, more func(int) bool) (work, error) {
	p := pipeline{
		conn: c, frame: produceFrame(loadTopic, partition, o.Acks, records), depth: o.InFlight,
		check: func(answer []byte) error { return checkProduced(answer, loadTopic) },
	}
	err := p.run(ctx, more)
	return work{bytes: int64(len(records)) * int64(len(p.took)), requests: len(p.took), took: p.took}, err
}

// fetchLoad reads a log from its start to its end in each pass.
type fetchLoad struct {
	options options
	size    int
	records []byte
}

func newFetchLoad(o options, size int) load {
	return &fetchLoad{options: o, size: size, records: recordBatch(size, 0, recordSize)}
}

func (l *fetchLoad) prepare(ctx context.Context, b *broker) error {
	if err := b.createTopic(ctx, loadTopic, l.options.Connections, nil); err != nil {
		return err
	}
	_, err := (&produceLoad{options: l.options, records: l.records}).pass(ctx, b)
	return err
}

func (l *fetchLoad) finish(ctx context.Context, b *broker) error {
	return b.deleteTopic(ctx, loadTopic)
}

func (l *fetchLoad) pass(ctx context.Context, b *broker) (work, error) {
	share := l.options.Bytes / int64(l.options.Connections) / int64(len(l.records)) * int64(len(l.records))
	return parallel(ctx, b.node.Address, l.options.Connections, func(c *conn, number int) (work, error) {
		return fetchMany(c, int32(number), int32(l.size), share)
	})
}

// fetchMany fetches until it has so many bytes, with one fetch at a time, as consumers do.
func fetchMany(c *conn, partition, maxBytes int32, bytes int64) (work, error) {
	var done work
	request, offsetAt := fetchFrame(loadTopic, partition, 1, maxBytes)
	for offset := int64(0); done.bytes < bytes; {
		c.number(request)
		binary.BigEndian.PutUint64(request[offsetAt:], uint64(offset))
		start := time.Now()
		if err := c.send(request); err != nil {
			return done, err
		}
		answer, err := c.receive()
		if err != nil {
			return done, err
		}
		done.took = append(done.took, time.Since(start))
		records, err := fetched(answer, loadTopic)
		if err != nil {
			return done, err
		}
		next, size, err := nextOffset(records, offset)
		if err != nil {
			return done, err
		}
		if size == 0 {
			return done, fmt.Errorf("the log ends at offset %d, after %d bytes of %d", next, done.bytes, bytes)
		}
		offset = next
		done.bytes += int64(size)
		done.requests++
	}
	return done, nil
}

// tinyLoad produces one small record a request.
type tinyLoad struct {
	produceLoad
}

func newTinyLoad(o options, inFlight int) load {
	o.InFlight, o.Connections = inFlight, 1
	return &tinyLoad{produceLoad{options: o, records: recordBatch(0, 1, tinySize)}}
}

func (l *tinyLoad) pass(ctx context.Context, b *broker) (work, error) {
	return parallel(ctx, b.node.Address, 1, func(c *conn, _ int) (work, error) {
		done, err := produceMany(ctx, c, 0, l.options, l.records, during(l.options.Duration))
		done.bytes = 0
		return done, err
	})
}

// fsyncLoad produces one small record a request to a topic that syncs each. All connections produce to one partition;
// acks=all, so that both brokers answer when the record is on the disk.
type fsyncLoad struct {
	produceLoad
	connections int
}

func newFsyncLoad(o options, connections int) load {
	o.InFlight, o.Connections, o.Acks = 1, 1, -1
	configs := map[string]string{"flush.messages": "1"}
	return &fsyncLoad{produceLoad{options: o, records: recordBatch(0, 1, tinySize), configs: configs}, connections}
}

func (l *fsyncLoad) pass(ctx context.Context, b *broker) (work, error) {
	return parallel(ctx, b.node.Address, l.connections, func(c *conn, _ int) (work, error) {
		done, err := produceMany(ctx, c, 0, l.options, l.records, during(l.options.Duration))
		done.bytes = 0
		return done, err
	})
}
