// Package coordinator hosts the groups whose partition of __consumer_offsets this broker leads.
//
// It knows which partition a group belongs to, loads the partition's shard (package group) from its log when the broker
// comes to lead it, runs it on a machine, writes its records as batches, lets it go when another broker leads, and
// brings each request to its shard. It must not know what a group decides, how a log is replicated, or the metadata:
// whoever assembles the node tells it what it leads and hands it the logs.
package coordinator

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/complaints"
	"github.com/barnabas-mq/barnabas/internal/group"
)

// Topic is where groups and offsets are kept.
const Topic = "__consumer_offsets"

// Log is a partition of Topic that this broker leads, in one leader epoch.
type Log interface {
	// Append appends one batch and returns the offset behind it. An error promises that nothing was appended.
	Append(batch []byte, epoch int32) (end int64, err error)
	// Read returns whole batches from an offset on, about limit bytes but at least one batch; none at the end.
	Read(from int64, limit int) ([]byte, error)
	StartOffset() int64
	EndOffset() int64
	// MaxBatchBytes is what a batch may take now: max.message.bytes of Topic. The log does not hold Append to it, as a
	// batch that is under way while it shrinks would else be lost to all who have a part in it.
	MaxBatchBytes() int
	// HighWatermark is the offset below which everything is committed. OnHighWatermark calls f, which does not wait,
	// when it has moved.
	HighWatermark() int64
	OnHighWatermark(f func(int64)) (cancel func())
}

// Caller is who sends a request.
type Caller = group.Caller

// Options says what a Coordinator needs of its surroundings.
type Options struct {
	// Config is of all shards, but for MaxRecordBytes: that is taken from each shard's log.
	Config *group.Config
	// Partitions is the number of partitions of Topic, 0 while it does not exist.
	Partitions func() int32
	// CreateTopic creates Topic and returns when this broker knows it. It may wait; it is not called twice at a time.
	CreateTopic func(ctx context.Context) error
	NewID       func() string // a random UUID, as text
	Now         func() time.Time
	Logger      *slog.Logger
	// Complaints takes what a group's members can cause again and again; nil is one of its own.
	Complaints *complaints.Book
}

// Coordinator is all shards that this broker leads. Its methods may be called from any goroutine.
type Coordinator struct {
	o       Options
	running sync.WaitGroup // loading and closing shards

	mu     sync.RWMutex // guards the fields up to the blank line
	shards map[int32]*shard
	closed bool

	creating chan struct{} // holds a token while Topic is being created
}

// New starts with no shard. Its owner must Close it.
func New(o Options) *Coordinator {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Complaints == nil {
		o.Complaints = complaints.New(o.Logger)
	}
	return &Coordinator{o: o, shards: make(map[int32]*shard), creating: make(chan struct{}, 1)}
}

// Lead says that this broker leads a partition of Topic in the epoch. The shard is loaded in the background; until then
// its groups are COORDINATOR_LOAD_IN_PROGRESS. A shard of an earlier epoch is let go, an epoch that is not newer than
// the present one ignored.
func (c *Coordinator) Lead(partition, epoch int32, log Log) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.shards[partition]
	if c.closed || old != nil && old.epoch >= epoch {
		return
	}
	s := newShard(c.o, partition, epoch, log)
	c.shards[partition] = s
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		if old != nil {
			old.close()
		}
		s.load()
	}()
}

// Resign says that this broker does not lead the partition any more. Whoever waits there is told NOT_COORDINATOR. It
// does not wait.
func (c *Coordinator) Resign(partition int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.shards[partition]
	if s == nil {
		return
	}
	delete(c.shards, partition)
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		s.close()
	}()
}

// Close lets all shards go, and returns when nothing of the coordinator runs any more.
func (c *Coordinator) Close() {
	c.mu.Lock()
	c.closed = true
	partitions := make([]int32, 0, len(c.shards))
	for p := range c.shards {
		partitions = append(partitions, p)
	}
	c.mu.Unlock()
	for _, p := range partitions {
		c.Resign(p)
	}
	c.running.Wait()
}

// PartitionFor is the partition of Topic that a group belongs to, when it has so many.
func PartitionFor(groupID string, partitions int32) int32 {
	hash := javaHash(groupID)
	if hash == -1<<31 {
		hash = 0
	}
	return max(hash, -hash) % partitions
}

// javaHash is Java's String.hashCode: over UTF-16.
func javaHash(s string) int32 {
	var hash int32
	var units [2]uint16
	for _, r := range s {
		for _, unit := range utf16.AppendRune(units[:0], r) {
			hash = 31*hash + int32(unit)
		}
	}
	return hash
}

// shardOf finds the shard of a group, with NOT_COORDINATOR if this broker does not lead it.
func (c *Coordinator) shardOf(groupID string) (*shard, error) {
	n := c.o.Partitions()
	if n <= 0 {
		return nil, fmt.Errorf("topic %s does not exist: %w", Topic, kerr.NotCoordinator)
	}
	partition := PartitionFor(groupID, n)
	c.mu.RLock()
	s, closed := c.shards[partition], c.closed
	c.mu.RUnlock()
	switch {
	case closed:
		return nil, fmt.Errorf("broker is stopping: %w", kerr.CoordinatorNotAvailable)
	case s == nil:
		return nil, fmt.Errorf("partition %d of %s: %w", partition, Topic, kerr.NotCoordinator)
	}
	return s, nil
}

// all is the shards by partition.
func (c *Coordinator) all() []*shard {
	c.mu.RLock()
	defer c.mu.RUnlock()
	shards := make([]*shard, 0, len(c.shards))
	for _, s := range c.shards {
		shards = append(shards, s)
	}
	slices.SortFunc(shards, func(a, b *shard) int { return int(a.partition - b.partition) })
	return shards
}

// Committed gives what is committed in each loaded shard: for metrics and tools.
func (c *Coordinator) Committed() iter.Seq[*group.Shard] {
	return func(yield func(*group.Shard) bool) {
		for _, s := range c.all() {
			if state, err := s.committed(); err == nil && !yield(state) {
				return
			}
		}
	}
}

// EnsureTopic creates Topic unless it exists. Callers wait for one another, and for ctx.
func (c *Coordinator) EnsureTopic(ctx context.Context) error {
	select {
	case c.creating <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("create topic %s: %w", Topic, ctx.Err())
	}
	defer func() { <-c.creating }()
	if c.o.Partitions() > 0 {
		return nil
	}
	if err := c.o.CreateTopic(ctx); err != nil {
		return fmt.Errorf("create topic %s: %w", Topic, err)
	}
	return nil
}

// TopicsDeleted lets all groups forget their offsets in topics that are gone. It does not wait. What a shard cannot do
// now, because it is busy or not loaded, is left to the expiry of offsets: topic ids keep such offsets from being taken
// for those of a new topic of the name.
func (c *Coordinator) TopicsDeleted(topics []group.Topic) {
	for _, s := range c.all() {
		s.forget(topics, nil)
	}
}

// Do answers a request of the group APIs, which ctx may end earlier: then the answer is nil, and what the request began
// goes on, as it does in Kafka when the client's connection breaks.
func (c *Coordinator) Do(ctx context.Context, request kmsg.Request, caller Caller) kmsg.Response {
	call := c.Start(request, caller)
	select {
	case <-call.Done():
		return call.Response()
	case <-ctx.Done():
		return nil
	}
}

var errUnknownRequest = errors.New("not a request of the group APIs")
