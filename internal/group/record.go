package group

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Record is one record of __consumer_offsets: OffsetRecord, GroupRecord, KindRecord or MarkerRecord.
type Record interface{ isRecord() }

// OffsetRecord is a committed offset, or the tombstone of one where Offset is nil.
type OffsetRecord struct {
	Group, Topic string
	Partition    int32
	Offset       *Offset
	// ProducerID is the transaction that the offset waits for, or NoProducer.
	ProducerID int64
}

// GroupRecord is a classic group as its last generation left it, or its tombstone where Value is nil.
type GroupRecord struct {
	Group string
	Value *kmsg.GroupMetadataValue
}

// KindRecord says that a group is of a newer kind, or is no longer. It is only ever read.
type KindRecord struct {
	Group string
	Kind  Kind
	Live  bool
}

// MarkerRecord ends a transaction: its offsets count, or never were.
type MarkerRecord struct {
	ProducerID int64
	Committed  bool
}

func (OffsetRecord) isRecord() {}
func (GroupRecord) isRecord()  {}
func (KindRecord) isRecord()   {}
func (MarkerRecord) isRecord() {}

// NoProducer stands where no transaction is.
const NoProducer = -1

// Kind is the protocol that a group's members speak.
type Kind uint8

// The kinds of groups, with Kafka's names.
const (
	Classic Kind = iota
	Consumer
	Share
	Streams
)

func (k Kind) String() string {
	return [...]string{"Classic", "Consumer", "Share", "Streams"}[k]
}

// The first two bytes of a key say what the record is.
const (
	keyLegacyOffset    = 0
	keyOffset          = 1
	keyGroup           = 2
	keyConsumerGroup   = 3
	keyShareGroup      = 11
	keyStreamsGroup    = 17
	lastKnownKey       = 23
	offsetValueVersion = 4 // as Kafka 4.4 writes it: the topic id is a tagged field
	expiringVersion    = 1 // the one version with an expiry time, for clients that set a retention
	groupValueVersion  = 3
	lastOffsetVersion  = 4
	lastGroupVersion   = 4
)

var (
	// ErrUnknownKind is what Decode answers for a key of a kind that this version does not know. The record stays in
	// the log; whoever loads skips it.
	ErrUnknownKind = errors.New("unknown kind of record")
	errFormat      = errors.New("malformed record")
)

// Decode reads a record. A nil Record without an error is one of a known kind that says nothing to this package.
func Decode(key, value []byte, producerID int64) (Record, error) {
	if len(key) < 2 {
		return nil, fmt.Errorf("key of %d bytes: %w", len(key), errFormat)
	}
	switch kind := int16(binary.BigEndian.Uint16(key)); {
	case kind == keyLegacyOffset || kind == keyOffset:
		return decodeOffset(key, value, producerID)
	case kind == keyGroup:
		return decodeGroup(key, value)
	case kind == keyConsumerGroup:
		return decodeKind(key, value, Consumer)
	case kind == keyShareGroup:
		return decodeKind(key, value, Share)
	case kind == keyStreamsGroup:
		return decodeKind(key, value, Streams)
	case kind > keyGroup && kind <= lastKnownKey:
		return nil, nil
	default:
		return nil, fmt.Errorf("key version %d: %w", kind, ErrUnknownKind)
	}
}

func decodeOffset(key, value []byte, producerID int64) (Record, error) {
	var k kmsg.OffsetCommitKey
	if err := k.ReadFrom(key); err != nil {
		return nil, fmt.Errorf("offset key: %w", err)
	}
	r := OffsetRecord{Group: k.Group, Topic: k.Topic, Partition: k.Partition, ProducerID: producerID}
	if value == nil {
		return r, nil
	}
	version, err := valueVersion(value, lastOffsetVersion)
	if err != nil {
		return nil, fmt.Errorf("offset of group %q: %w", k.Group, err)
	}
	var v kmsg.OffsetCommitValue
	if err := v.ReadFrom(value); err != nil {
		return nil, fmt.Errorf("offset of group %q: %w", k.Group, err)
	}
	r.Offset = &Offset{
		Group: k.Group, Topic: k.Topic, Partition: k.Partition,
		Offset: v.Offset, LeaderEpoch: v.LeaderEpoch, Metadata: v.Metadata, TopicID: v.TopicID,
		CommittedAt: v.CommitTimestamp, ExpiresAt: v.ExpireTimestamp,
	}
	if version < 3 {
		r.Offset.LeaderEpoch = -1
	}
	if version != expiringVersion {
		r.Offset.ExpiresAt = -1
	}
	return r, nil
}

func decodeGroup(key, value []byte) (Record, error) {
	var k kmsg.GroupMetadataKey
	if err := k.ReadFrom(key); err != nil {
		return nil, fmt.Errorf("group key: %w", err)
	}
	if value == nil {
		return GroupRecord{Group: k.Group}, nil
	}
	version, err := valueVersion(value, lastGroupVersion)
	if err != nil {
		return nil, fmt.Errorf("group %q: %w", k.Group, err)
	}
	v := new(kmsg.GroupMetadataValue)
	if err := v.ReadFrom(value); err != nil {
		return nil, fmt.Errorf("group %q: %w", k.Group, err)
	}
	if version < 2 {
		v.CurrentStateTimestamp = -1
	}
	for i := range v.Members {
		m := &v.Members[i]
		// The bytes lie in the buffer that the log was read into.
		m.Subscription, m.Assignment = clone(m.Subscription), clone(m.Assignment)
		if version < 1 || m.RebalanceTimeoutMillis == -1 {
			m.RebalanceTimeoutMillis = m.SessionTimeoutMillis
		}
	}
	return GroupRecord{Group: k.Group, Value: v}, nil
}

func decodeKind(key, value []byte, kind Kind) (Record, error) {
	rest := key[2:]
	if len(rest) < 2 {
		return nil, fmt.Errorf("%s group key: %w", kind, errFormat)
	}
	n := int(binary.BigEndian.Uint16(rest))
	if rest = rest[2:]; n > len(rest) {
		return nil, fmt.Errorf("%s group key: %w", kind, errFormat)
	}
	return KindRecord{Group: string(rest[:n]), Kind: kind, Live: value != nil}, nil
}

func valueVersion(value []byte, last int16) (int16, error) {
	if len(value) < 2 {
		return 0, fmt.Errorf("value of %d bytes: %w", len(value), errFormat)
	}
	version := int16(binary.BigEndian.Uint16(value))
	if version < 0 || version > last {
		return 0, fmt.Errorf("value version %d: %w", version, errFormat)
	}
	return version, nil
}

// Encode gives the key and value of a record as Kafka 4.4 writes them; a nil value is a tombstone. Only offsets and
// groups are ever written here.
func Encode(r Record) (key, value []byte) {
	switch r := r.(type) {
	case OffsetRecord:
		k := kmsg.OffsetCommitKey{Version: keyOffset, Group: r.Group, Topic: r.Topic, Partition: r.Partition}
		if r.Offset == nil {
			return k.AppendTo(nil), nil
		}
		v := kmsg.OffsetCommitValue{
			Version: offsetValueVersion, Offset: r.Offset.Offset, LeaderEpoch: r.Offset.LeaderEpoch,
			Metadata: r.Offset.Metadata, CommitTimestamp: r.Offset.CommittedAt, TopicID: r.Offset.TopicID,
		}
		if r.Offset.ExpiresAt != -1 {
			v.Version, v.ExpireTimestamp = expiringVersion, r.Offset.ExpiresAt
		}
		return k.AppendTo(nil), v.AppendTo(nil)
	case GroupRecord:
		k := kmsg.GroupMetadataKey{Version: keyGroup, Group: r.Group}
		if r.Value == nil {
			return k.AppendTo(nil), nil
		}
		v := *r.Value
		v.Version = groupValueVersion
		return k.AppendTo(nil), v.AppendTo(nil)
	default:
		panic(fmt.Sprintf("a %T is never written by this package", r))
	}
}

// recordOverhead is at least what the framing of a record takes beside its key and value.
const recordOverhead = 32

// Size is what the change takes in the log, at most.
func (c Change) Size() int {
	size := 0
	for _, r := range c {
		size += recordSize(r)
	}
	return size
}

func recordSize(r Record) int {
	switch r := r.(type) {
	case OffsetRecord:
		size := recordOverhead + 16 + len(r.Group) + len(r.Topic)
		if r.Offset != nil {
			size += 64 + len(r.Offset.Metadata)
		}
		return size
	case GroupRecord:
		size := recordOverhead + 16 + len(r.Group)
		if v := r.Value; v != nil {
			size += 64 + len(v.ProtocolType) + len(text(v.Protocol)) + len(text(v.Leader))
			for i := range v.Members {
				m := &v.Members[i]
				size += 32 + len(m.MemberID) + len(text(m.InstanceID)) + len(m.ClientID) + len(m.ClientHost) +
					len(m.Subscription) + len(m.Assignment)
			}
		}
		return size
	default:
		return recordOverhead
	}
}

func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// orNull is the pointer that the protocol wants for a text that may be missing.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
