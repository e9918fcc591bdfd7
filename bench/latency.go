package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// latencyRate is how many records a second the producer of the latency workload sends.
const latencyRate = 5000

// latencyLoad has one producer that sends a record at a time, at a steady rate, and one consumer that polls for it.
type latencyLoad struct {
	options options
	records []byte
	stampAt int   // where in the batch the time is
	end     int64 // of the log
}

func newLatencyLoad(o options) load {
	l := &latencyLoad{options: o, records: recordBatch(0, 1, tinySize)}
	l.stampAt = len(l.records) - 1 - tinySize // behind the value there is only the count of headers
	return l
}

func (l *latencyLoad) prepare(ctx context.Context, b *broker) error {
	l.end = 1 // createTopic writes a record
	return b.createTopic(ctx, loadTopic, 1, nil)
}

func (l *latencyLoad) finish(ctx context.Context, b *broker) error {
	return b.deleteTopic(ctx, loadTopic)
}

func (l *latencyLoad) pass(ctx context.Context, b *broker) (work, error) {
	count := int(l.options.Duration.Seconds() * latencyRate)
	var took latencies
	// Connection 0 produces, 1 consumes.
	_, err := parallel(ctx, b.node.Address, 2, func(c *conn, number int) (work, error) {
		if number == 0 {
			return work{}, l.produce(ctx, c, count)
		}
		var err error
		took, err = l.consume(c, l.end, l.end+int64(count))
		return work{}, err
	})
	l.end += int64(count)
	return work{requests: count, took: took}, err
}

// produce sends records at their times. Answers are read elsewhere, so that a slow one holds nothing up.
func (l *latencyLoad) produce(ctx context.Context, c *conn, count int) error {
	answered := make(chan error, 1)
	go func() { answered <- takeAnswers(c, count) }()
	err := l.sendSteadily(ctx, c, count)
	if err != nil {
		c.close() // or the answers would be waited for
	}
	return errors.Join(err, <-answered)
}

func (l *latencyLoad) sendSteadily(ctx context.Context, c *conn, count int) error {
	request := produceFrame(loadTopic, 0, l.options.Acks, l.records)
	at := bytes.Index(request, l.records)
	if at < 0 {
		return errors.New("the batch is not in the request")
	}
	records := request[at : at+len(l.records)]
	const interval = time.Second / latencyRate
	due := time.Now()
	awake := due
	for range count {
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
			awake = time.Now()
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		// A record that is late because the broker took the one before it slowly has been waiting since it was due.
		// One that is late because the sleep was long has not: its clock starts when the sleep ended.
		stamp := due
		if awake.After(due) {
			stamp = awake
		}
		binary.BigEndian.PutUint64(records[l.stampAt:], uint64(stamp.UnixNano()))
		batch.SetCRC(records)
		if err := c.send(request); err != nil {
			return err
		}
		due = due.Add(interval)
	}
	return nil
}

func takeAnswers(c *conn, count int) error {
	for range count {
		answer, err := c.receive()
		if err != nil {
			return err
		}
		if err := checkProduced(answer, loadTopic); err != nil {
			return err
		}
	}
	return nil
}

// consume polls from one offset to another.
func (l *latencyLoad) consume(c *conn, offset, end int64) (latencies, error) {
	took := make(latencies, 0, end-offset)
	request, offsetAt := fetchFrame(loadTopic, 0, 1, largeBatch)
	for offset < end {
		c.number(request)
		binary.BigEndian.PutUint64(request[offsetAt:], uint64(offset))
		if err := c.send(request); err != nil {
			return nil, err
		}
		answer, err := c.receive()
		if err != nil {
			return nil, err
		}
		now := time.Now().UnixNano()
		records, err := fetched(answer, loadTopic)
		if err != nil {
			return nil, err
		}
		next, size, err := nextOffset(records, offset)
		if err != nil {
			return nil, err
		}
		if size%len(l.records) != 0 {
			return nil, fmt.Errorf("%d bytes of records of %d bytes", size, len(l.records))
		}
		for at := 0; at < size; at += len(l.records) {
			took = append(took, time.Duration(now-int64(binary.BigEndian.Uint64(records[at+l.stampAt:]))))
		}
		offset = next
	}
	return took, nil
}
