package meta

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Delta says what differs between two images. Everything is sorted: topics by
// name, ids by rising number, configs by type and name.
type Delta struct {
	Old, New *Image

	Created []*Topic      // topics whose id is new, as they are now
	Deleted []*Topic      // topics whose id is gone, as they were
	Changed []TopicChange // topics that are in both and differ

	Brokers     []int32          // registered, changed or gone
	Controllers []int32          // registered, changed or gone
	Configs     []ConfigResource // set, changed or gone
	Features    []string         // finalized, changed or gone

	ACLs             bool
	ScramCredentials bool
	DelegationTokens bool
	ClientQuotas     bool
	ProducerIDs      bool
}

// TopicChange is a topic whose partitions changed. A topic that was deleted and
// created again under its name has another id: it is in Deleted and Created.
type TopicChange struct {
	Old, New   *Topic
	Partitions []int32 // new or changed
}

// Diff finds what differs by comparing the images, for when the records between
// them are not at hand, as after loading a snapshot. It visits every topic.
func Diff(old, now *Image) Delta {
	var t touched
	t.topics, t.brokers, t.controllers = map[ID]struct{}{}, map[int32]struct{}{}, map[int32]struct{}{}
	t.configs, t.features = map[ConfigResource]struct{}{}, map[string]struct{}{}
	for _, im := range []*Image{old, now} {
		for topic := range im.Topics() {
			if other, ok := otherThan(im, old, now).Topic(topic.Name); !ok || other != topic {
				t.topics[topic.ID] = struct{}{}
			}
		}
		for id := range im.Brokers() {
			t.brokers[id.ID] = struct{}{}
		}
		for c := range im.Controllers() {
			t.controllers[c.ID] = struct{}{}
		}
		for resource := range im.ConfigResources() {
			t.configs[resource] = struct{}{}
		}
		for name := range im.Features() {
			t.features[name] = struct{}{}
		}
	}
	t.acls = !sameTree(old.acls, now.acls)
	t.scram = !sameTree(old.scram, now.scram)
	t.tokens = !sameTree(old.tokens, now.tokens)
	t.quotas = !sameTree(old.quotas, now.quotas)
	t.nextID = old.nextProducerID != now.nextProducerID
	return t.delta(old, now)
}

func otherThan(im, a, b *Image) *Image {
	if im == a {
		return b
	}
	return a
}

// sameTree compares by identity: what was set anew counts as changed.
func sameTree[V comparable](a, b tree[string, V]) bool {
	if a.len() != b.len() {
		return false
	}
	if a.m == b.m || a.len() == 0 {
		return true
	}
	same := true
	a.m.Scan(func(key string, v V) bool {
		other, ok := b.m.Get(key)
		same = ok && other == v
		return same
	})
	return same
}

// delta keeps of what was touched only what differs.
func (t *touched) delta(old, now *Image) Delta {
	d := Delta{
		Old: old, New: now,
		ACLs: t.acls, ScramCredentials: t.scram, DelegationTokens: t.tokens,
		ClientQuotas: t.quotas, ProducerIDs: t.nextID,
	}
	for id := range t.topics {
		d.topic(id)
	}
	byName := func(a, b *Topic) int { return cmp.Compare(a.Name, b.Name) }
	slices.SortFunc(d.Created, byName)
	slices.SortFunc(d.Deleted, func(a, b *Topic) int {
		return cmp.Or(byName(a, b), bytes.Compare(a.ID[:], b.ID[:]))
	})
	slices.SortFunc(d.Changed, func(a, b TopicChange) int { return byName(a.New, b.New) })
	d.Brokers = changed(t.brokers, old.brokers, now.brokers)
	d.Controllers = changed(t.controllers, old.controllers, now.controllers)
	for resource := range t.configs {
		if !maps.Equal(old.Config(resource.Type, resource.Name), now.Config(resource.Type, resource.Name)) {
			d.Configs = append(d.Configs, resource)
		}
	}
	slices.SortFunc(d.Configs, func(a, b ConfigResource) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name))
	})
	for name := range t.features {
		if old.Feature(name) != now.Feature(name) {
			d.Features = append(d.Features, name)
		}
	}
	slices.Sort(d.Features)
	return d
}

func (d *Delta) topic(id ID) {
	was, existed := d.Old.TopicByID(id)
	is, exists := d.New.TopicByID(id)
	switch {
	case existed && !exists:
		d.Deleted = append(d.Deleted, was)
	case exists && !existed:
		d.Created = append(d.Created, is)
	case exists && was != is:
		c := TopicChange{Old: was, New: is}
		for i, p := range is.Partitions {
			if i >= len(was.Partitions) || was.Partitions[i] != p {
				c.Partitions = append(c.Partitions, int32(i))
			}
		}
		if len(c.Partitions) > 0 {
			d.Changed = append(d.Changed, c)
		}
	}
}

// changed are the ids whose values are not the same value, by rising id.
func changed[V comparable](ids map[int32]struct{}, old, now tree[int32, V]) []int32 {
	var out []int32
	for id := range ids {
		a, hadOne := old.get(id)
		b, hasOne := now.get(id)
		if hadOne != hasOne || a != b {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// Empty says that the images do not differ.
func (d *Delta) Empty() bool {
	return len(d.Created)+len(d.Deleted)+len(d.Changed)+len(d.Brokers)+len(d.Controllers)+
		len(d.Configs)+len(d.Features) == 0 &&
		!d.ACLs && !d.ScramCredentials && !d.DelegationTokens && !d.ClientQuotas && !d.ProducerIDs
}
