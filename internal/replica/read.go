package replica

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/storage"
)

// ReadOptions say who reads.
type ReadOptions struct {
	Level       Level
	LeaderEpoch int32 // the epoch the reader knows; -1: none
	LastEpoch   int32 // the epoch of the last record the reader has (Fetch v12+); -1: none
	MaxBytes    int
	// Follower is the broker whose replica reads, and BrokerEpoch what it says of its epoch: what it asks for tells how far it has
	// come. FromFollower says that there is one.
	FromFollower bool
	Follower     int32
	BrokerEpoch  int64
	// Anywhere says that a consumer reads which may be sent to a follower (Fetch v11+, KIP-392): it is served here, whoever leads.
	Anywhere   bool
	AtLeastOne bool // give one batch even if it is larger than MaxBytes
}

// Read is one partition's part of a fetch. Records must be closed by the caller.
type Read struct {
	Records          storage.Region
	Bound            int64 // what the reader saw as the end: the value to give to Watch
	HighWatermark    int64
	LastStableOffset int64
	LogStartOffset   int64
	Diverging        *EpochEnd // when the reader's log has branched off ours (KIP-595): no records then
}

// EpochEnd is where an epoch ends in the leader's log.
type EpochEnd struct {
	Epoch int32
	End   int64
}

// Read finds what a reader may see from an offset on. No bytes are copied and nothing waits. On OFFSET_OUT_OF_RANGE the
// offsets in the answer are still right.
func (p *Partition) Read(offset int64, o ReadOptions) (Read, error) {
	p.mu.Lock()
	var l *leader
	var err error
	if o.Anywhere && p.leader == nil {
		err = p.borrowFollowing(o.LeaderEpoch)
	} else {
		l, err = p.borrowLed(o.LeaderEpoch)
	}
	if err == nil && o.FromFollower {
		if err = l.mayFetch(o.Follower); err != nil {
			p.giveBack()
			err = fmt.Errorf("partition %s: %w", p, err)
		}
	}
	p.mu.Unlock()
	if err != nil {
		return Read{}, err
	}
	defer p.giveBack()
	r := Read{
		HighWatermark:    p.highWatermark.Load(),
		LastStableOffset: p.readable(Stable),
		LogStartOffset:   p.log.StartOffset(),
		Bound:            p.readable(o.Level),
	}
	if o.LastEpoch >= 0 {
		diverging, err := p.diverges(offset, o.LastEpoch)
		if diverging != nil || err != nil {
			r.Diverging = diverging
			return r, err
		}
	}
	if offset < r.LogStartOffset || offset > p.log.EndOffset() {
		return r, fmt.Errorf("partition %s: offset %d is outside %d to %d: %w", p, offset, r.LogStartOffset, p.log.EndOffset(), kerr.OffsetOutOfRange)
	}
	if o.FromFollower {
		settle(p.fetchedBy(o.Follower, o.BrokerEpoch, offset, l), nil)
		r.HighWatermark = p.highWatermark.Load()
	}
	if offset >= r.Bound {
		return r, nil
	}
	if o.FromFollower && p.holdsBack(l, o.Follower) {
		return r, nil
	}
	r.Records, err = p.log.Read(offset, r.Bound, o.MaxBytes, o.AtLeastOne)
	if err != nil {
		return r, fmt.Errorf("partition %s: offset %d: %w", p, offset, err)
	}
	if o.FromFollower {
		p.gave(r.Records.Len())
	}
	return r, nil
}

// diverges tells where the reader's last epoch ends here, when it ends before the reader's offset.
func (p *Partition) diverges(offset int64, lastEpoch int32) (*EpochEnd, error) {
	epoch, end := p.log.EpochEnd(lastEpoch)
	if epoch < 0 || end < 0 {
		return nil, fmt.Errorf("partition %s: epoch %d is not known here: %w", p, lastEpoch, kerr.OffsetOutOfRange)
	}
	if epoch < lastEpoch || end < offset {
		return &EpochEnd{Epoch: epoch, End: end}, nil
	}
	return nil, nil
}

// AbortedTransactions lists the aborted transactions with records in [from, below), those that began earlier included.
func (p *Partition) AbortedTransactions(from, below int64) ([]storage.AbortedTransaction, error) {
	log, err := p.borrow()
	if err != nil {
		return nil, err
	}
	defer p.giveBack()
	list, err := log.AbortedTransactions(from, below)
	if err != nil {
		return nil, fmt.Errorf("partition %s: aborted transactions from %d to %d: %w", p, from, below, err)
	}
	return list, nil
}
