// Package fetcher has replicas follow their leaders: one fetcher for each broker that leads something which is followed here, with
// one connection and one fetch session, so that partitions in which nothing happens cost nothing.
//
// It knows Fetch from a follower's side: sessions, errors, when to ask again. It must not know what a replica does with what it
// gets, nor who leads what and why.
package fetcher

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/barnabas-mq/barnabas/internal/replica"
)

// Options say for whom and how to fetch. The limits are Kafka's replica.fetch.*.
type Options struct {
	NodeID      int32
	BrokerEpoch func() int64
	// Address is where a broker listens for others; false while that is not known.
	Address           func(broker int32) (string, bool)
	MaxWait           time.Duration
	MinBytes          int32
	MaxBytes          int32 // of an answer
	PartitionMaxBytes int32
	Logger            *slog.Logger
}

// Fetchers are all fetchers of a broker. Its methods may be called from any goroutine.
type Fetchers struct {
	o    Options
	life context.Context //nolint:containedctx // The fetchers' own life.
	end  context.CancelFunc
	wait sync.WaitGroup

	mu     sync.Mutex // guards the rest
	by     map[int32]*fetcher
	source map[*replica.Partition]int32 // whom a partition is fetched from
}

// New starts with nothing to fetch. Its owner must Close it.
func New(o Options) *Fetchers {
	f := &Fetchers{o: o, by: make(map[int32]*fetcher), source: make(map[*replica.Partition]int32)}
	f.life, f.end = context.WithCancel(context.Background())
	return f
}

// Follow has a partition fetched from a broker, which leads it in the epoch; with a negative one, from nobody. It never waits.
func (f *Fetchers) Follow(p *replica.Partition, leader, leaderEpoch int32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if before, ok := f.source[p]; ok && before != leader {
		f.by[before].change(p, nil)
		delete(f.source, p)
	}
	if leader < 0 || leader == f.o.NodeID || f.life.Err() != nil {
		return
	}
	from := f.by[leader]
	if from == nil {
		from = newFetcher(&f.o, leader)
		f.by[leader] = from
		f.wait.Go(func() { from.run(f.life) })
	}
	f.source[p] = leader
	from.change(p, &following{partition: p, epoch: leaderEpoch})
}

// Close ends all fetching, and returns when nothing is appended any more.
func (f *Fetchers) Close() {
	f.end()
	f.wait.Wait()
}
