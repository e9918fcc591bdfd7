package storage

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// openTransaction is one whose marker has not come.
type openTransaction struct {
	first      int64
	producerID int64
}

// completedTransaction is one whose marker is at offset last.
type completedTransaction struct {
	producerID  int64
	first, last int64
	aborted     bool
}

// transactions are those that hold back the last stable offset: the open ones, and the completed ones whose marker is not
// below the high watermark yet, as it could still be lost. Both lists are sorted by first offset.
type transactions struct {
	open         []openTransaction
	unreplicated []completedTransaction
}

func (t *transactions) begin(o openTransaction) {
	at, _ := slices.BinarySearchFunc(t.open, o.first, func(e openTransaction, first int64) int { return cmp.Compare(e.first, first) })
	t.open = slices.Insert(t.open, at, o)
}

func (t *transactions) complete(c completedTransaction) {
	t.open = slices.DeleteFunc(t.open, func(o openTransaction) bool { return o.first == c.first })
	at, _ := slices.BinarySearchFunc(t.unreplicated, c.first, func(e completedTransaction, first int64) int { return cmp.Compare(e.first, first) })
	t.unreplicated = slices.Insert(t.unreplicated, at, c)
}

// decide forgets the completed ones whose marker is below an offset.
func (t *transactions) decide(below int64) {
	t.unreplicated = slices.DeleteFunc(t.unreplicated, func(c completedTransaction) bool { return c.last < below })
}

// firstUnstable is the first offset of the oldest one, -1 if there is none.
func (t *transactions) firstUnstable() int64 {
	first := int64(-1)
	if len(t.open) > 0 {
		first = t.open[0].first
	}
	if len(t.unreplicated) > 0 && (first < 0 || t.unreplicated[0].first < first) {
		first = t.unreplicated[0].first
	}
	return first
}

// appendMarker counts the end of a transaction in. b is the control batch that h heads. An empty one is what compaction
// left of a transaction whose data is gone.
func (p *producers) appendMarker(b []byte, h *batch.Header, o AppendOptions, logger *slog.Logger) error {
	if h.NumRecords == 0 {
		return nil
	}
	marker, timestamp, isMarker, err := parseMarker(b)
	if err != nil {
		return fmt.Errorf("control batch at offset %d: %w", h.BaseOffset, err)
	}
	if !isMarker {
		return nil
	}
	e := p.update(h.ProducerID)
	if err := e.checkEpoch(h.ProducerEpoch, o.Origin, o.TransactionVersion, h.BaseOffset, logger); err != nil {
		return err
	}
	if e.coordinatorEpoch > marker.CoordinatorEpoch {
		if o.Origin != Replication {
			return fmt.Errorf("marker for producer %d at offset %d: coordinator epoch %d, current %d: %w",
				e.id, h.BaseOffset, marker.CoordinatorEpoch, e.coordinatorEpoch, kerr.TransactionCoordinatorFenced)
		}
		logger.Warn("replicated marker has an old coordinator epoch", "producer", e.id, "offset", h.BaseOffset,
			"epoch", marker.CoordinatorEpoch, "current", e.coordinatorEpoch)
	}
	if e.transactionStart >= 0 {
		p.completed = append(p.completed, completedTransaction{e.id, e.transactionStart, h.BaseOffset, !marker.Commit})
	}
	e.setEpoch(h.ProducerEpoch)
	e.coordinatorEpoch, e.lastTimestamp, e.transactionStart = marker.CoordinatorEpoch, timestamp, -1
	return nil
}

// parseMarker reads the record of a control batch. There are other control records than transaction markers.
func parseMarker(b []byte) (marker batch.EndTxnMarker, timestamp int64, isMarker bool, err error) {
	for record, err := range batch.Records(b, 0) {
		if err != nil {
			return marker, 0, false, err
		}
		kind, err := batch.ParseControlType(record.Key)
		if err != nil {
			return marker, 0, false, err
		}
		if kind != batch.ControlAbort && kind != batch.ControlCommit {
			return marker, 0, false, nil
		}
		marker, err = batch.ParseEndTxnMarker(record)
		return marker, record.Timestamp, err == nil, err
	}
	return marker, 0, false, nil
}

// aborted lists the transaction index entries of the append in progress: as its last stable offset each has the first
// offset of the oldest transaction that was open then.
func (p *producers) aborted() []AbortedTransaction {
	var out []AbortedTransaction
	for i, c := range p.completed {
		if !c.aborted {
			continue
		}
		stable := c.last + 1
		isOpen := func(first int64) bool {
			return !slices.ContainsFunc(p.completed[:i+1], func(done completedTransaction) bool { return done.first == first })
		}
		for _, candidates := range [][]openTransaction{p.transactions.open, p.started} {
			for _, o := range candidates {
				if o.first < stable && isOpen(o.first) {
					stable = o.first
				}
			}
		}
		out = append(out, AbortedTransaction{ProducerID: c.producerID, FirstOffset: c.first, LastOffset: c.last, LastStableOffset: stable})
	}
	return out
}
