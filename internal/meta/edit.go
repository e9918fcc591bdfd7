package meta

import (
	"fmt"
	"maps"

	"github.com/tidwall/btree"
)

// Edit is an image in the making: records are replayed into it, and Image
// freezes it. It is for one goroutine. Replaying many records through one Edit
// costs much less than one Apply each, for a topic or a tree is copied once.
type Edit struct {
	base    *Image
	next    Image
	forked  forks
	topics  map[ID]*Topic // copies that only this edit has seen
	pending bool          // next.pending is a copy that only this edit has seen
	touched touched
	shared  shared
}

// forks says which trees of the next image are already this edit's own.
type forks struct {
	topics, topicNames, alike, brokers, controllers, configs, quotas, acls, scram, tokens bool
}

// touched is what the records so far may have changed.
type touched struct {
	topics                              map[ID]struct{}
	brokers, controllers                map[int32]struct{}
	configs                             map[ConfigResource]struct{}
	features                            map[string]struct{}
	acls, scram, tokens, quotas, nextID bool
}

// Edit begins a new image from im, which stays as it is.
func (im *Image) Edit() *Edit {
	return &Edit{base: im, next: *im}
}

// mark adds a key to a set, which is made when it is first needed: most edits
// are of one record.
func mark[K comparable](set *map[K]struct{}, key K) {
	if *set == nil {
		*set = make(map[K]struct{})
	}
	(*set)[key] = struct{}{}
}

// own says that the topic was made or copied by this edit.
func (e *Edit) own(t *Topic) {
	if e.topics == nil {
		e.topics = make(map[ID]*Topic)
	}
	e.topics[t.ID] = t
}

// Image is the image with everything replayed so far. The edit may go on: what
// it replays afterwards does not show in the image.
func (e *Edit) Image() *Image {
	im := e.next
	e.forked, e.pending = forks{}, false
	clear(e.topics)
	return &im
}

// Delta is what changed between the image that the edit began from and im,
// which Image gave last.
func (e *Edit) Delta(im *Image) Delta { return e.touched.delta(e.base, im) }

// Apply is the image after the records. An error says that a record does not
// fit what came before it: the log is broken, or written by something newer.
func (im *Image) Apply(records ...Record) (*Image, error) {
	e := im.Edit()
	for _, r := range records {
		if err := e.Replay(r); err != nil {
			return nil, err
		}
	}
	return e.Image(), nil
}

// Replay is Apply for records that this process decided: one that does not fit
// is a bug, and panics.
func (im *Image) Replay(records ...Record) *Image {
	next, err := im.Apply(records...)
	if err != nil {
		panic(fmt.Sprintf("meta: replaying an own record: %v", err))
	}
	return next
}

// mutable is the tree for changing, forked the first time.
func mutable[K interface{ ~int32 | ~string }, V any](t *tree[K, V], forked *bool) *btree.Map[K, V] {
	if !*forked {
		*t, *forked = t.fork(), true
	}
	return t.m
}

// Replay lets a record take effect. After an error the edit is of no use.
func (e *Edit) Replay(r Record) error {
	switch r := r.(type) {
	case *BeginTransactionRecord:
		if e.next.pending != nil {
			return fmt.Errorf("%s inside of a transaction", r.Kind())
		}
		e.next.pending, e.pending = &transaction{begin: r}, true
		return nil
	case *EndTransactionRecord:
		return e.endTransaction(r, true)
	case *AbortTransactionRecord:
		return e.endTransaction(r, false)
	}
	if e.next.pending == nil {
		return e.act(r)
	}
	if !e.pending {
		t := *e.next.pending
		t.records = append([]Record(nil), t.records...)
		e.next.pending, e.pending = &t, true
	}
	e.next.pending.records = append(e.next.pending.records, r)
	return nil
}

func (e *Edit) endTransaction(r Record, act bool) error {
	t := e.next.pending
	if t == nil {
		return fmt.Errorf("%s outside of a transaction", r.Kind())
	}
	e.next.pending, e.pending = nil, false
	if !act {
		return nil
	}
	for _, held := range t.records {
		if err := e.act(held); err != nil {
			return err
		}
	}
	return nil
}

// act lets a record take effect at once.
func (e *Edit) act(r Record) error {
	switch r := r.(type) {
	case *TopicRecord, *RemoveTopicRecord, *PartitionRecord, *PartitionChangeRecord, *ClearElrRecord:
		return e.actOnTopics(r)
	case *RegisterBrokerRecord, *UnregisterBrokerRecord, *FenceBrokerRecord, *UnfenceBrokerRecord,
		*BrokerRegistrationChangeRecord, *RegisterControllerRecord, *UnregisterControllerRecord:
		return e.actOnNodes(r)
	case *FeatureLevelRecord:
		return e.featureLevel(r)
	case *ConfigRecord:
		e.config(r)
	case *ProducerIDsRecord:
		e.next.nextProducerID, e.next.producerIDs = r.NextProducerID, true
		e.touched.nextID = true
	case *ZkMigrationStateRecord:
		e.next.zkMigration = r
	case *NoOpRecord:
	case *UnknownRecord:
		unknown := e.next.unknown
		e.next.unknown = append(unknown[:len(unknown):len(unknown)], r)
	default:
		return e.actOnSecurity(r)
	}
	return nil
}

func (e *Edit) featureLevel(r *FeatureLevelRecord) error {
	switch {
	case r.Name == FeatureKRaftVersion:
		return nil // some Kafka wrote these by mistake (KAFKA-18979)
	case r.Name == FeatureMetadataVersion:
		if r.FeatureLevel < MinMetadataVersion || r.FeatureLevel > LatestMetadataVersion {
			return fmt.Errorf("metadata.version is at level %d, and only %d to %d are known",
				r.FeatureLevel, MinMetadataVersion, LatestMetadataVersion)
		}
		e.next.level = r.FeatureLevel
	default:
		features := maps.Clone(e.next.features)
		if features == nil {
			features = make(map[string]int16)
		}
		if r.FeatureLevel == 0 {
			delete(features, r.Name)
		} else {
			features[r.Name] = r.FeatureLevel
		}
		e.next.features = features
	}
	mark(&e.touched.features, r.Name)
	return nil
}

func (e *Edit) config(r *ConfigRecord) {
	resource := ConfigResource{Type: r.ResourceType, Name: r.ResourceName}
	mark(&e.touched.configs, resource)
	values := maps.Clone(e.next.Config(resource.Type, resource.Name))
	if r.Value == nil {
		delete(values, r.Name)
	} else {
		if values == nil {
			values = make(map[string]string)
		}
		values[r.Name] = *r.Value
	}
	e.setConfigs(resource, values)
}

func (e *Edit) setConfigs(resource ConfigResource, values map[string]string) {
	configs := mutable(&e.next.configs, &e.forked.configs)
	key := configKey(resource.Type, resource.Name)
	if len(values) == 0 {
		configs.Delete(key)
		return
	}
	configs.Set(key, &resourceConfigs{resource: resource, values: values})
}
