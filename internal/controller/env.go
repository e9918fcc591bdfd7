package controller

import (
	"time"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// Env is everything that a decision takes from outside of the state. Functions
// in it must be pure but for NewID.
type Env struct {
	Now time.Time
	// NewID makes a random uuid for a topic. It must never repeat one.
	NewID func() meta.ID
	// Seed decides the placement of replicas where several are as good.
	Seed uint64
	// NextOffset is where the next record will lie in the metadata log, or a
	// little before. Broker epochs come from it, and are above all earlier ones
	// even where it does not rise.
	NextOffset int64

	// NodeID is the controller's.
	NodeID int32
	// KRaftVersion is the quorum's level of kraft.version.
	KRaftVersion int16
	// ClusterID is the cluster's; registrations must name it.
	ClusterID string
	// BrokerID is the broker that took the request from a client, which alone
	// may alter its configs through itself. Negative: not checked.
	BrokerID int32
	// Incarnation is this process's. A broker that registers with it is this very
	// process, so the one before it under its id is gone, however lately it was
	// heard of.
	Incarnation meta.ID
	// SessionTimeout is how long a silent broker stays unfenced.
	SessionTimeout time.Duration

	// DefaultPartitions is num.partitions.
	DefaultPartitions int32
	// DefaultReplicationFactor is default.replication.factor.
	DefaultReplicationFactor int16
	// MinInsyncReplicas is the controller's static min.insync.replicas.
	MinInsyncReplicas int32
	// UncleanLeaderElection is the static unclean.leader.election.enable.
	UncleanLeaderElection bool
	// DeleteTopicDisabled is the contrary of delete.topic.enable.
	DeleteTopicDisabled bool

	// CheckTopicConfig says why a topic config is not acceptable. nil accepts all.
	CheckTopicConfig func(name, value string) error
	// CheckConfigs, unless nil, judges all configs that a resource would have
	// together. Topics pass CheckTopicConfig first.
	CheckConfigs func(resource meta.ConfigResource, values map[string]string) error
	// ListConfig says whether a config is a list, to which values can be appended
	// and from which they can be subtracted, and its value when it is not set.
	ListConfig func(resourceType meta.ResourceType, name string) (value string, isList bool)
	// TopicConfigs are all configs of a topic with these overrides, for the answer
	// to CreateTopics. nil: none are told.
	TopicConfigs func(im *meta.Image, overrides map[string]string) []TopicConfig

	// Features are the levels that this node supports, metadata.version apart.
	// What is not listed is not supported.
	Features []FeatureRange
	// Finalize are the features that a newly born cluster begins with, beside
	// metadata.version.
	Finalize map[string]int16
	// MetadataVersion is what a newly born cluster begins with; 0: the latest.
	MetadataVersion int16
}

// TopicConfig is one line of the configs in an answer to CreateTopics.
type TopicConfig struct {
	Name      string
	Value     *string // nil when sensitive, or when there is none
	ReadOnly  bool
	Source    int8 // as in DescribeConfigs
	Sensitive bool
}

// FeatureRange is a feature with the levels that are supported.
type FeatureRange struct {
	Name     string
	Min, Max int16
}
