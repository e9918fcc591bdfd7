package replica

import (
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/storage"
)

// What a replica does that follows: it asks the leader for what comes next, appends what it gets as it is, and cuts off what the
// leader does not have (KIP-101, KIP-279, KIP-595). Each step names the leader epoch that it belongs to: an answer that comes
// after the leader has changed is nobody's word any more (KAFKA-18991).

// errStale says that a step belongs to an epoch in which this replica does not follow any more.
var errStale = fmt.Errorf("the answer is of another leader epoch: %w", kerr.FencedLeaderEpoch)

// Next is what a follower asks its leader for.
type Next struct {
	Offset      int64 // its log's end
	LastEpoch   int32 // of the last record, -1 if there is none
	StartOffset int64
}

// Next tells what this replica asks for, following in the epoch. An epoch that it began as a leader, and in which it appended
// nothing, is forgotten: what it gets from the leader may be of an older one, and would then look as if that had begun here.
func (p *Partition) Next(leaderEpoch int32) (Next, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := p.following(leaderEpoch)
	if err != nil {
		return Next{}, err
	}
	if err := log.Truncate(log.EndOffset()); err != nil {
		return Next{}, fmt.Errorf("partition %s: %w", p, err)
	}
	return Next{Offset: log.EndOffset(), LastEpoch: lastEpoch(log), StartOffset: log.StartOffset()}, nil
}

// lastEpoch is the epoch of the log's last record. A newer one that was begun and has no record does not count.
func lastEpoch(log *storage.Log) int32 {
	if end := log.EndOffset(); end > log.StartOffset() {
		return log.EpochAt(end - 1)
	}
	return -1
}

// following returns the log if this replica follows in the epoch. The caller holds mu.
func (p *Partition) following(leaderEpoch int32) (*storage.Log, error) {
	switch {
	case p.gone != nil:
		return nil, p.gone
	case p.leader != nil || p.epoch != leaderEpoch || p.assigned.Leader == p.topic.manager.o.NodeID:
		return nil, fmt.Errorf("partition %s: %w", p, errStale)
	}
	return p.open()
}

// Fetched is one answer of the leader's for a partition.
type Fetched struct {
	LeaderEpoch    int32
	Offset         int64 // that was asked for
	Records        []byte
	HighWatermark  int64
	LogStartOffset int64
}

// AppendFetched appends what the leader has given. The bytes are not kept. flush says that they count as this replica's only when
// they are durable: WhenDurable tells.
func (p *Partition) AppendFetched(f Fetched) (next Next, flush bool, err error) {
	records, err := whole(f.Records)
	if err != nil {
		return Next{}, false, fmt.Errorf("partition %s: fetched at %d: %w", p, f.Offset, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := p.following(f.LeaderEpoch)
	if err != nil {
		return Next{}, false, err
	}
	if log.EndOffset() != f.Offset {
		return Next{}, false, fmt.Errorf("partition %s: fetched at %d, the log ends at %d: %w", p, f.Offset, log.EndOffset(), errStale)
	}
	if len(records) > 0 {
		_, err := log.Append(records, storage.AppendOptions{Origin: storage.Replication, FirstOffsetIsGiven: true, NowMs: p.topic.manager.now().UnixMilli()})
		if err != nil {
			return Next{}, false, fmt.Errorf("partition %s: fetched at %d: %w", p, f.Offset, err)
		}
		p.topic.Traffic.ReplicationBytesIn.Add(int64(len(records)))
		p.got(len(records))
	}
	p.learn(log, f)
	next = Next{Offset: log.EndOffset(), LastEpoch: lastEpoch(log), StartOffset: log.StartOffset()}
	return next, len(records) > 0 && p.Settings().GroupCommit, nil
}

// learn takes the leader's high watermark and log start. The caller holds mu.
func (p *Partition) learn(log *storage.Log, f Fetched) {
	if to := min(f.HighWatermark, log.EndOffset()); to > p.highWatermark.Load() {
		log.SetHighWatermark(to)
		p.highWatermark.Store(to)
		p.watches.moved()
	}
	if f.LogStartOffset > log.StartOffset() && f.LogStartOffset <= p.highWatermark.Load() {
		if err := log.DeleteRecordsBefore(f.LogStartOffset); err != nil {
			p.topic.manager.o.Logger.Warn("a follower's log does not begin where its leader's does", "partition", p.String(), "error", err)
		}
	}
}

// whole checks each batch's checksum, and leaves out a last one that is not whole: a leader may give a part of it.
func whole(records []byte) ([]byte, error) {
	good := 0
	for rest := records; len(rest) > 0; {
		_, b, after, err := batch.Next(rest)
		if errors.Is(err, batch.ErrShort) && good > 0 {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := batch.CheckCRC(b); err != nil {
			return nil, err
		}
		good += len(b)
		rest = after
	}
	return records[:good], nil
}

// Diverged cuts off what the leader does not have: at tells the largest epoch that it knows, up to our last one, and where that
// ends there. What is left may still not be common: the next fetch tells.
func (p *Partition) Diverged(leaderEpoch int32, at EpochEnd) (Next, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := p.following(leaderEpoch)
	if err != nil {
		return Next{}, err
	}
	to := min(at.End, log.EndOffset())
	if epoch, end := log.EpochEnd(at.Epoch); epoch >= 0 && end >= 0 {
		if epoch == at.Epoch {
			to = min(to, end)
		} else {
			to = min(end, log.EndOffset())
		}
	}
	return p.truncate(log, to, leaderEpoch)
}

// Restart is for a follower whose end the leader does not have: it goes on from the leader's end, if that is before its own, or
// begins anew where the leader's log begins.
func (p *Partition) Restart(leaderEpoch int32, leaderStart, leaderEnd int64) (Next, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := p.following(leaderEpoch)
	if err != nil {
		return Next{}, err
	}
	if leaderEnd < log.EndOffset() {
		return p.truncate(log, leaderEnd, leaderEpoch)
	}
	if leaderStart <= log.EndOffset() {
		return Next{Offset: log.EndOffset(), LastEpoch: lastEpoch(log), StartOffset: log.StartOffset()}, nil
	}
	p.topic.manager.o.Logger.Warn("a follower begins anew: its leader's log begins behind its end", "partition", p.String(),
		"end", log.EndOffset(), "leader_start", leaderStart)
	if err := errors.Join(log.TruncateAndStartAt(leaderStart), p.dir.KeepRecoveryPoints()); err != nil {
		return Next{}, fmt.Errorf("partition %s: %w", p, err)
	}
	p.durable = min(p.durable, leaderStart)
	log.SetHighWatermark(leaderStart)
	p.highWatermark.Store(leaderStart)
	return Next{Offset: leaderStart, LastEpoch: -1, StartOffset: leaderStart}, nil
}

// truncate cuts the log off at an offset. The caller holds mu.
func (p *Partition) truncate(log *storage.Log, to int64, leaderEpoch int32) (Next, error) {
	if to < log.EndOffset() {
		level := p.topic.manager.o.Logger.Info
		if to < p.highWatermark.Load() {
			level = p.topic.manager.o.Logger.Error // only an unclean election may do that
		}
		level("a follower cuts off what its leader does not have", "partition", p.String(), "from", to, "end", log.EndOffset(),
			"high_watermark", p.highWatermark.Load(), "leader_epoch", leaderEpoch)
	}
	flushed := log.FlushedOffset()
	err := log.Truncate(to)
	if err == nil && to < flushed {
		err = p.dir.KeepRecoveryPoints() // before anything is appended in the place of what was durable
	}
	if err != nil {
		return Next{}, fmt.Errorf("partition %s: %w", p, err)
	}
	p.durable = min(p.durable, to)
	if p.highWatermark.Load() > log.EndOffset() {
		p.highWatermark.Store(log.EndOffset())
	}
	return Next{Offset: log.EndOffset(), LastEpoch: lastEpoch(log), StartOffset: log.StartOffset()}, nil
}

// flushing gathers the flushes that a fetch waits for.
type flushing struct {
	wait sync.WaitGroup
	mu   sync.Mutex // guards err
	err  error
}

// FlushAll waits until partitions' logs are durable up to their ends.
func FlushAll(partitions []*Partition) error {
	var f flushing
	for _, p := range partitions {
		p.mu.Lock()
		log, err := p.open()
		end := int64(0)
		if err == nil {
			end = log.EndOffset()
		}
		p.mu.Unlock()
		if err != nil {
			return err
		}
		f.wait.Add(1)
		p.WhenDurable(end, func(err error) {
			f.mu.Lock()
			f.err = errors.Join(f.err, err)
			f.mu.Unlock()
			f.wait.Done()
		})
	}
	f.wait.Wait()
	return f.err
}
