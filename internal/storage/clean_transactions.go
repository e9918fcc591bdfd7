package storage

import (
	"cmp"
	"slices"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// cleanedTransactions follows the transactions of a log that is read from its start, to tell which batches were aborted
// and which markers still have data: a marker must stay as long as any of its data does, or consumers would take the data
// for open or committed.
type cleanedTransactions struct {
	aborted   []AbortedTransaction // known from the index, not yet reached, by first offset
	open      map[int64]*abortedOpen
	committed map[int64]struct{} // producers with data seen since their last marker
}

// abortedOpen is an aborted transaction that has been reached and whose marker has not.
type abortedOpen struct {
	AbortedTransaction
	hasData bool
}

func newCleanedTransactions() *cleanedTransactions {
	return &cleanedTransactions{open: map[int64]*abortedOpen{}, committed: map[int64]struct{}{}}
}

// expect adds what the index knows about the stretch that comes next. One that was added before is no matter
// as long as its marker has not been passed.
func (t *cleanedTransactions) expect(aborted []AbortedTransaction) {
	t.aborted = append(t.aborted, aborted...)
	slices.SortFunc(t.aborted, func(a, b AbortedTransaction) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
}

// reach opens the aborted transactions that begin up to an offset.
func (t *cleanedTransactions) reach(offset int64) {
	n := 0
	for n < len(t.aborted) && t.aborted[n].FirstOffset <= offset {
		if a := t.aborted[n]; t.open[a.ProducerID] == nil {
			t.open[a.ProducerID] = &abortedOpen{AbortedTransaction: a}
		}
		n++
	}
	t.aborted = slices.Delete(t.aborted, 0, n)
}

// data passes a data batch and reports whether it was aborted.
func (t *cleanedTransactions) data(h *batch.Header) bool {
	t.reach(h.LastOffset())
	if !h.Transactional() {
		return false
	}
	if a := t.open[h.ProducerID]; a != nil {
		a.hasData = true
		return true
	}
	t.committed[h.ProducerID] = struct{}{}
	return false
}

// control passes a control batch. empty says that the log holds no data of the transaction any more, so that the marker may go;
// aborted is the transaction that it ends, if that must stay in the index.
func (t *cleanedTransactions) control(h *batch.Header, kind batch.ControlType, hasRecord bool) (empty bool, aborted *AbortedTransaction) {
	t.reach(h.LastOffset())
	switch {
	case !hasRecord:
		return true, nil // cleaned before
	case kind == batch.ControlAbort:
		a := t.open[h.ProducerID]
		delete(t.open, h.ProducerID)
		if a != nil && a.hasData {
			return false, &a.AbortedTransaction
		}
		return true, nil
	case kind == batch.ControlCommit:
		_, hasData := t.committed[h.ProducerID]
		delete(t.committed, h.ProducerID)
		return !hasData, nil
	}
	return false, nil
}
