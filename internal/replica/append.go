package replica

import (
	"fmt"
	"time"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/storage"
)

// AppendOptions say on whose behalf an append is made.
type AppendOptions struct {
	Origin         storage.Origin
	AcksAll        bool  // refuse when fewer than min.insync.replicas are in sync
	LeaderEpoch    int32 // the epoch in which the caller believes to lead; -1: any
	ProduceVersion int16 // of the request; rules about codecs and formats depend on it
}

// Appended tells where records went.
type Appended struct {
	storage.Appended
	Committed       bool  // already, as no other replica has to have them
	LeaderEpoch     int32 // in which they were appended: for WhenCommitted
	LogAppendTimeMs int64 // -1 when the topic keeps the producer's timestamps
	// Unflushed says that flush.messages wants a sync before these records are acknowledged, whatever the acks:
	// WhenDurable tells of it. With GroupCommit being committed includes it.
	Unflushed bool
}

// Append checks the records of one produce request for this partition and appends them. The bytes are changed in
// place (offsets, leader epoch) and not kept. When it returns they are in the log, readable for the leader's own;
// whether they are committed WhenCommitted tells.
//
// Errors wrap the protocol's: NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS, KAFKA_STORAGE_ERROR when the disk's reserve is
// reached, those of batch.Check and those of the producer's state.
func (p *Partition) Append(records []byte, o AppendOptions) (Appended, error) {
	settings := p.Settings()
	now := p.topic.manager.now()
	if o.Origin == storage.Client {
		if err := p.writable(); err != nil {
			return Appended{}, err
		}
	}
	checked, err := settings.check(records, o, now)
	if err != nil {
		return Appended{}, fmt.Errorf("partition %s: %w", p, err)
	}
	if len(checked.Bytes) == 0 { // the empty message set of an old producer, which succeeds
		return Appended{Appended: storage.Appended{BaseOffset: -1, LastOffset: -1, LogStartOffset: -1}, LogAppendTimeMs: -1}, nil
	}
	result, free, err := p.write(checked.Bytes, o, settings, now)
	settle(free, nil)
	if err != nil {
		return Appended{}, err
	}
	p.topic.Traffic.MessagesIn.Add(result.LastOffset - result.BaseOffset + 1)
	p.topic.Traffic.BytesIn.Add(int64(len(records)))
	if result.Unflushed && !result.Duplicate { // a duplicate's original has started it
		p.flush()
	}
	if settings.Check.LogAppendTime {
		result.LogAppendTimeMs = result.MaxTimestamp // what is stored: that of a duplicate is the first attempt's
	}
	return result, nil
}

// write is the part of an append that happens in order.
func (p *Partition) write(records []byte, o AppendOptions, settings *Settings, now time.Time) (Appended, []parked, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, err := p.leading(o.LeaderEpoch)
	if err != nil {
		return Appended{}, nil, err
	}
	if o.AcksAll {
		if err := l.enough(settings.MinInSync); err != nil {
			return Appended{}, nil, fmt.Errorf("partition %s: %w", p, err)
		}
	}
	stable := p.log.LastStableOffset()
	result, err := p.log.Append(records, storage.AppendOptions{LeaderEpoch: l.epoch, Origin: o.Origin, NowMs: now.UnixMilli()})
	if err != nil {
		return Appended{}, nil, fmt.Errorf("partition %s: %w", p, err)
	}
	out := Appended{Appended: result, LeaderEpoch: l.epoch, LogAppendTimeMs: -1, Unflushed: p.flushDue(settings)}
	before := p.highWatermark.Load()
	if result.Duplicate {
		out.Committed = before > result.LastOffset
		return out, nil, nil
	}
	free := p.advance()
	out.Committed = p.highWatermark.Load() > result.LastOffset
	p.wake(int64(len(records)), before, stable, o.Origin == storage.Marker)
	return out, free, nil
}

// wake counts an append for the long polls. A marker can make a whole transaction readable. The caller holds mu.
func (p *Partition) wake(bytes, highWatermark, stable int64, marker bool) {
	if len(p.watches) == 0 {
		return
	}
	p.watches.add(LogEnd, bytes)
	if p.highWatermark.Load() > highWatermark {
		p.watches.add(Committed, bytes)
	}
	if p.log.LastStableOffset() > stable {
		if marker {
			bytes = all
		}
		p.watches.add(Stable, bytes)
	}
}

// flushDue says whether flush.messages asks for a flush. The caller holds mu.
func (p *Partition) flushDue(settings *Settings) bool {
	return settings.GroupCommit || p.log.EndOffset()-p.log.FlushedOffset() >= settings.Storage.FlushMessages
}

// writable refuses a client's records while the disk's reserve is all that is left.
func (p *Partition) writable() error {
	if p.dir == nil {
		return nil // offline; leading says so better
	}
	if err := p.dir.Writable(); err != nil {
		return fmt.Errorf("partition %s: %w", p, err)
	}
	return nil
}

// check validates one request's records by the topic's settings; message sets of old producers become a v2 batch.
func (s *Settings) check(records []byte, o AppendOptions, now time.Time) (batch.Checked, error) {
	rules := s.Check
	rules.NowMs = now.UnixMilli()
	rules.ProduceVersion = o.ProduceVersion
	if o.Origin != storage.Client {
		rules.Origin = batch.FromCoordinator
		rules.MaxBatchBytes = 0 // whoever gathers a batch keeps the limit that held when it began
	}
	return batch.Check(records, rules)
}
