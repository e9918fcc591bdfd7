package replica

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/storage"
)

// Coordinated is a partition as a coordinator sees it: the log in which its machine's records are kept. It serves one
// leader epoch; afterwards every append fails, so a coordinator that lost its shard can promise nothing more.
type Coordinated struct {
	partition *Partition
	epoch     int32
}

// Coordinated returns the partition's log for a coordinator, in the epoch in which this broker now leads.
func (p *Partition) Coordinated() (*Coordinated, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, err := p.leading(-1)
	if err != nil {
		return nil, err
	}
	p.hook() // from here on the log does not rest
	return &Coordinated{p, l.epoch}, nil
}

// Epoch is the leader epoch that it serves.
func (c *Coordinated) Epoch() int32 { return c.epoch }

// Append appends one batch and returns the offset behind it. The batch is committed once the high watermark gets there.
func (c *Coordinated) Append(batch []byte, epoch int32) (int64, error) {
	appended, err := c.partition.Append(batch, AppendOptions{Origin: storage.Coordinator, AcksAll: true, LeaderEpoch: epoch, ProduceVersion: newestProduce})
	if err != nil {
		return 0, err
	}
	return appended.LastOffset + 1, nil
}

// newestProduce says that a coordinator's batches may use whatever the newest producers may.
const newestProduce = 13

// Read returns whole batches from an offset on, about max bytes of them; none at the end of the log.
func (c *Coordinated) Read(from int64, limit int) ([]byte, error) {
	r, err := c.partition.Read(from, ReadOptions{Level: LogEnd, LeaderEpoch: c.epoch, LastEpoch: -1, MaxBytes: limit, AtLeastOne: true})
	if err != nil {
		return nil, err
	}
	defer r.Records.Close()
	out := make([]byte, r.Records.Len())
	n, err := r.Records.ReadInto(out)
	if err == nil && n == 0 && len(out) > 0 {
		err = kerr.CorruptMessage
	}
	if err != nil {
		return nil, fmt.Errorf("partition %s: offset %d: %w", c.partition, from, err)
	}
	return out[:n], nil
}

// StartOffset is where the log begins.
func (c *Coordinated) StartOffset() int64 { return c.partition.log.StartOffset() }

// EndOffset is where the log ends.
func (c *Coordinated) EndOffset() int64 { return c.partition.log.EndOffset() }

// MaxBatchBytes is the topic's max.message.bytes as it is now, or what a segment takes if that is less. Append leaves it
// to the coordinator to keep to it.
func (c *Coordinated) MaxBatchBytes() int {
	s := c.partition.Settings()
	return min(s.Check.MaxBatchBytes, int(s.Storage.SegmentBytes))
}

// HighWatermark is the offset below which everything is committed.
func (c *Coordinated) HighWatermark() int64 { return c.partition.HighWatermark() }

// OnHighWatermark calls f, which must not block, with each new high watermark until cancel is called. f is called under
// the partition's lock, in order.
func (c *Coordinated) OnHighWatermark(f func(int64)) (cancel func()) {
	p := c.partition
	p.mu.Lock()
	defer p.mu.Unlock()
	o, h := &observer{f}, p.hook()
	h.observers = append(h.observers, o)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for i := range h.observers {
			if h.observers[i] == o {
				h.observers = append(h.observers[:i:i], h.observers[i+1:]...)
				break
			}
		}
	}
}

type observer struct{ moved func(int64) }
