package meta

import (
	"encoding/binary"
	"fmt"
	"reflect"
)

// ControlType names a control record, as the key of the record in a control
// batch does. 0 and 1 are the transaction markers, which data logs have too.
type ControlType int16

// The control records of a metadata log.
const (
	ControlLeaderChange   ControlType = 2
	ControlSnapshotHeader ControlType = 3
	ControlSnapshotFooter ControlType = 4
	ControlKRaftVersion   ControlType = 5
	ControlKRaftVoters    ControlType = 6
)

// ControlRecord is a record of a metadata log's control batches: what the
// consensus itself writes. Each begins with a version of its own, which Kafka
// sets to 0 (LeaderChange: 1 where directory ids are known) and nobody reads.
type ControlRecord interface {
	ControlType() ControlType
}

// LeaderChangeMessage is the first record of a leader's epoch.
type LeaderChangeMessage struct {
	Version        int16         `kafka:"0+"`
	LeaderID       int32         `kafka:"0+"`
	Voters         []LeaderVoter `kafka:"0+"`
	GrantingVoters []LeaderVoter `kafka:"0+"`

	UnknownTags
}

// LeaderVoter is a voter of a leader's election.
type LeaderVoter struct {
	VoterID          int32 `kafka:"0+"`
	VoterDirectoryID ID    `kafka:"1+"`

	UnknownTags
}

// SnapshotHeaderRecord is the first record of a snapshot.
type SnapshotHeaderRecord struct {
	Version                   int16 `kafka:"0+"`
	LastContainedLogTimestamp int64 `kafka:"0+"`

	UnknownTags
}

// SnapshotFooterRecord is the last record of a snapshot: without it the
// snapshot is not whole.
type SnapshotFooterRecord struct {
	Version int16 `kafka:"0+"`

	UnknownTags
}

// KRaftVersionRecord says the level of the feature kraft.version (KIP-853).
type KRaftVersionRecord struct {
	Version      int16 `kafka:"0+"`
	KRaftVersion int16 `kafka:"0+"`

	UnknownTags
}

// VotersRecord says who votes, and where they are reached (KIP-853).
type VotersRecord struct {
	Version int16   `kafka:"0+"`
	Voters  []Voter `kafka:"0+"`

	UnknownTags
}

// Voter is one voter of a VotersRecord.
type Voter struct {
	VoterID             int32             `kafka:"0+"`
	VoterDirectoryID    ID                `kafka:"0+"`
	Endpoints           []VoterEndpoint   `kafka:"0+"`
	KRaftVersionFeature KRaftVersionRange `kafka:"0+"`

	UnknownTags
}

// VoterEndpoint is where a voter listens.
type VoterEndpoint struct {
	Name string `kafka:"0+"`
	Host string `kafka:"0+"`
	Port uint16 `kafka:"0+"`

	UnknownTags
}

// KRaftVersionRange is the range of kraft.version that a voter supports.
type KRaftVersionRange struct {
	MinSupportedVersion int16 `kafka:"0+"`
	MaxSupportedVersion int16 `kafka:"0+"`

	UnknownTags
}

// ControlType names the record.
func (*LeaderChangeMessage) ControlType() ControlType  { return ControlLeaderChange }
func (*SnapshotHeaderRecord) ControlType() ControlType { return ControlSnapshotHeader }
func (*SnapshotFooterRecord) ControlType() ControlType { return ControlSnapshotFooter }
func (*KRaftVersionRecord) ControlType() ControlType   { return ControlKRaftVersion }
func (*VotersRecord) ControlType() ControlType         { return ControlKRaftVoters }

type controlSchema struct {
	name string
	make func() ControlRecord
}

var controlSchemas = map[ControlType]controlSchema{
	ControlLeaderChange:   {"LeaderChangeMessage", func() ControlRecord { return new(LeaderChangeMessage) }},
	ControlSnapshotHeader: {"SnapshotHeaderRecord", func() ControlRecord { return new(SnapshotHeaderRecord) }},
	ControlSnapshotFooter: {"SnapshotFooterRecord", func() ControlRecord { return new(SnapshotFooterRecord) }},
	ControlKRaftVersion:   {"KRaftVersionRecord", func() ControlRecord { return new(KRaftVersionRecord) }},
	ControlKRaftVoters:    {"VotersRecord", func() ControlRecord { return new(VotersRecord) }},
}

// controlVersion is the wire version of every control record. Kafka 4.4 writes
// LeaderChangeMessage as 0 too, without the directory ids of its version 1.
const controlVersion = 0

const controlKeySize = 4

// EncodeControl is the key and the value of r in a control batch. Directory ids
// of a LeaderChangeMessage are not written, as in Kafka.
func EncodeControl(r ControlRecord) (key, value []byte) {
	key = binary.BigEndian.AppendUint16(nil, 0)
	key = binary.BigEndian.AppendUint16(key, uint16(r.ControlType()))
	e := encoder{version: controlVersion}
	e.object(reflect.ValueOf(withoutDirectories(r)).Elem())
	if e.err != nil {
		panic(fmt.Sprintf("meta: control record %+v: %v", r, e.err))
	}
	return key, e.buf
}

func withoutDirectories(r ControlRecord) ControlRecord {
	m, ok := r.(*LeaderChangeMessage)
	if !ok {
		return r
	}
	c := *m
	c.Voters, c.GrantingVoters = stripped(m.Voters), stripped(m.GrantingVoters)
	return &c
}

func stripped(voters []LeaderVoter) []LeaderVoter {
	out := append([]LeaderVoter(nil), voters...)
	for i := range out {
		out[i].VoterDirectoryID = ID{}
	}
	return out
}

// DecodeControl reads a control record of a metadata log. A type that is not
// known is (nil, nil): readers pass over it.
func DecodeControl(key, value []byte) (ControlRecord, error) {
	if len(key) < controlKeySize {
		return nil, fmt.Errorf("%w: control record key of %d bytes", ErrMalformed, len(key))
	}
	s, known := controlSchemas[ControlType(binary.BigEndian.Uint16(key[2:]))]
	if !known {
		return nil, nil
	}
	r := s.make()
	d := decoder{rest: value, version: controlVersion}
	d.whole(reflect.ValueOf(r).Elem())
	if d.err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrMalformed, s.name, d.err)
	}
	return r, nil
}
