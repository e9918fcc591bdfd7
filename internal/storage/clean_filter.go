package storage

import (
	"fmt"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// cleanFilter decides what one cleaning keeps.
type cleanFilter struct {
	offsets       *offsetMap
	transactions  *cleanedTransactions
	producers     map[int64]ProducerState // the active ones
	highWatermark int64
	nowMs         int64
	retentionMs   int64 // delete.retention.ms
	maxDecoded    int
	stats         *CleanStats
}

// verdict is what is to happen to a batch as a whole.
type verdict struct {
	dropRecords bool // all of them, for reasons other than newer records
	emptyMarker bool // a marker whose transaction has no data any more
	keepEmpty   bool // the batch stays when no record does
	aborted     *AbortedTransaction
}

// apply appends to dst what stays of one batch: the batch itself, a rebuilt one with the same offsets, one without records, or
// nothing. aborted is set for a marker whose transaction must stay in the index.
func (f *cleanFilter) apply(dst, b []byte, h *batch.Header) (out []byte, kept batch.Header, aborted *AbortedTransaction, err error) {
	v, err := f.judge(b, h)
	if err != nil {
		return dst, kept, nil, err
	}
	retained, tombstones, err := f.retain(b, h, v.dropRecords)
	if err != nil {
		return dst, kept, nil, err
	}
	f.stats.RecordsRead += int64(h.NumRecords)
	f.stats.RecordsKept += int64(len(retained))
	_, hasHorizon := h.DeleteHorizon()
	setHorizon := (tombstones || v.emptyMarker) && !hasHorizon
	start := len(dst)
	switch {
	case len(retained) == 0 && v.keepEmpty:
		dst = append(dst, batch.EmptyBatch(*h)...)
	case len(retained) == 0:
		return dst, kept, v.aborted, nil
	case len(retained) == int(h.NumRecords) && !setHorizon:
		dst = append(dst, b...)
	default:
		rebuilt, err := f.rebuild(h, retained, setHorizon)
		if err != nil {
			return dst, kept, nil, err
		}
		dst = append(dst, rebuilt...)
	}
	kept, err = batch.ParseHeader(dst[start:])
	if err == nil && (kept.BaseOffset != h.BaseOffset || kept.LastOffset() != h.LastOffset()) {
		err = fmt.Errorf("batch %d-%d became %d-%d", h.BaseOffset, h.LastOffset(), kept.BaseOffset, kept.LastOffset())
	}
	return dst, kept, v.aborted, err
}

// judge looks at the batch as a whole. Deleting a marker is delayed like that of a tombstone (KIP-534): the cleaning that first finds
// its transaction without data sets the horizon after which another one may drop it.
func (f *cleanFilter) judge(b []byte, h *batch.Header) (verdict, error) {
	var v verdict
	if h.Control() {
		kind, hasRecord, err := controlKind(b)
		if err != nil {
			return v, err
		}
		v.emptyMarker, v.aborted = f.transactions.control(h, kind, hasRecord)
		horizon, set := h.DeleteHorizon()
		v.dropRecords = v.emptyMarker && set && horizon <= f.nowMs
	} else {
		v.dropRecords = f.transactions.data(h)
	}
	v.keepEmpty = f.lastOfProducer(h) || h.NextOffset() == f.highWatermark
	return v, nil
}

// lastOfProducer says that the batch is all that tells where an active producer is: its last sequence, or, when it has
// written nothing in its epoch, that epoch.
func (f *cleanFilter) lastOfProducer(h *batch.Header) bool {
	if !h.HasProducer() {
		return false
	}
	p, active := f.producers[h.ProducerID]
	if !active {
		return false
	}
	if p.LastOffset >= 0 {
		return h.LastOffset() == p.LastOffset
	}
	return h.Control() && h.ProducerEpoch == p.Epoch
}

// retain decodes a batch and returns the records that stay, and whether there are tombstones among them.
func (f *cleanFilter) retain(b []byte, h *batch.Header, dropAll bool) (retained []batch.Record, tombstones bool, err error) {
	if dropAll || h.NumRecords == 0 {
		return nil, false, nil
	}
	retained = make([]batch.Record, 0, min(int(h.NumRecords), len(b)))
	horizon, set := h.DeleteHorizon()
	dropTombstones := set && horizon <= f.nowMs
	for r, err := range batch.Records(b, f.maxDecoded) {
		if err != nil {
			return nil, false, err
		}
		if !h.Control() && !f.keep(&r, dropTombstones) {
			continue
		}
		retained = append(retained, r)
		tombstones = tombstones || r.Value == nil
	}
	return retained, tombstones, nil
}

// keep is the heart of compaction: the newest record of each key stays, and a tombstone until its time is up. What
// lies behind the map's range has not been looked at. Records without a key, from before the topic was
// compacted, go.
func (f *cleanFilter) keep(r *batch.Record, dropTombstones bool) bool {
	if r.Offset > f.offsets.latest {
		return true
	}
	if r.Key == nil {
		f.stats.InvalidRecords++
		return false
	}
	return r.Offset >= f.offsets.get(r.Key) && (r.Value != nil || !dropTombstones)
}

// rebuild makes a batch of the retained records, with the offsets, codec, producer and kind of the original.
func (f *cleanFilter) rebuild(h *batch.Header, retained []batch.Record, setHorizon bool) ([]byte, error) {
	o := batch.OptionsOf(*h)
	if setHorizon {
		horizon := f.nowMs + f.retentionMs
		if horizon < f.nowMs {
			horizon = 1<<63 - 1
		}
		o.DeleteHorizonMs = &horizon
	}
	builder := batch.NewBuilder(o)
	for _, r := range retained {
		if err := builder.AppendAt(r); err != nil {
			return nil, err
		}
	}
	builder.SetLastOffset(h.LastOffset())
	return builder.Build(), nil
}

// controlKind reads the type of a control batch's record, if it still has one.
func controlKind(b []byte) (kind batch.ControlType, hasRecord bool, err error) {
	for r, err := range batch.Records(b, 0) {
		if err != nil {
			return 0, false, err
		}
		kind, err = batch.ParseControlType(r.Key)
		return kind, true, err
	}
	return 0, false, nil
}
