package meta

import (
	"iter"
	"strings"

	"github.com/tidwall/btree"
)

// Image is the cluster's metadata after some prefix of the log. It never
// changes: Apply and Edit make a new one that shares what stayed the same, so
// any number of goroutines may hold and read any number of images. Nothing
// that an Image returns may be written to.
type Image struct {
	topics      tree[string, *Topic]
	topicNames  tree[string, string]   // by topic id, its bytes as a string
	alike       tree[string, []string] // topic names with '.' or '_', by unifiedName
	brokers     tree[int32, *Broker]
	controllers tree[int32, *Controller]
	configs     tree[string, *resourceConfigs] // by configKey
	quotas      tree[string, *ClientQuota]     // by quotaKey
	acls        tree[string, *AccessControlEntryRecord]
	scram       tree[string, *UserScramCredentialRecord]
	tokens      tree[string, *DelegationTokenRecord]

	features       map[string]int16 // without metadata.version; replaced, never written to
	level          int16            // metadata.version, 0 until it is said
	nextProducerID int64
	producerIDs    bool // a ProducerIDsRecord was seen
	zkMigration    *ZkMigrationStateRecord
	unknown        []*UnknownRecord // in the order of the log

	pending *transaction // between BeginTransaction and its end
}

// transaction is what a metadata transaction holds back until it ends.
type transaction struct {
	begin   *BeginTransactionRecord
	records []Record
}

// Topic is a topic and its partitions, which are numbered by their place.
type Topic struct {
	Name       string
	ID         ID
	Partitions []*Partition
}

// Partition is the state of one partition. What is empty may be nil.
type Partition struct {
	Replicas     []int32 // the preferred leader first
	ISR          []int32
	ELR          []int32 // eligible leader replicas (KIP-966)
	LastKnownELR []int32
	Adding       []int32 // being added by a reassignment
	Removing     []int32 // being removed by a reassignment
	Directories  []ID    // one a replica, in their order

	Leader         int32 // NoLeader when there is none
	LeaderEpoch    int32 // rises with each election
	PartitionEpoch int32 // rises with each change
	LeaderRecovery int8  // Recovered or Recovering
}

// Broker is a broker's registration.
type Broker struct {
	ID                   int32
	Epoch                int64 // new with each registration, higher than any before
	Incarnation          ID
	Listeners            []Endpoint
	Features             []SupportedFeature
	Rack                 *string
	Fenced               bool
	InControlledShutdown bool
	MigratingZk          bool
	LogDirs              []ID // the directories online; empty: not known
	CordonedLogDirs      []ID // nil: not known
}

// Controller is a controller's registration.
type Controller struct {
	ID               int32
	Incarnation      ID
	Listeners        []Endpoint
	Features         []SupportedFeature
	ZkMigrationReady bool
}

// ResourceType is the kind of thing that a config belongs to (KIP-226 and on).
type ResourceType = int8

// The resource types of configs.
const (
	ResourceTopic         ResourceType = 2
	ResourceBroker        ResourceType = 4
	ResourceBrokerLogger  ResourceType = 8
	ResourceClientMetrics ResourceType = 16
	ResourceGroup         ResourceType = 32
)

// ConfigResource names what configs belong to. The broker named "" stands for
// all brokers.
type ConfigResource struct {
	Type ResourceType
	Name string
}

type resourceConfigs struct {
	resource ConfigResource
	values   map[string]string
}

// ClientQuota is what is set for one quota entity. Values is never empty.
type ClientQuota struct {
	Entity []QuotaEntity // by rising EntityType
	Values map[string]float64
}

// Empty is the image of an empty log.
func Empty() *Image { return &Image{} }

// Topic finds a topic by its name.
func (im *Image) Topic(name string) (*Topic, bool) { return im.topics.get(name) }

// TopicByID finds a topic by its id.
func (im *Image) TopicByID(id ID) (*Topic, bool) {
	name, ok := im.topicNames.get(string(id[:]))
	if !ok {
		return nil, false
	}
	return im.topics.get(name)
}

// Topics are all topics by rising name.
func (im *Image) Topics() iter.Seq[*Topic] { return im.topics.values() }

// TopicsFrom are the topics from name on, by rising name.
func (im *Image) TopicsFrom(name string) iter.Seq[*Topic] { return im.topics.valuesFrom(name) }

// NumTopics counts the topics.
func (im *Image) NumTopics() int { return im.topics.len() }

// TopicsAlike are the topics whose names equal name but for '.' in place of '_'
// or the other way round, name itself among them if it exists. Metrics cannot
// tell them apart.
func (im *Image) TopicsAlike(name string) []string {
	names, _ := im.alike.get(unifiedName(name))
	return names
}

// unifiedName is the name with every '.' as '_'.
func unifiedName(name string) string { return strings.ReplaceAll(name, ".", "_") }

// Partition finds one partition of a topic.
func (im *Image) Partition(topic string, partition int32) (*Partition, bool) {
	t, ok := im.Topic(topic)
	if !ok || partition < 0 || int(partition) >= len(t.Partitions) {
		return nil, false
	}
	return t.Partitions[partition], true
}

// Broker finds a registered broker, fenced or not.
func (im *Image) Broker(id int32) (*Broker, bool) { return im.brokers.get(id) }

// Brokers are all registered brokers by rising id, fenced ones too.
func (im *Image) Brokers() iter.Seq[*Broker] { return im.brokers.values() }

// NumBrokers counts the registered brokers.
func (im *Image) NumBrokers() int { return im.brokers.len() }

// Controller finds a registered controller.
func (im *Image) Controller(id int32) (*Controller, bool) { return im.controllers.get(id) }

// Controllers are all registered controllers by rising id.
func (im *Image) Controllers() iter.Seq[*Controller] { return im.controllers.values() }

// Config is what is set for a resource, nil when nothing is. The caller must
// not write to the map.
func (im *Image) Config(resourceType ResourceType, name string) map[string]string {
	c, ok := im.configs.get(configKey(resourceType, name))
	if !ok {
		return nil
	}
	return c.values
}

// ConfigResources are the resources that have configs, by type and name.
func (im *Image) ConfigResources() iter.Seq2[ConfigResource, map[string]string] {
	return func(yield func(ConfigResource, map[string]string) bool) {
		for c := range im.configs.values() {
			if !yield(c.resource, c.values) {
				return
			}
		}
	}
}

// MetadataVersion is the finalized level of metadata.version, 0 before the
// first FeatureLevelRecord.
func (im *Image) MetadataVersion() int16 { return im.level }

// Feature is the finalized level of a feature, 0 when it is not finalized.
func (im *Image) Feature(name string) int16 {
	if name == FeatureMetadataVersion {
		return im.level
	}
	return im.features[name]
}

// Features are all finalized features with their levels, metadata.version
// among them. The map is the caller's.
func (im *Image) Features() map[string]int16 {
	all := make(map[string]int16, len(im.features)+1)
	for name, level := range im.features {
		all[name] = level
	}
	if im.level != 0 {
		all[FeatureMetadataVersion] = im.level
	}
	return all
}

// NextProducerID is the first producer id that no broker was given.
func (im *Image) NextProducerID() int64 { return im.nextProducerID }

// ACLs are all access control entries, by id.
func (im *Image) ACLs() iter.Seq[*AccessControlEntryRecord] { return im.acls.values() }

// ScramCredentials are all SCRAM credentials, by mechanism and user.
func (im *Image) ScramCredentials() iter.Seq[*UserScramCredentialRecord] { return im.scram.values() }

// ScramCredential finds a user's credential for a mechanism.
func (im *Image) ScramCredential(mechanism int8, user string) (*UserScramCredentialRecord, bool) {
	return im.scram.get(scramKey(mechanism, user))
}

// DelegationTokens are all delegation tokens, by token id.
func (im *Image) DelegationTokens() iter.Seq[*DelegationTokenRecord] { return im.tokens.values() }

// ClientQuotas are the quotas of all entities.
func (im *Image) ClientQuotas() iter.Seq[*ClientQuota] { return im.quotas.values() }

// UnknownRecords are the records of kinds that we do not know, as they came.
func (im *Image) UnknownRecords() []*UnknownRecord { return im.unknown }

// InTransaction says that a metadata transaction was begun and has not ended.
// Its records show in no other method until it has.
func (im *Image) InTransaction() bool { return im.pending != nil }

func configKey(t ResourceType, name string) string { return string([]byte{byte(t)}) + name }

func scramKey(mechanism int8, user string) string { return string([]byte{byte(mechanism)}) + user }

// tree is a persistent ordered map. A tree inside an Image is frozen: it is
// only read, and forked before it is changed.
type tree[K interface{ ~int32 | ~string }, V any] struct{ m *btree.Map[K, V] }

func (t tree[K, V]) get(key K) (V, bool) {
	if t.m == nil {
		var none V
		return none, false
	}
	return t.m.Get(key)
}

func (t tree[K, V]) len() int {
	if t.m == nil {
		return 0
	}
	return t.m.Len()
}

func (t tree[K, V]) values() iter.Seq[V] {
	return func(yield func(V) bool) {
		if t.m != nil {
			t.m.Scan(func(_ K, v V) bool { return yield(v) })
		}
	}
}

func (t tree[K, V]) valuesFrom(key K) iter.Seq[V] {
	return func(yield func(V) bool) {
		if t.m != nil {
			t.m.Ascend(key, func(_ K, v V) bool { return yield(v) })
		}
	}
}

// fork makes a tree that may be changed without changing t. btree's own Copy
// writes to the tree that it copies, which readers of other images would race
// with; so the header is copied first, and t is only read.
func (t tree[K, V]) fork() tree[K, V] {
	if t.m == nil {
		return tree[K, V]{m: btree.NewMap[K, V](0)}
	}
	header := *t.m
	return tree[K, V]{m: header.Copy()}
}
