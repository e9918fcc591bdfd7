package metalog

import (
	"errors"
	"fmt"
	"sync"

	"github.com/barnabas-mq/barnabas/internal/batch"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

// Writer proposes records as the leader of one epoch. It is the log that a machine.Runtime appends to: the ends that
// it gives are offsets of the metadata log, known before the commit because a leader alone proposes.
type Writer[R any] struct {
	l       *Log
	epoch   int32
	encode  func(R) ([]byte, error)
	propose func(payload []byte) error

	mu   sync.Mutex // guards next, and keeps proposals in the order of their offsets
	next int64
}

// Lead begins an epoch: it is called when this node leads and everything earlier is applied, and before it proposes
// anything else. Its first batch says who leads. propose must take payloads in order, and once it has taken one, refuse
// every later one of the epoch if that is lost.
func Lead[R any](l *Log, term uint64, encode func(R) ([]byte, error), propose func(payload []byte) error) (*Writer[R], error) {
	if err := l.confirmed(); err != nil {
		return nil, err
	}
	w := &Writer[R]{l: l, epoch: int32(term), encode: encode, propose: propose, next: l.Position().Offset}
	if err := l.writeQuorumState(w.epoch); err != nil {
		// Only a Kafka that takes this folder over will miss it.
		l.o.Logger.Warn("metadata log: quorum state not written", "err", err)
	}
	self := []meta.LeaderVoter{{VoterID: l.o.NodeID}}
	key, value := meta.EncodeControl(&meta.LeaderChangeMessage{LeaderID: l.o.NodeID, Voters: self, GrantingVoters: self})
	b := w.builder(true)
	b.Append(batch.Record{Timestamp: l.o.Now().UnixMilli(), Key: key, Value: value})
	if err := propose(b.Build()); err != nil {
		return nil, fmt.Errorf("leader change: %w", err)
	}
	w.next++
	return w, nil
}

// Append proposes the records as one batch and returns the offset behind it.
func (w *Writer[R]) Append(records []R) (end int64, err error) {
	if len(records) == 0 {
		return 0, errors.New("metadata batch without records")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.l.o.Now().UnixMilli()
	b := w.builder(false)
	for _, r := range records {
		payload, err := w.encode(r)
		if err != nil {
			return 0, fmt.Errorf("encode metadata record: %w", err)
		}
		b.Append(batch.Record{Timestamp: now, Value: payload})
		if b.Size() > MaxBatchBytes {
			return 0, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, MaxBatchBytes)
		}
	}
	if err := w.propose(b.Build()); err != nil {
		return 0, err
	}
	w.next += int64(len(records))
	return w.next, nil
}

func (w *Writer[R]) builder(control bool) *batch.Builder {
	return batch.NewBuilder(batch.BuilderOptions{BaseOffset: w.next, LeaderEpoch: w.epoch, Control: control})
}
