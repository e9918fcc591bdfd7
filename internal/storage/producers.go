package storage

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

const (
	// batchesToRetain is how many of a producer's newest batches are remembered, to answer retries: a client may have so
	// many requests in flight.
	batchesToRetain = 5
	// updatesToSearch is up to how many producers of one append are found by going through them.
	updatesToSearch = 8
)

// producerBatch is one remembered batch. Its offset is the final one, so that a retry gets the same answer however much
// later it comes.
type producerBatch struct {
	lastSequence int32
	offsetDelta  int32
	lastOffset   int64
	timestamp    int64
}

// firstSequence goes back from the last one, wrapping from 0 to 2^31-1.
func (b producerBatch) firstSequence() int32 {
	if b.lastSequence < b.offsetDelta {
		return math.MaxInt32 - (b.offsetDelta - b.lastSequence) + 1
	}
	return b.lastSequence - b.offsetDelta
}

// producerEntry is the state of one producer. It is a plain value: an append works on a copy, which becomes the state
// when the write has succeeded.
type producerEntry struct {
	id               int64
	epoch            int16 // -1: nothing known
	count            int8  // of batches
	coordinatorEpoch int32
	lastTimestamp    int64
	transactionStart int64 // -1: none is open
	batches          [batchesToRetain]producerBatch
}

func newProducerEntry(id int64) producerEntry {
	return producerEntry{id: id, epoch: batch.NoProducerEpoch, coordinatorEpoch: -1, lastTimestamp: noTimestamp, transactionStart: -1}
}

func (e *producerEntry) lastSequence() int32 {
	if e.count == 0 {
		return batch.NoSequence
	}
	return e.batches[e.count-1].lastSequence
}

func (e *producerEntry) lastOffset() int64 {
	if e.count == 0 {
		return -1
	}
	return e.batches[e.count-1].lastOffset
}

func (e *producerEntry) setEpoch(epoch int16) {
	if e.epoch != epoch {
		e.count, e.epoch = 0, epoch
	}
}

func (e *producerEntry) add(b producerBatch) {
	if e.count == batchesToRetain {
		copy(e.batches[:], e.batches[1:])
		e.count--
	}
	e.batches[e.count] = b
	e.count++
	e.lastTimestamp = b.timestamp
}

// duplicate returns the remembered batch with exactly the sequences of another.
func (e *producerEntry) duplicate(h *batch.Header) (producerBatch, bool) {
	if e.epoch != h.ProducerEpoch {
		return producerBatch{}, false
	}
	for _, b := range e.batches[:e.count] {
		if b.firstSequence() == h.BaseSequence && b.lastSequence == h.LastSequence() {
			return b, true
		}
	}
	return producerBatch{}, false
}

func (e *producerEntry) state() ProducerState {
	return ProducerState{
		ProducerID: e.id, Epoch: e.epoch, LastSequence: e.lastSequence(), LastOffset: e.lastOffset(),
		LastTimestamp: e.lastTimestamp, CoordinatorEpoch: e.coordinatorEpoch, TransactionStart: e.transactionStart,
	}
}

// producers is what a log knows of its producers and their transactions. It belongs to Log.mu.
type producers struct {
	byID         map[int64]*producerEntry
	transactions transactions
	end          int64 // the offset up to which the log is counted in
	lastSnapshot int64 // offset of the newest snapshot written or loaded, else where the state began

	// An append in progress.
	updates   []producerEntry
	updateAt  map[int64]int // producer id → index in updates, when there are many
	completed []completedTransaction
	started   []openTransaction
}

func newProducers(start int64) *producers {
	return &producers{byID: map[int64]*producerEntry{}, end: start, lastSnapshot: start}
}

// prepare begins an append: nothing of it is in the state until commit.
func (p *producers) prepare() {
	const keep = 64 // what a large append needed is not kept for ever
	if cap(p.updates) > keep {
		p.updates = nil
	}
	p.updates, p.completed, p.started, p.updateAt = p.updates[:0], p.completed[:0], p.started[:0], nil
}

// update returns the working copy of a producer's state.
func (p *producers) update(id int64) *producerEntry {
	if p.updateAt != nil {
		if i, ok := p.updateAt[id]; ok {
			return &p.updates[i]
		}
	} else {
		for i := range p.updates {
			if p.updates[i].id == id {
				return &p.updates[i]
			}
		}
	}
	if known := p.byID[id]; known != nil {
		p.updates = append(p.updates, *known)
	} else {
		p.updates = append(p.updates, newProducerEntry(id))
	}
	if n := len(p.updates); p.updateAt != nil {
		p.updateAt[id] = n - 1
	} else if n > updatesToSearch {
		p.updateAt = make(map[int64]int, n)
		for i := range p.updates {
			p.updateAt[p.updates[i].id] = i
		}
	}
	return &p.updates[len(p.updates)-1]
}

// commit makes the append's changes the state. Completed transactions wait for the high watermark.
func (p *producers) commit(end int64) {
	for i := range p.updates {
		if known := p.byID[p.updates[i].id]; known != nil {
			*known = p.updates[i]
		} else {
			entry := p.updates[i]
			p.byID[entry.id] = &entry
		}
	}
	for _, t := range p.started {
		p.transactions.begin(t)
	}
	for _, t := range p.completed {
		p.transactions.complete(t)
	}
	p.end = end
}

// appendData counts a data batch in. h has its final offsets.
func (p *producers) appendData(h *batch.Header, origin Origin, logger *slog.Logger) error {
	e := p.update(h.ProducerID)
	if err := e.checkEpoch(h.ProducerEpoch, origin, 0, h.BaseOffset, logger); err != nil {
		return err
	}
	if origin == Client {
		if err := e.checkSequence(h); err != nil {
			return err
		}
	}
	if e.transactionStart >= 0 && !h.Transactional() {
		err := fmt.Errorf("producer %d at offset %d: record outside of its open transaction: %w", e.id, h.BaseOffset, kerr.InvalidTxnState)
		if origin != Replication {
			return err
		}
		logger.Warn("replicated batch breaks the rules of transactions", "error", err)
	}
	e.setEpoch(h.ProducerEpoch)
	e.add(producerBatch{h.LastSequence(), h.LastOffsetDelta, h.LastOffset(), h.MaxTimestamp})
	if e.transactionStart < 0 && h.Transactional() {
		e.transactionStart = h.BaseOffset
		p.started = append(p.started, openTransaction{first: h.BaseOffset, producerID: e.id})
	}
	return nil
}

// checkEpoch refuses a producer that a newer epoch has fenced. What the leader accepted a follower takes as it is.
func (e *producerEntry) checkEpoch(epoch int16, origin Origin, transactionVersion int16, offset int64, logger *slog.Logger) error {
	invalid := epoch < e.epoch
	if transactionVersion >= 2 {
		// The marker carries a newer epoch than the data. An equal one is a retry of a marker that was written and
		// may be written again, if nothing is open (KAFKA-19999); at the largest epoch there is no newer one.
		retry := epoch == e.epoch && (e.transactionStart < 0 || epoch == math.MaxInt16)
		invalid = epoch <= e.epoch && !retry
	}
	if !invalid {
		return nil
	}
	if origin == Replication {
		logger.Warn("replicated batch has an old producer epoch", "producer", e.id, "offset", offset, "epoch", epoch, "current", e.epoch)
		return nil
	}
	return fmt.Errorf("producer %d at offset %d: epoch %d, current %d: %w", e.id, offset, epoch, e.epoch, kerr.InvalidProducerEpoch)
}

// checkSequence refuses gaps and what is older than the remembered batches. A producer that is not known may begin
// anywhere: its earlier records may have expired.
func (e *producerEntry) checkSequence(h *batch.Header) error {
	switch {
	case e.epoch == batch.NoProducerEpoch:
		return nil
	case h.ProducerEpoch != e.epoch:
		if h.BaseSequence != 0 {
			return fmt.Errorf("producer %d at offset %d: new epoch %d begins with sequence %d, current epoch %d: %w",
				e.id, h.BaseOffset, h.ProducerEpoch, h.BaseSequence, e.epoch, kerr.OutOfOrderSequenceNumber)
		}
		return nil
	}
	last := e.lastSequence()
	if int64(h.BaseSequence) == int64(last)+1 || h.BaseSequence == 0 && last == math.MaxInt32 {
		return nil
	}
	return fmt.Errorf("producer %d at offset %d: sequence %d, last %d: %w", e.id, h.BaseOffset, h.BaseSequence, last, kerr.OutOfOrderSequenceNumber)
}

// findDuplicate returns where a client's batch was written before, if it is one of the last five.
func (p *producers) findDuplicate(h *batch.Header) (producerBatch, bool) {
	if known := p.byID[h.ProducerID]; known != nil {
		return known.duplicate(h)
	}
	return producerBatch{}, false
}

// expired says that a producer was silent for so long that it is forgotten. One with an open transaction never is.
func (e *producerEntry) expired(nowMs, expirationMs int64) bool {
	return expirationMs > 0 && e.transactionStart < 0 && nowMs-e.lastTimestamp >= expirationMs
}

// expire forgets the silent ones and returns when the next will be, -1 if there is none.
func (p *producers) expire(nowMs, expirationMs int64) (nextMs int64) {
	nextMs = -1
	for id, e := range p.byID {
		switch {
		case e.expired(nowMs, expirationMs):
			delete(p.byID, id)
		case expirationMs > 0 && e.transactionStart < 0:
			if due := e.lastTimestamp + expirationMs; nextMs < 0 || due < nextMs {
				nextMs = due
			}
		}
	}
	return nextMs
}

// recent lists, by id, what a snapshot does not keep of the producers.
func (p *producers) recent() []RecentBatches {
	var out []RecentBatches
	for _, e := range p.byID {
		if e.count > 1 {
			out = append(out, RecentBatches{e.id, slices.Clone(e.batches[:e.count])})
		}
	}
	slices.SortFunc(out, func(a, b RecentBatches) int { return cmp.Compare(a.ProducerID, b.ProducerID) })
	return out
}

// recall gives producers that came out of a snapshot their older batches back, where the newest is still the same.
func (p *producers) recall(recent []RecentBatches) {
	for _, r := range recent {
		e, newest := p.byID[r.ProducerID], r.Batches[len(r.Batches)-1]
		if e == nil || e.lastOffset() != newest.lastOffset || e.lastSequence() != newest.lastSequence {
			continue
		}
		e.count = int8(copy(e.batches[:], r.Batches))
	}
}

// states lists the producers by id.
func (p *producers) states() []ProducerState {
	out := make([]ProducerState, 0, len(p.byID))
	for _, e := range p.byID {
		out = append(out, e.state())
	}
	slices.SortFunc(out, func(a, b ProducerState) int { return cmp.Compare(a.ProducerID, b.ProducerID) })
	return out
}
