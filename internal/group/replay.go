package group

import "github.com/twmb/franz-go/pkg/kmsg"

// replay applies one record. While the shard is live, what the record does not carry stays: members that are joining,
// parked requests, timers.
func (e *edit) replay(r Record) {
	switch r := r.(type) {
	case OffsetRecord:
		e.replayOffset(r)
	case GroupRecord:
		e.replayGroup(r)
	case KindRecord:
		e.replayKind(r)
	case MarkerRecord:
		e.replayMarker(r)
	}
}

func (e *edit) replayOffset(r OffsetRecord) {
	e.shard.sequence++
	if r.Offset == nil {
		e.forgetOffset(r.Group, r.Topic, r.Partition)
		return
	}
	e.ensureSimple(r.Group)
	o := *r.Offset
	o.sequence = e.shard.sequence
	if r.ProducerID == NoProducer {
		e.setOffset(&o)
		return
	}
	byProducer, byPartition := e.pendings()
	byProducer.Set(pendingOffset{&o, r.ProducerID})
	byPartition.Set(pendingOffset{&o, r.ProducerID})
}

// setOffset keeps the names of the offset that it replaces, so that a group's names are in memory once and not once a
// commit.
func (e *edit) setOffset(o *Offset) {
	if old := e.shard.offset(o.Group, o.Topic, o.Partition); old != nil {
		o.Group, o.Topic = old.Group, old.Topic
		if o.Metadata == old.Metadata {
			o.Metadata = old.Metadata
		}
	} else {
		if g, ok := e.shard.groups.Get(o.Group); ok {
			o.Group = g.ID
		}
		e.shard.offsetsOf(o.Group, o.Topic, firstPartition, func(other *Offset) bool {
			if other.Topic == o.Topic {
				o.Topic = other.Topic
			}
			return false
		})
	}
	e.offsets().Set(o)
}

func (e *edit) forgetOffset(group, topic string, partition int32) {
	gone := &Offset{Group: group, Topic: topic, Partition: partition}
	if _, ok := e.shard.offsets.Get(gone); ok {
		e.offsets().Delete(gone)
	}
	if !e.shard.hasPendingOffset(group, topic, partition) {
		return
	}
	var pending []pendingOffset
	e.shard.pendingByPartition.Ascend(pendingOffset{gone, -1 << 63}, func(p pendingOffset) bool {
		if compareOffsets(p.Offset, gone) != 0 {
			return false
		}
		pending = append(pending, p)
		return true
	})
	e.dropPending(pending)
}

func (e *edit) dropPending(pending []pendingOffset) {
	byProducer, byPartition := e.pendings()
	for _, p := range pending {
		byProducer.Delete(p)
		byPartition.Delete(p)
	}
}

// replayMarker ends a transaction. An offset that was committed after the transaction's own stays: compaction may have
// removed the records between them, but never changed their order.
func (e *edit) replayMarker(r MarkerRecord) {
	var pending []pendingOffset
	from := pendingOffset{&Offset{Partition: firstPartition}, r.ProducerID}
	e.shard.pendingByProducer.Ascend(from, func(p pendingOffset) bool {
		if p.producerID != r.ProducerID {
			return false
		}
		pending = append(pending, p)
		return true
	})
	if len(pending) == 0 {
		return
	}
	e.dropPending(pending)
	if !r.Committed {
		return
	}
	for _, p := range pending {
		if old := e.shard.offset(p.Group, p.Topic, p.Partition); old == nil || old.sequence < p.sequence {
			o := *p.Offset
			e.setOffset(&o)
		}
	}
}

// ensureSimple makes the group that a commit without members implies.
func (e *edit) ensureSimple(id string) {
	if _, ok := e.shard.groups.Get(id); ok {
		return
	}
	if _, ok := e.shard.kinds.Get(id); ok {
		return
	}
	e.create(id)
}

func (e *edit) replayKind(r KindRecord) {
	if !r.Live {
		if _, ok := e.shard.kinds.Get(r.Group); ok {
			e.kinds().Delete(r.Group)
		}
		return
	}
	e.kinds().Set(r.Group, r.Kind)
	if _, ok := e.shard.groups.Get(r.Group); ok {
		e.groups().Delete(r.Group)
	}
}

// replayGroup takes over the generation that the record tells of. Members that are not in it are gone; those that are
// keep what only the living know of them.
func (e *edit) replayGroup(r GroupRecord) {
	old, exists := e.shard.groups.Get(r.Group)
	if r.Value == nil {
		if exists {
			e.cancelAll(old)
			e.groups().Delete(r.Group)
		}
		return
	}
	var g *Group
	if exists {
		g = e.own(old)
	} else {
		g = &Group{ID: r.Group}
		e.put(g)
	}
	v := r.Value
	g.Generation = v.Generation
	g.ProtocolType, g.Protocol, g.Leader = v.ProtocolType, text(v.Protocol), text(v.Leader)
	g.Since = v.CurrentStateTimestamp
	g.State = Stable
	if len(v.Members) == 0 {
		g.State = Empty
	}
	e.replayMembers(g, v)
	g.refreshTopics()
}

func (e *edit) replayMembers(g *Group, v *kmsg.GroupMetadataValue) {
	kept := make(map[string]struct{}, len(v.Members))
	for i := range v.Members {
		kept[v.Members[i].MemberID] = struct{}{}
	}
	for _, m := range g.memberList() {
		if _, ok := kept[m.ID]; !ok {
			e.cancelSession(m)
			g.remove(m.ID)
		}
	}
	for i := range v.Members {
		r := &v.Members[i]
		m := &Member{
			group: g.ID, ID: r.MemberID, InstanceID: r.InstanceID, ClientID: r.ClientID, ClientHost: r.ClientHost,
			RebalanceTimeoutMs: r.RebalanceTimeoutMillis, SessionTimeoutMs: r.SessionTimeoutMillis,
			Protocols: []Protocol{{Name: g.Protocol, Metadata: r.Subscription}},
			session:   new(session),
		}
		if living, ok := g.member(r.MemberID); ok {
			c := *living
			m = &c
		}
		m.Assignment = r.Assignment
		g.put(m)
	}
}
