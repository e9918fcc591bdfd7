package replica

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/storage"
)

// The timestamps that ListOffsets gives a meaning of their own.
const (
	LatestTimestamp        = -1
	EarliestTimestamp      = -2
	MaxTimestamp           = -3 // KIP-734
	EarliestLocalTimestamp = -4 // KIP-405
	LatestTieredTimestamp  = -5 // KIP-1005
	EarliestPendingUpload  = -6 // KIP-1023
)

// Position is an offset found by timestamp. Offset is -1 when there is none.
type Position struct {
	Offset, TimestampMs int64
	Epoch               int32
}

var nowhere = Position{Offset: -1, TimestampMs: -1, Epoch: -1}

// OffsetFor finds the offset that a timestamp, or one of the special ones, stands for, as seen at a level.
func (p *Partition) OffsetFor(timestampMs int64, level Level, leaderEpoch int32) (Position, error) {
	if leaderEpoch < -1 {
		return nowhere, fmt.Errorf("partition %s: leader epoch %d: %w", p, leaderEpoch, kerr.FencedLeaderEpoch)
	}
	p.mu.Lock()
	if at, ok := p.offsetAtRest(timestampMs, leaderEpoch); ok {
		p.mu.Unlock()
		return at, nil
	}
	l, err := p.borrowLed(leaderEpoch)
	if err != nil {
		p.mu.Unlock()
		return nowhere, err
	}
	epochStart, epoch := l.epochStart, l.epoch
	p.mu.Unlock()
	defer p.giveBack()
	bound := p.readable(level)
	var lagging error
	if level != LogEnd && p.highWatermark.Load() < epochStart {
		// KIP-207: a new leader's high watermark may still lag what its predecessor acknowledged.
		lagging = fmt.Errorf("partition %s: high watermark is below the epoch's start: %w", p, kerr.OffsetNotAvailable)
	}
	switch timestampMs {
	case LatestTimestamp:
		if lagging != nil {
			return nowhere, lagging
		}
		return Position{Offset: bound, TimestampMs: -1, Epoch: epoch}, nil
	case EarliestTimestamp, EarliestLocalTimestamp:
		start := p.log.StartOffset()
		return Position{Offset: start, TimestampMs: -1, Epoch: p.log.EpochAt(start)}, nil
	case LatestTieredTimestamp, EarliestPendingUpload:
		return nowhere, nil // nothing is tiered
	}
	return p.search(timestampMs, bound, lagging)
}

// offsetAtRest is OffsetFor of a resting log, at all levels, where that takes no more than what is held of it: tools and
// monitors list the ends of all partitions, and none of these logs has to be opened for it. The caller holds mu.
func (p *Partition) offsetAtRest(timestampMs int64, leaderEpoch int32) (Position, bool) {
	held, ok := p.look()
	epoch := p.assigned.LeaderEpoch
	leads := p.gone == nil && p.assigned.Leader == p.topic.manager.o.NodeID && checkEpoch(leaderEpoch, epoch) == nil
	if !ok || held.Open || held.Undecided || !leads || p.highWatermark.Load() != held.End {
		return nowhere, false
	}
	empty := held.Start == held.End
	switch {
	case timestampMs == LatestTimestamp:
		return Position{Offset: held.End, TimestampMs: -1, Epoch: epoch}, true
	case timestampMs == EarliestTimestamp, timestampMs == EarliestLocalTimestamp:
		if !empty {
			epoch = held.StartEpoch
		}
		return Position{Offset: held.Start, TimestampMs: -1, Epoch: epoch}, true
	case timestampMs == LatestTieredTimestamp, timestampMs == EarliestPendingUpload:
		return nowhere, true
	case timestampMs == MaxTimestamp, timestampMs >= 0:
		return nowhere, empty
	}
	return nowhere, false
}

// search finds an offset by the records' times. When there is none below bound, lagging says that there may be one yet.
func (p *Partition) search(timestampMs, bound int64, lagging error) (Position, error) {
	find := p.log.MaxTimestamp
	if timestampMs != MaxTimestamp {
		if timestampMs < 0 {
			return nowhere, fmt.Errorf("partition %s: timestamp %d: %w", p, timestampMs, kerr.UnsupportedVersion)
		}
		find = func() (storage.Found, bool, error) { return p.log.OffsetForTimestamp(timestampMs) }
	}
	found, ok, err := find()
	if err != nil {
		return nowhere, fmt.Errorf("partition %s: timestamp %d: %w", p, timestampMs, err)
	}
	if !ok || found.Offset >= bound {
		return nowhere, lagging
	}
	return Position{Offset: found.Offset, TimestampMs: found.Timestamp, Epoch: found.LeaderEpoch}, nil
}

// EpochEnd answers OffsetForLeaderEpoch: the largest epoch up to the asked one and where it ends (KIP-279).
func (p *Partition) EpochEnd(asked, leaderEpoch int32) (EpochEnd, error) {
	if leaderEpoch < -1 {
		return EpochEnd{-1, -1}, fmt.Errorf("partition %s: leader epoch %d: %w", p, leaderEpoch, kerr.FencedLeaderEpoch)
	}
	p.mu.Lock()
	_, err := p.borrowLed(leaderEpoch)
	p.mu.Unlock()
	if err != nil {
		return EpochEnd{-1, -1}, err
	}
	defer p.giveBack()
	if asked < -1 {
		return EpochEnd{asked, p.log.StartOffset()}, nil // as for any epoch older than all that are known
	}
	epoch, end := p.log.EpochEnd(asked)
	return EpochEnd{epoch, end}, nil
}

// DeleteRecordsBefore raises the log's start to offset (-1: to the high watermark) and returns the new start.
func (p *Partition) DeleteRecordsBefore(offset int64) (int64, error) {
	p.mu.Lock()
	_, err := p.borrowLed(-1)
	p.mu.Unlock()
	if err != nil {
		return -1, err
	}
	defer p.giveBack()
	highWatermark := p.highWatermark.Load()
	if offset == -1 {
		offset = highWatermark
	}
	if offset < 0 || offset > highWatermark {
		return -1, fmt.Errorf("partition %s: offset %d is outside 0 to %d: %w", p, offset, highWatermark, kerr.OffsetOutOfRange)
	}
	if err := p.log.DeleteRecordsBefore(offset); err != nil {
		return -1, fmt.Errorf("partition %s: %w", p, err)
	}
	return p.log.StartOffset(), nil
}
