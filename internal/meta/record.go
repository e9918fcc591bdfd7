package meta

import "fmt"

// Kind is the api key that names a record's type in the metadata log.
type Kind int16

// The kinds of Kafka's metadata log. The numbers are part of the format; 6, 13
// and 16 were given to records that no released Kafka wrote.
const (
	KindRegisterBroker            Kind = 0
	KindUnregisterBroker          Kind = 1
	KindTopic                     Kind = 2
	KindPartition                 Kind = 3
	KindConfig                    Kind = 4
	KindPartitionChange           Kind = 5
	KindFenceBroker               Kind = 7
	KindUnfenceBroker             Kind = 8
	KindRemoveTopic               Kind = 9
	KindDelegationToken           Kind = 10
	KindUserScramCredential       Kind = 11
	KindFeatureLevel              Kind = 12
	KindClientQuota               Kind = 14
	KindProducerIDs               Kind = 15
	KindBrokerRegistrationChange  Kind = 17
	KindAccessControlEntry        Kind = 18
	KindRemoveAccessControlEntry  Kind = 19
	KindNoOp                      Kind = 20
	KindZkMigrationState          Kind = 21
	KindRemoveUserScramCredential Kind = 22
	KindBeginTransaction          Kind = 23
	KindEndTransaction            Kind = 24
	KindAbortTransaction          Kind = 25
	KindRemoveDelegationToken     Kind = 26
	KindRegisterController        Kind = 27
	KindClearElr                  Kind = 28
	KindUnregisterController      Kind = 29
)

// String is Kafka's name of the record type.
func (k Kind) String() string {
	if s, ok := schemas[k]; ok {
		return s.name
	}
	return fmt.Sprintf("UnknownRecord(%d)", int16(k))
}

// Record is one record of the metadata log: a pointer to one of the structs of
// this package. A record that was handed on is never changed afterwards.
type Record interface {
	Kind() Kind
}

// ID is a topic's, directory's, incarnation's or access control entry's uuid.
type ID = [16]byte

// Directory ids with a meaning of their own. No real directory has them.
var (
	// DirectoryMigrating is the assignment of a replica written before
	// assignments existed (KIP-858).
	DirectoryMigrating = ID{}
	// DirectoryUnassigned is the assignment of a replica whose broker has
	// several directories and has not chosen yet.
	DirectoryUnassigned = ID{15: 1}
	// DirectoryLost is the assignment of a replica whose directory is offline.
	DirectoryLost = ID{15: 2}
)

// UnknownRecord is a record of a kind that this version does not know. It is
// kept byte for byte, in the image and in snapshots, so that passing through
// this node loses nothing.
type UnknownRecord struct {
	Type    Kind
	Version int16
	Body    []byte
}

// Kind is the api key as it was read.
func (r *UnknownRecord) Kind() Kind { return r.Type }

// UnknownTag is a tagged field that a newer writer knows and we do not.
type UnknownTag struct {
	Tag  uint32
	Data []byte
}

// UnknownTags are a struct's tagged fields that we do not know, by rising tag.
// They are written again as they were read.
type UnknownTags []UnknownTag
