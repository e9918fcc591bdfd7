package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// firstProduce waits until a record is acknowledged, from before the broker listens. It creates the topic if told to.
func firstProduce(ctx context.Context, address, topic string, create bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	last := errors.New("not tried yet")
	for ; ctx.Err() == nil; time.Sleep(200 * time.Microsecond) {
		c, err := dial(ctx, address)
		if err != nil {
			last = err
			continue
		}
		for ; ctx.Err() == nil; time.Sleep(200 * time.Microsecond) {
			if create {
				last = createTopic(ctx, c, topic, 1, nil)
			} else {
				last = produceOne(c, topic, 0)
			}
			if last == nil {
				c.close()
				return nil
			}
			if errors.Is(last, errShort) || isGone(last) {
				break
			}
		}
		c.close()
	}
	return errors.Join(last, ctx.Err())
}

// timedStart starts a broker that is stopped, and tells how long it took until a record was acknowledged.
func (b *broker) timedStart(ctx context.Context, topic string, create bool) (time.Duration, error) {
	began := time.Now()
	started := make(chan error, 1)
	go func() { started <- b.node.Start() }()
	err := firstProduce(ctx, b.node.Address, topic, create)
	took := time.Since(began)
	return took, errors.Join(err, <-started)
}

// measureStart starts a broker on an empty directory, then again with 10 and with 1,000 partitions after clean stops.
func measureStart(ctx context.Context, w *world, name string) (s sample, err error) {
	b, err := w.startBroker(name, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.end()) }()
	if err := errors.Join(b.node.Stop(), b.empty(ctx)); err != nil {
		return nil, err
	}
	took, err := b.timedStart(ctx, "first", true)
	if err != nil {
		return nil, err
	}
	s = append(s, figure{"new directory ms", milliseconds(took)})
	for _, partitions := range []int{10, 1000} {
		topic := fmt.Sprintf("topic-%d", partitions)
		if err := b.createTopic(ctx, topic, partitions, nil); err != nil {
			return nil, err
		}
		if err := b.node.Stop(); err != nil {
			return nil, err
		}
		if took, err = b.timedStart(ctx, topic, false); err != nil {
			return nil, fmt.Errorf("start with %d partitions: %w", partitions, err)
		}
		s = append(s, figure{fmt.Sprintf("%d partitions ms", partitions), milliseconds(took)})
	}
	return s, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// measureIdle starts a broker on an empty directory and leaves it alone.
func measureIdle(ctx context.Context, w *world, name string) (s sample, err error) {
	b, err := w.startBroker(name, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.end()) }()
	atStart, err1 := residentBytes(b.node.PID)
	before, err2 := cpuTime(b.node.PID)
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(w.options.Idle):
	}
	after, err3 := cpuTime(b.node.PID)
	later, err4 := residentBytes(b.node.PID)
	return sample{
		{"memory at start MB", float64(atStart) / 1e6},
		{"memory idle MB", float64(later) / 1e6},
		{"CPU idle %", 100 * (after - before).Seconds() / w.options.Idle.Seconds()},
	}, errors.Join(err1, err2, err3, err4)
}

// partitionsPerTopic spreads the idle partitions over topics, as people do.
const partitionsPerTopic = 1000

// measurePartitions creates partitions, writes a record to each, and starts the broker again. What a partition costs is
// the memory beyond that of the same broker without them.
func measurePartitions(ctx context.Context, w *world, name string) (s sample, err error) {
	b, err := w.startBroker(name, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.end()) }()
	empty, err := settledBytes(ctx, b.node.PID)
	if err != nil {
		return nil, err
	}
	if err := fillPartitions(ctx, b, w.options.Partitions); err != nil {
		return nil, err
	}
	written, err1 := openDescriptors(b.node.PID)
	stopping := time.Now()
	err2 := b.node.Stop()
	stopped := time.Since(stopping)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	took, err := b.timedStart(ctx, topicNumber(0), false)
	if err != nil {
		return nil, err
	}
	resident, err1 := settledBytes(ctx, b.node.PID)
	descriptors, err2 := openDescriptors(b.node.PID)
	return sample{
		{"descriptors, all written", float64(written)},
		{"clean stop ms", milliseconds(stopped)},
		{"start ms", milliseconds(took)},
		{"descriptors after start", float64(descriptors)},
		{"bytes of memory a partition", float64(resident-empty) / float64(w.options.Partitions)},
	}, errors.Join(err1, err2)
}

func topicNumber(n int) string { return fmt.Sprintf("idle-%d", n) }

func fillPartitions(ctx context.Context, b *broker, partitions int) error {
	c, err := dial(ctx, b.node.Address)
	if err != nil {
		return err
	}
	defer c.close()
	for topic := 0; partitions > 0; topic++ {
		n := min(partitions, partitionsPerTopic)
		partitions -= n
		if err := createTopic(ctx, c, topicNumber(topic), n, nil); err != nil {
			return err
		}
		for p := range n {
			if err := eventually(ctx, func() error { return produceOne(c, topicNumber(topic), int32(p)) }); err != nil {
				return fmt.Errorf("%s-%d: %w", topicNumber(topic), p, err)
			}
		}
	}
	return nil
}
