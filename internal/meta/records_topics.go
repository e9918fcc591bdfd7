package meta

// Leader values with a meaning of their own.
const (
	NoLeader       int32 = -1 // the partition has no leader
	NoLeaderChange int32 = -2 // in a PartitionChangeRecord: the leader stays
)

// Leader recovery states (KIP-704). A PartitionChangeRecord says
// RecoveryUnchanged to leave the state as it is.
const (
	RecoveryUnchanged int8 = -1
	Recovered         int8 = 0 // elected from the in-sync set, or recovered since
	Recovering        int8 = 1 // elected uncleanly and not yet recovered
)

// TopicRecord creates a topic without partitions.
type TopicRecord struct {
	Name    string `kafka:"0+"`
	TopicID ID     `kafka:"0+"`

	UnknownTags
}

// RemoveTopicRecord deletes a topic, its partitions and its configs.
type RemoveTopicRecord struct {
	TopicID ID `kafka:"0+"`

	UnknownTags
}

// PartitionRecord creates a partition, or says the whole of it in a snapshot.
// Version 1 adds directories (KIP-858), 2 eligible leader replicas (KIP-966).
type PartitionRecord struct {
	PartitionID            int32   `kafka:"0+"`
	TopicID                ID      `kafka:"0+"`
	Replicas               []int32 `kafka:"0+"`
	ISR                    []int32 `kafka:"0+"`
	RemovingReplicas       []int32 `kafka:"0+"`
	AddingReplicas         []int32 `kafka:"0+"`
	Leader                 int32   `kafka:"0+"`
	LeaderRecoveryState    int8    `kafka:"0+,tag=0"`
	LeaderEpoch            int32   `kafka:"0+"`
	PartitionEpoch         int32   `kafka:"0+"`
	Directories            []ID    `kafka:"1+"` // one a replica, in their order
	EligibleLeaderReplicas []int32 `kafka:"2+,nullable 2+,tag=1"`
	LastKnownELR           []int32 `kafka:"2+,nullable 2+,tag=2"`

	UnknownTags
}

// PartitionChangeRecord changes parts of a partition: what is null (or
// NoLeaderChange, or RecoveryUnchanged) stays. Make it with NewPartitionChange,
// for the zero value elects broker 0.
type PartitionChangeRecord struct {
	PartitionID            int32   `kafka:"0+"`
	TopicID                ID      `kafka:"0+"`
	ISR                    []int32 `kafka:"0+,nullable 0+,tag=0"`
	Leader                 int32   `kafka:"0+,tag=1,default=-2"`
	Replicas               []int32 `kafka:"0+,nullable 0+,tag=2"`
	RemovingReplicas       []int32 `kafka:"0+,nullable 0+,tag=3"`
	AddingReplicas         []int32 `kafka:"0+,nullable 0+,tag=4"`
	LeaderRecoveryState    int8    `kafka:"0+,tag=5,default=-1"`
	EligibleLeaderReplicas []int32 `kafka:"2+,nullable 2+,tag=6"`
	LastKnownELR           []int32 `kafka:"2+,nullable 2+,tag=7"`
	Directories            []ID    `kafka:"1+,nullable 1+,tag=8"`

	UnknownTags
}

// NewPartitionChange is a change of the partition that changes nothing yet.
func NewPartitionChange(topicID ID, partition int32) *PartitionChangeRecord {
	return &PartitionChangeRecord{
		PartitionID: partition, TopicID: topicID,
		Leader: NoLeaderChange, LeaderRecoveryState: RecoveryUnchanged,
	}
}

// ClearElrRecord empties the eligible leader replicas of one topic, or of all
// when the name is empty (KIP-966).
type ClearElrRecord struct {
	TopicName string `kafka:"0+"`

	UnknownTags
}

// ConfigRecord sets one config of a resource; a null value takes it away.
type ConfigRecord struct {
	ResourceType int8    `kafka:"0+"`
	ResourceName string  `kafka:"0+"`
	Name         string  `kafka:"0+"`
	Value        *string `kafka:"0+,nullable 0+"`

	UnknownTags
}

// Kind names the record's type.
func (*TopicRecord) Kind() Kind           { return KindTopic }
func (*RemoveTopicRecord) Kind() Kind     { return KindRemoveTopic }
func (*PartitionRecord) Kind() Kind       { return KindPartition }
func (*PartitionChangeRecord) Kind() Kind { return KindPartitionChange }
func (*ClearElrRecord) Kind() Kind        { return KindClearElr }
func (*ConfigRecord) Kind() Kind          { return KindConfig }
