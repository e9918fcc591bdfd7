package main

import (
	"context"
	"fmt"
	"time"
)

// figure is one number that a run gave.
type figure struct {
	Name  string
	Value float64
}

// sample is what one run of one broker gave. Each run of a workload gives the same figures in the same order.
type sample []figure

// The figures that several workloads give.
const (
	megabytesPerSecond = "MB/s"
	requestsPerSecond  = "requests/s"
	cpuPerGB           = "CPU s/GB"
	cpuPerRequest      = "CPU µs/request"
	p50                = "p50 ms"
	p99                = "p99 ms"
	p999               = "p99.9 ms"
)

// workload is something to measure. It is either a load on brokers that keep running, which are warmed first, or it
// starts processes of its own.
type workload struct {
	name, title string
	load        func(o options) load
	own         func(ctx context.Context, w *world, broker string) (sample, error)
	onlyOurs    bool // Kafka is not asked
}

// load is the life of a workload on one running broker: prepare once, then passes, of which the first ones warm, then
// finish.
type load interface {
	prepare(ctx context.Context, b *broker) error
	pass(ctx context.Context, b *broker) (work, error)
	finish(ctx context.Context, b *broker) error
}

// work is what a pass did.
type work struct {
	bytes    int64 // of record batches; 0 where only requests count
	requests int
	took     latencies
}

// workloads lists everything, in the order in which it is run: first what starts processes of its own, while no other
// broker is there.
func workloads() []workload {
	return []workload{
		{name: "start", title: "from exec to the first acknowledged produce", own: measureStart},
		{name: "idle", title: "a broker that nobody talks to", own: measureIdle},
		{name: "partitions", title: "many idle partitions with a record each", own: measurePartitions, onlyOurs: true},
		{name: "produce64k", title: "produce batches of 64 KB", load: func(o options) load { return newProduceLoad(o, smallBatch) }},
		{name: "produce1m", title: "produce batches of 1 MB", load: func(o options) load { return newProduceLoad(o, largeBatch) }},
		{name: "fetch64k", title: "fetch 64 KB at a time", load: func(o options) load { return newFetchLoad(o, smallBatch) }},
		{name: "fetch1m", title: "fetch 1 MB at a time", load: func(o options) load { return newFetchLoad(o, largeBatch) }},
		{name: "tiny", title: "produce one record of 100 bytes, wait, again", load: func(o options) load { return newTinyLoad(o, 1) }},
		{name: "tiny-pipelined", title: "the same with many in flight", load: func(o options) load { return newTinyLoad(o, o.Pipeline) }},
		{name: "latency", title: "producer to consumer at 5,000 records/s without linger", load: newLatencyLoad},
		{name: "fsync1", title: "flush.messages=1, 1 connection", load: func(o options) load { return newFsyncLoad(o, 1) }},
		{name: "fsync16", title: "flush.messages=1, 16 connections", load: func(o options) load { return newFsyncLoad(o, 16) }},
		{name: "fsync64", title: "flush.messages=1, 64 connections", load: func(o options) load { return newFsyncLoad(o, 64) }},
	}
}

func workloadNames() []string {
	var names []string
	for _, w := range workloads() {
		names = append(names, w.name)
	}
	return names
}

// figures turns what was done into numbers.
func (d work) figures(elapsed, cpu time.Duration) sample {
	var s sample
	if d.bytes > 0 {
		gigabytes := float64(d.bytes) / 1e9
		s = append(s, figure{megabytesPerSecond, gigabytes * 1e3 / elapsed.Seconds()}, figure{cpuPerGB, cpu.Seconds() / gigabytes})
	} else {
		n := float64(d.requests)
		s = append(s, figure{requestsPerSecond, n / elapsed.Seconds()}, figure{cpuPerRequest, cpu.Seconds() * 1e6 / n})
	}
	return append(s, figure{p50, d.took.quantile(0.5)}, figure{p99, d.took.quantile(0.99)}, figure{p999, d.took.quantile(0.999)})
}

// measurePass runs one pass and takes the broker's CPU time around it.
func (w *world) measurePass(ctx context.Context, b *broker, l load, profile string) (sample, error) {
	if err := w.calm(ctx); err != nil {
		return nil, err
	}
	profiled := w.profile(ctx, b, profile)
	before, err := cpuTime(b.node.PID)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	done, err := l.pass(ctx, b)
	elapsed := time.Since(start)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; its output ends with:\n%s", b.name, err, b.node.Tail(20))
	}
	after, err := cpuTime(b.node.PID)
	if err != nil {
		return nil, err
	}
	w.lastPass = elapsed
	return done.figures(elapsed, after-before), profiled()
}
