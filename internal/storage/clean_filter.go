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
	keys          *keyHasher
	stats         *CleanStats
}

// retained are the records of a batch that stay, by their index. A batch is gone through twice, to choose and to copy, and its
// records are never all in memory: they may decompress to a thousand times the batch.
type retained struct {
	bits       []uint64
	count      int
	tombstones bool // there are some among them
}

func (r *retained) add(index int) {
	for len(r.bits) <= index/64 {
		r.bits = append(r.bits, 0)
	}
	r.bits[index/64] |= 1 << (index % 64)
	r.count++
}

func (r *retained) has(index int) bool {
	return index/64 < len(r.bits) && r.bits[index/64]&(1<<(index%64)) != 0
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
	stay, err := f.retain(b, h, v.dropRecords)
	if err != nil {
		return dst, kept, nil, err
	}
	f.stats.RecordsRead += int64(h.NumRecords)
	f.stats.RecordsKept += int64(stay.count)
	_, hasHorizon := h.DeleteHorizon()
	setHorizon := (stay.tombstones || v.emptyMarker) && !hasHorizon
	start := len(dst)
	switch {
	case stay.count == 0 && v.keepEmpty:
		dst = append(dst, batch.EmptyBatch(*h)...)
	case stay.count == 0:
		return dst, kept, v.aborted, nil
	case stay.count == int(h.NumRecords) && !setHorizon:
		dst = append(dst, b...)
	default:
		rebuilt, err := f.rebuild(b, h, &stay, setHorizon)
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

// retain goes through a batch and returns the records that stay.
func (f *cleanFilter) retain(b []byte, h *batch.Header, dropAll bool) (retained, error) {
	var stay retained
	if dropAll || h.NumRecords == 0 {
		return stay, nil
	}
	horizon, set := h.DeleteHorizon()
	dropTombstones := set && horizon <= f.nowMs
	index := 0
	for r, err := range batch.Scan(b, f.keys) {
		if err != nil {
			return stay, err
		}
		if h.Control() || f.keep(&r, dropTombstones) {
			stay.add(index)
			stay.tombstones = stay.tombstones || !r.HasValue
		}
		index++
	}
	return stay, nil
}

// keep is the heart of compaction: the newest record of each key stays, and a tombstone until its time is up. What
// lies behind the map's range has not been looked at. Records without a key, from before the topic was
// compacted, go.
func (f *cleanFilter) keep(r *batch.RecordHead, dropTombstones bool) bool {
	if r.Offset > f.offsets.latest {
		return true
	}
	if !r.HasKey {
		f.stats.InvalidRecords++
		return false
	}
	return r.Offset >= f.offsets.get(f.keys.key()) && (r.HasValue || !dropTombstones)
}

// rebuild makes a batch of the retained records, with the offsets, codec, producer and kind of the original.
func (f *cleanFilter) rebuild(b []byte, h *batch.Header, stay *retained, setHorizon bool) ([]byte, error) {
	o := batch.OptionsOf(*h)
	if setHorizon {
		horizon := f.nowMs + f.retentionMs
		if horizon < f.nowMs {
			horizon = 1<<63 - 1
		}
		o.DeleteHorizonMs = &horizon
	}
	builder := batch.NewBuilder(o)
	if err := builder.AppendFrom(b, stay.has); err != nil {
		return nil, err
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
