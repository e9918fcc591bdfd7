package meta

import (
	"fmt"
	"slices"
	"strings"
)

// maxPartitionIndex bounds what a broken partition id can allocate.
const maxPartitionIndex = 1 << 20

// missing stands in a topic for a partition that no record has made yet, while
// those of higher numbers exist already. Snapshots of Kafka list the partitions
// of very large topics out of order.
var missing = &Partition{Leader: NoLeader, LeaderEpoch: -1, PartitionEpoch: -1}

// Exists says that a record made the partition. One that does not exist has no
// replicas and no leader.
func (p *Partition) Exists() bool { return len(p.Replicas) > 0 }

func (e *Edit) actOnTopics(r Record) error {
	switch r := r.(type) {
	case *TopicRecord:
		return e.createTopic(r)
	case *RemoveTopicRecord:
		return e.removeTopic(r)
	case *PartitionRecord:
		return e.setPartition(r)
	case *PartitionChangeRecord:
		return e.changePartition(r)
	case *ClearElrRecord:
		return e.clearElr(r)
	}
	panic(fmt.Sprintf("meta: %T is not about topics", r))
}

func (e *Edit) createTopic(r *TopicRecord) error {
	if t, ok := e.next.Topic(r.Name); ok {
		return fmt.Errorf("%s for topic %q, which exists with id %s", r.Kind(), r.Name, FormatID(t.ID))
	}
	if t, ok := e.next.TopicByID(r.TopicID); ok {
		return fmt.Errorf("%s for topic %q with the id of topic %q", r.Kind(), r.Name, t.Name)
	}
	t := &Topic{Name: r.Name, ID: r.TopicID}
	e.own(t)
	mark(&e.touched.topics, t.ID)
	mutable(&e.next.topics, &e.forked.topics).Set(t.Name, t)
	mutable(&e.next.topicNames, &e.forked.topicNames).Set(string(t.ID[:]), t.Name)
	if names := e.next.TopicsAlike(t.Name); strings.ContainsAny(t.Name, "._") {
		names = append(names[:len(names):len(names)], t.Name)
		mutable(&e.next.alike, &e.forked.alike).Set(unifiedName(t.Name), names)
	}
	return nil
}

func (e *Edit) removeTopic(r *RemoveTopicRecord) error {
	t, ok := e.next.TopicByID(r.TopicID)
	if !ok {
		return fmt.Errorf("%s for the unknown topic id %s", r.Kind(), FormatID(r.TopicID))
	}
	delete(e.topics, t.ID)
	mark(&e.touched.topics, t.ID)
	mutable(&e.next.topics, &e.forked.topics).Delete(t.Name)
	mutable(&e.next.topicNames, &e.forked.topicNames).Delete(string(t.ID[:]))
	e.forgetAlike(t.Name)
	resource := ConfigResource{Type: ResourceTopic, Name: t.Name}
	if e.next.Config(resource.Type, resource.Name) != nil {
		mark(&e.touched.configs, resource)
		e.setConfigs(resource, nil)
	}
	return nil
}

func (e *Edit) forgetAlike(name string) {
	names := e.next.TopicsAlike(name)
	i := slices.Index(names, name)
	if i < 0 {
		return
	}
	alike := mutable(&e.next.alike, &e.forked.alike)
	if len(names) == 1 {
		alike.Delete(unifiedName(name))
		return
	}
	alike.Set(unifiedName(name), slices.Concat(names[:i], names[i+1:]))
}

// ownTopic is the topic in a copy that this edit may write to.
func (e *Edit) ownTopic(r Record, id ID) (*Topic, error) {
	if t, ok := e.topics[id]; ok {
		return t, nil
	}
	shared, ok := e.next.TopicByID(id)
	if !ok {
		return nil, fmt.Errorf("%s for the unknown topic id %s", r.Kind(), FormatID(id))
	}
	t := &Topic{Name: shared.Name, ID: shared.ID, Partitions: slices.Clone(shared.Partitions)}
	e.own(t)
	mark(&e.touched.topics, id)
	mutable(&e.next.topics, &e.forked.topics).Set(t.Name, t)
	return t, nil
}

func (e *Edit) setPartition(r *PartitionRecord) error {
	t, err := e.ownTopic(r, r.TopicID)
	if err != nil {
		return err
	}
	p := &Partition{
		Replicas: e.shared.brokers(r.Replicas), ISR: e.shared.brokers(r.ISR),
		Adding: r.AddingReplicas, Removing: r.RemovingReplicas,
		ELR: r.EligibleLeaderReplicas, LastKnownELR: r.LastKnownELR,
		Leader: r.Leader, LeaderEpoch: r.LeaderEpoch, PartitionEpoch: r.PartitionEpoch,
		LeaderRecovery: r.LeaderRecoveryState,
	}
	p.Directories, err = directories(r.Directories, len(p.Replicas))
	switch {
	case err != nil:
	case r.PartitionID < 0 || r.PartitionID > maxPartitionIndex:
		err = fmt.Errorf("no partition can have this number")
	case len(p.Replicas) == 0:
		err = fmt.Errorf("there are no replicas")
	case p.LeaderRecovery != Recovered && p.LeaderRecovery != Recovering:
		err = fmt.Errorf("leader recovery state %d", p.LeaderRecovery)
	}
	if err != nil {
		return fmt.Errorf("%s for partition %s-%d: %w", r.Kind(), t.Name, r.PartitionID, err)
	}
	p.Directories = e.shared.directories(p.Directories)
	for len(t.Partitions) <= int(r.PartitionID) {
		t.Partitions = append(t.Partitions, missing)
	}
	t.Partitions[r.PartitionID] = p
	return nil
}

func (e *Edit) changePartition(r *PartitionChangeRecord) error {
	t, err := e.ownTopic(r, r.TopicID)
	if err != nil {
		return err
	}
	if r.PartitionID < 0 || int(r.PartitionID) >= len(t.Partitions) || !t.Partitions[r.PartitionID].Exists() {
		return fmt.Errorf("%s for partition %s-%d, which does not exist", r.Kind(), t.Name, r.PartitionID)
	}
	p, err := t.Partitions[r.PartitionID].Merge(r)
	if err != nil {
		return fmt.Errorf("%s for partition %s-%d: %w", r.Kind(), t.Name, r.PartitionID, err)
	}
	p.Replicas, p.ISR, p.ELR = e.shared.brokers(p.Replicas), e.shared.brokers(p.ISR), e.shared.brokers(p.ELR)
	p.Directories = e.shared.directories(p.Directories)
	t.Partitions[r.PartitionID] = p
	return nil
}

// Merge is p with the change. Naming a leader, even the same one, begins a new
// leader epoch.
func (p *Partition) Merge(r *PartitionChangeRecord) (*Partition, error) {
	next := *p
	next.PartitionEpoch++
	replace(&next.Replicas, r.Replicas)
	replace(&next.ISR, r.ISR)
	replace(&next.Adding, r.AddingReplicas)
	replace(&next.Removing, r.RemovingReplicas)
	replace(&next.ELR, r.EligibleLeaderReplicas)
	replace(&next.LastKnownELR, r.LastKnownELR)
	if r.Leader != NoLeaderChange {
		next.Leader = r.Leader
		next.LeaderEpoch++
	}
	switch r.LeaderRecoveryState {
	case RecoveryUnchanged:
	case Recovered, Recovering:
		next.LeaderRecovery = r.LeaderRecoveryState
	default:
		return nil, fmt.Errorf("leader recovery state %d", r.LeaderRecoveryState)
	}
	if len(next.Replicas) == 0 {
		return nil, fmt.Errorf("no replicas are left")
	}
	given := r.Directories
	if given == nil {
		given = p.Directories
	}
	var err error
	next.Directories, err = directories(given, len(next.Replicas))
	return &next, err
}

func replace(have *[]int32, change []int32) {
	if change != nil {
		*have = change
	}
}

// directories are the ids given, or the migrating id once a replica when none
// was ever assigned.
func directories(given []ID, replicas int) ([]ID, error) {
	for _, id := range given {
		if id == DirectoryMigrating {
			continue
		}
		if len(given) != replicas {
			return nil, fmt.Errorf("%d directories for %d replicas", len(given), replicas)
		}
		return given, nil
	}
	return make([]ID, replicas), nil
}

func (e *Edit) clearElr(r *ClearElrRecord) error {
	if r.TopicName != "" {
		t, ok := e.next.Topic(r.TopicName)
		if !ok {
			return fmt.Errorf("%s for the unknown topic %q", r.Kind(), r.TopicName)
		}
		return e.clearTopicElr(r, t)
	}
	for _, t := range slices.Collect(e.next.Topics()) {
		if err := e.clearTopicElr(r, t); err != nil {
			return err
		}
	}
	return nil
}

func (e *Edit) clearTopicElr(r Record, t *Topic) error {
	for i, p := range t.Partitions {
		if len(p.ELR) == 0 && len(p.LastKnownELR) == 0 {
			continue
		}
		own, err := e.ownTopic(r, t.ID)
		if err != nil {
			return err
		}
		cleared := *p
		cleared.ELR, cleared.LastKnownELR = nil, nil
		cleared.PartitionEpoch++
		own.Partitions[i] = &cleared
	}
	return nil
}
