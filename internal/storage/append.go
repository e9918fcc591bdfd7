package storage

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/barnabas-mq/barnabas/internal/batch"
)

// keepHeaders is how many parsed headers of an append stay allocated for the next one.
const keepHeaders = 256

// errOffsets says that a follower was given offsets that do not continue its log.
var errOffsets = errors.New("offsets go back")

// Append writes one or more whole v2 batches, already through batch.Check, to the end. Offsets and leader epoch are
// written into the bytes given, also when it fails. On an error nothing was appended.
//
// Errors wrap kerr.InvalidProducerEpoch, OutOfOrderSequenceNumber, InvalidTxnState, TransactionCoordinatorFenced,
// RecordListTooLarge (larger than a segment), CorruptMessage (not whole v2 batches; offsets that go back),
// KafkaStorageError.
func (l *Log) Append(batches []byte, o AppendOptions) (Appended, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.listLocked(); err != nil {
		return Appended{}, err
	}
	if err := l.loadProducers(); err != nil {
		return Appended{}, l.storageError("append", err)
	}
	settings := l.settings.Load()
	headers, err := l.assign(batches, o)
	if err != nil {
		return Appended{}, fmt.Errorf("log %s: append: %w", l.place.dir, err)
	}
	if len(headers) == 0 {
		return Appended{BaseOffset: -1, LastOffset: -1, LogStartOffset: l.start.Load(), EndOffset: l.end.Load()}, nil
	}
	if len(batches) > int(min(settings.SegmentBytes, maxSegmentSize)) && o.Origin != Replication {
		return Appended{}, fmt.Errorf("log %s: append: %d bytes do not fit a segment: %w", l.place.dir, len(batches), kerr.RecordListTooLarge)
	}
	duplicate, isDuplicate, err := l.prepareProducers(batches, headers, o)
	if err != nil {
		return Appended{}, fmt.Errorf("log %s: append: %w", l.place.dir, err)
	}
	if isDuplicate {
		return Appended{
			BaseOffset: duplicate.lastOffset - int64(duplicate.offsetDelta), LastOffset: duplicate.lastOffset,
			LogStartOffset: l.start.Load(), EndOffset: l.end.Load(), MaxTimestamp: duplicate.timestamp, Duplicate: true,
		}, nil
	}
	return l.write(batches, headers, settings, o)
}

// write is the part of an append that touches files, once nothing speaks against it.
func (l *Log) write(batches []byte, headers []batch.Header, settings *Settings, o AppendOptions) (Appended, error) {
	nowMs := o.NowMs
	if nowMs == 0 {
		nowMs = l.now().UnixMilli()
	}
	result := Appended{
		BaseOffset: headers[0].BaseOffset, LastOffset: headers[len(headers)-1].LastOffset(),
		MaxTimestamp: headers[0].MaxTimestamp,
	}
	for i := range headers {
		l.epochs.assign(headers[i].LeaderEpoch, headers[i].BaseOffset)
		result.MaxTimestamp = max(result.MaxTimestamp, headers[i].MaxTimestamp)
	}
	if err := l.epochs.persist(&l.place, false, maxOffset); err != nil {
		return Appended{}, l.storageError("append", err)
	}
	if err := l.maybeRoll(int64(len(batches)), result, settings, nowMs); err != nil {
		return Appended{}, l.storageError("roll", err)
	}
	s := l.active()
	undo := func() {}
	if len(l.producers.completed) > 0 {
		var err error
		if undo, err = s.appendAborted(l.producers.aborted()); err != nil {
			return Appended{}, l.storageError("append", err)
		}
	}
	if err := s.append(batches, headers, settings); err != nil {
		undo()
		return Appended{}, l.storageError("append", err)
	}
	s.modifiedMs = nowMs
	l.producers.commit(result.LastOffset + 1)
	if len(l.producers.started)+len(l.producers.completed) > 0 {
		l.publishUnstable()
	}
	l.end.Store(result.LastOffset + 1)
	result.LogStartOffset, result.EndOffset = l.start.Load(), result.LastOffset+1
	l.changed(len(batches))
	return result, nil
}

// assign parses the batches' headers and gives them their offsets, or checks those that they have. The headers are valid
// until the next append.
func (l *Log) assign(batches []byte, o AppendOptions) ([]batch.Header, error) {
	if cap(l.headers) > keepHeaders {
		l.headers = nil
	}
	headers, next := l.headers[:0], l.end.Load()
	for rest := batches; len(rest) > 0; {
		h, whole, after, err := batch.Next(rest)
		switch {
		case err != nil:
			return nil, fmt.Errorf("byte %d of %d: %w", len(batches)-len(rest), len(batches), err)
		case h.LastOffsetDelta < 0:
			return nil, fmt.Errorf("byte %d: %w: %w", len(batches)-len(rest), errDeltas, kerr.CorruptMessage)
		case !o.FirstOffsetIsGiven:
			batch.SetBaseOffset(whole, next)
			batch.SetLeaderEpoch(whole, o.LeaderEpoch)
			h.BaseOffset, h.LeaderEpoch = next, o.LeaderEpoch
		case h.BaseOffset < next:
			return nil, fmt.Errorf("%w: batch at %d, log ends at %d: %w", errOffsets, h.BaseOffset, next, kerr.CorruptMessage)
		}
		next = h.NextOffset()
		headers, rest = append(headers, h), after
	}
	l.headers = headers[:0]
	return headers, nil
}

// prepareProducers counts the batches in for their producers' state, without making it the state. It returns the first
// batch's earlier self if this is a retry.
func (l *Log) prepareProducers(batches []byte, headers []batch.Header, o AppendOptions) (duplicate producerBatch, isDuplicate bool, err error) {
	p := l.producers
	p.prepare()
	position := 0
	for i := range headers {
		h := &headers[i]
		whole := batches[position : position+h.Size()]
		position += h.Size()
		if !h.HasProducer() {
			continue
		}
		if h.Control() {
			if err := p.appendMarker(whole, h, o, l.logger); err != nil {
				return duplicate, false, err
			}
			continue
		}
		if o.Origin == Client {
			if duplicate, isDuplicate = p.findDuplicate(h); isDuplicate {
				return duplicate, true, nil
			}
		}
		if o.MustBeOngoing && h.Transactional() && !p.ongoing(h.ProducerID, h.ProducerEpoch) {
			return duplicate, false, fmt.Errorf("producer %d: %w", h.ProducerID, p.notOngoing(h))
		}
		if err := p.appendData(h, o.Origin, l.logger); err != nil {
			return duplicate, false, err
		}
	}
	return duplicate, false, nil
}

// ongoing says whether a producer has an open transaction in an epoch.
func (p *producers) ongoing(id int64, epoch int16) bool {
	e := p.byID[id]
	return e != nil && e.epoch == epoch && e.transactionStart >= 0
}

// notOngoing is the error for a batch that must continue a transaction and does not; a stale epoch is the better reason.
func (p *producers) notOngoing(h *batch.Header) error {
	if e := p.byID[h.ProducerID]; e != nil && h.ProducerEpoch < e.epoch {
		return kerr.InvalidProducerEpoch
	}
	return kerr.InvalidTxnState
}
