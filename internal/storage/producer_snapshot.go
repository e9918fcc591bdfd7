package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
)

const (
	snapshotVersion    = 1
	snapshotHeaderSize = 10 // version 2, checksum 4, number of entries 4
	snapshotEntrySize  = 46
	snapshotCRCStart   = 6
)

// errBadSnapshot says that a producer snapshot is not what was written whole.
var errBadSnapshot = errors.New("damaged producer snapshot")

// encodeSnapshot writes the producers' state as Kafka does: of the remembered batches only the newest.
func encodeSnapshot(states []ProducerState, deltas map[int64]int32) []byte {
	b := make([]byte, 0, snapshotHeaderSize+len(states)*snapshotEntrySize)
	b = binary.BigEndian.AppendUint16(b, snapshotVersion)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(states)))
	for _, p := range states {
		b = binary.BigEndian.AppendUint64(b, uint64(p.ProducerID))
		b = binary.BigEndian.AppendUint16(b, uint16(p.Epoch))
		b = binary.BigEndian.AppendUint32(b, uint32(p.LastSequence))
		b = binary.BigEndian.AppendUint64(b, uint64(p.LastOffset))
		b = binary.BigEndian.AppendUint32(b, uint32(deltas[p.ProducerID]))
		b = binary.BigEndian.AppendUint64(b, uint64(p.LastTimestamp))
		b = binary.BigEndian.AppendUint32(b, uint32(p.CoordinatorEpoch))
		b = binary.BigEndian.AppendUint64(b, uint64(p.TransactionStart))
	}
	binary.BigEndian.PutUint32(b[2:], crc32.Checksum(b[snapshotCRCStart:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// decodeSnapshot reads what encodeSnapshot or Kafka wrote.
func decodeSnapshot(b []byte) ([]producerEntry, error) {
	if len(b) < snapshotHeaderSize {
		return nil, fmt.Errorf("%d bytes: %w", len(b), errBadSnapshot)
	}
	if version := binary.BigEndian.Uint16(b); version != snapshotVersion {
		return nil, fmt.Errorf("version %d: %w", version, errBadSnapshot)
	}
	if crc32.Checksum(b[snapshotCRCStart:], crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(b[2:]) {
		return nil, fmt.Errorf("checksum does not match: %w", errBadSnapshot)
	}
	n := int64(int32(binary.BigEndian.Uint32(b[snapshotCRCStart:])))
	if b = b[snapshotHeaderSize:]; n*snapshotEntrySize != int64(len(b)) {
		return nil, fmt.Errorf("%d entries in %d bytes: %w", n, len(b), errBadSnapshot)
	}
	entries := make([]producerEntry, 0, n)
	for ; len(b) > 0; b = b[snapshotEntrySize:] {
		e := newProducerEntry(int64(binary.BigEndian.Uint64(b)))
		e.epoch = int16(binary.BigEndian.Uint16(b[8:]))
		newest := producerBatch{
			lastSequence: int32(binary.BigEndian.Uint32(b[10:])),
			lastOffset:   int64(binary.BigEndian.Uint64(b[14:])),
			offsetDelta:  int32(binary.BigEndian.Uint32(b[22:])),
			timestamp:    int64(binary.BigEndian.Uint64(b[26:])),
		}
		if newest.lastOffset >= 0 {
			e.add(newest)
		}
		e.lastTimestamp = newest.timestamp
		e.coordinatorEpoch = int32(binary.BigEndian.Uint32(b[34:]))
		e.transactionStart = max(int64(binary.BigEndian.Uint64(b[38:])), -1)
		entries = append(entries, e)
	}
	return entries, nil
}

func (p *place) snapshotPath(offset int64) string { return p.path(offsetName(offset) + snapshotSuffix) }

// takeSnapshot writes the producers' state as it is at its end, unless the newest snapshot already does. The one
// before is removed if no segment begins there: Kafka keeps one a segment and the newest. The caller holds mu.
func (l *Log) takeSnapshot() error {
	p := l.producers
	if p.end <= p.lastSnapshot {
		return nil
	}
	deltas := make(map[int64]int32, len(p.byID))
	for id, e := range p.byID {
		if e.count > 0 {
			deltas[id] = e.batches[e.count-1].offsetDelta
		}
	}
	name := l.place.snapshotPath(p.end)
	if err := l.place.writeFile(name, encodeSnapshot(p.states(), deltas), false); err != nil {
		return fmt.Errorf("producer snapshot: %w", err)
	}
	before := p.lastSnapshot
	p.lastSnapshot = p.end
	return l.removeStraySnapshot(before)
}

// removeStraySnapshot removes a snapshot at whose offset no segment begins.
func (l *Log) removeStraySnapshot(offset int64) error {
	for _, s := range *l.segments.Load() {
		if s.base == offset {
			return nil
		}
	}
	if err := l.place.disk.Remove(l.place.snapshotPath(offset)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("old producer snapshot: %w", err)
	}
	return nil
}

// readSnapshot loads a snapshot into an empty state.
func (l *Log) readSnapshot(p *producers, offset, nowMs int64) error {
	b, err := l.place.readFile(l.place.snapshotPath(offset))
	if err != nil {
		return err
	}
	entries, err := decodeSnapshot(b)
	if err != nil {
		return err
	}
	expiration := l.settings.Load().ProducerExpirationMs
	for i := range entries {
		e := &entries[i]
		if e.expired(nowMs, expiration) {
			continue
		}
		p.byID[e.id] = e
		if e.transactionStart >= 0 {
			p.transactions.begin(openTransaction{first: e.transactionStart, producerID: e.id})
		}
	}
	p.end, p.lastSnapshot = offset, offset
	return nil
}
