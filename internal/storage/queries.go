package storage

import (
	"errors"
	"io/fs"
	"sort"
)

// EpochEnd answers OffsetForLeaderEpoch: the largest epoch ≤ the asked one and where it ends; -1, -1 if unknown.
func (l *Log) EpochEnd(epoch int32) (found int32, end int64) {
	return l.epochs.end(epoch, l.end.Load())
}

// EpochAt is the leader epoch of the record at an offset, -1 if unknown.
func (l *Log) EpochAt(offset int64) int32 { return l.epochs.at(offset) }

// LatestEpoch is the newest leader epoch that the log knows of, -1 if there is none.
func (l *Log) LatestEpoch() int32 { return l.epochs.latest().Epoch }

// BeginEpoch notes, in memory, that a leader epoch starts at an offset. It reaches the disk before that epoch's first
// append.
func (l *Log) BeginEpoch(epoch int32, start int64) { l.epochs.assign(epoch, start) }

// AbortedTransactions lists the aborted transactions with records in [from, below).
func (l *Log) AbortedTransactions(from, below int64) ([]AbortedTransaction, error) {
	for attempt := 1; ; attempt++ {
		list, err := l.list()
		if err != nil {
			return nil, err
		}
		out, err := collectAborted(list, from, below)
		if err == nil {
			return out, nil
		}
		if gone := errors.Is(err, errGone) || errors.Is(err, fs.ErrNotExist); !gone || attempt == readAttempts {
			return nil, l.storageError("aborted transactions", err)
		}
	}
}

// collectAborted asks the segment that holds an offset and the later ones: a transaction is in the index of the
// segment that holds its marker.
func collectAborted(list []*segment, from, below int64) (out []AbortedTransaction, err error) {
	at := max(sort.Search(len(list), func(i int) bool { return list[i].base > from })-1, 0)
	for _, s := range list[at:] {
		var complete bool
		if out, complete, err = s.collectAborted(out, from, below); err != nil || complete {
			return out, err
		}
	}
	return out, nil
}

// Producers lists the active producers, by id.
func (l *Log) Producers() ([]ProducerState, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.needProducers(); err != nil {
		return nil, err
	}
	return l.producers.states(), nil
}

// OngoingTransaction says whether a producer has an open transaction here in this epoch.
func (l *Log) OngoingTransaction(producerID int64, epoch int16) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.needProducers(); err != nil {
		return false, err
	}
	return l.producers.ongoing(producerID, epoch), nil
}

// needProducers loads segments and producers. The caller holds mu.
func (l *Log) needProducers() error {
	if _, err := l.listLocked(); err != nil {
		return err
	}
	if err := l.loadProducers(); err != nil {
		return l.storageError("producers", err)
	}
	return nil
}
