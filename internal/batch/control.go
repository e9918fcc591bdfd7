package batch

import (
	"encoding/binary"
)

// ControlType is the kind of a control record, from its key.
type ControlType int16

// The kinds that Kafka has: markers that end transactions, and records of the metadata log about itself.
const (
	ControlAbort          ControlType = 0
	ControlCommit         ControlType = 1
	ControlLeaderChange   ControlType = 2
	ControlSnapshotHeader ControlType = 3
	ControlSnapshotFooter ControlType = 4
	ControlKRaftVersion   ControlType = 5
	ControlKRaftVoters    ControlType = 6
)

const (
	controlKeyVersion   = 0
	controlKeySize      = 4
	endTxnMarkerVersion = 0
	endTxnMarkerSize    = 6
)

// ControlRecord returns the record of a control batch; the value's schema depends on the type.
func ControlRecord(t ControlType, value []byte, timestamp int64) Record {
	key := binary.BigEndian.AppendUint16(make([]byte, 0, controlKeySize), controlKeyVersion)
	key = binary.BigEndian.AppendUint16(key, uint16(t))
	return Record{Timestamp: timestamp, Key: key, Value: value}
}

// ParseControlType reads the key of a control record. Types unknown here are returned as they are, to be skipped, and
// keys of a later version are read like the first.
func ParseControlType(key []byte) (ControlType, error) {
	if len(key) < controlKeySize {
		return 0, invalid("control record key of %d bytes", len(key))
	}
	if version := int16(binary.BigEndian.Uint16(key)); version < controlKeyVersion {
		return 0, invalid("control record key of version %d", version)
	}
	return ControlType(binary.BigEndian.Uint16(key[2:])), nil
}

// EndTxnMarker is the control record that ends a transaction in one partition.
type EndTxnMarker struct {
	Commit           bool
	CoordinatorEpoch int32 // fences markers of earlier coordinators
}

// BuildEndTxnMarker returns the control batch that ends the open transaction of a producer, at offset 0.
func BuildEndTxnMarker(producerID int64, producerEpoch int16, m EndTxnMarker, nowMs int64) []byte {
	t := ControlAbort
	if m.Commit {
		t = ControlCommit
	}
	value := binary.BigEndian.AppendUint16(make([]byte, 0, endTxnMarkerSize), endTxnMarkerVersion)
	value = binary.BigEndian.AppendUint32(value, uint32(m.CoordinatorEpoch))
	b := NewBuilder(BuilderOptions{
		LeaderEpoch:   NoLeaderEpoch,
		Producer:      &Producer{ID: producerID, Epoch: producerEpoch, BaseSequence: NoSequence},
		Transactional: true,
		Control:       true,
	})
	b.Append(ControlRecord(t, value, nowMs))
	return b.Build()
}

// ParseEndTxnMarker reads the record of a transaction marker; control records of other kinds are an error.
func ParseEndTxnMarker(r Record) (EndTxnMarker, error) {
	t, err := ParseControlType(r.Key)
	if err != nil {
		return EndTxnMarker{}, err
	}
	if t != ControlCommit && t != ControlAbort {
		return EndTxnMarker{}, invalid("control record of type %d ends no transaction", t)
	}
	if len(r.Value) < endTxnMarkerSize {
		return EndTxnMarker{}, invalid("transaction marker of %d bytes", len(r.Value))
	}
	if version := int16(binary.BigEndian.Uint16(r.Value)); version < endTxnMarkerVersion {
		return EndTxnMarker{}, invalid("transaction marker of version %d", version)
	}
	return EndTxnMarker{
		Commit:           t == ControlCommit,
		CoordinatorEpoch: int32(binary.BigEndian.Uint32(r.Value[2:])),
	}, nil
}
