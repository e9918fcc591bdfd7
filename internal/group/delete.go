package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteOffsets is an OffsetDelete of partitions that exist.
func DeleteOffsets(r *kmsg.OffsetDeleteRequest, reply Reply) Event {
	return decide(func(e *edit) {
		response := new(kmsg.OffsetDeleteResponse)
		g, err := e.shard.validateOffsetDelete(r.Group)
		if err != nil {
			response.ErrorCode = err.Code
		} else {
			e.deleteRequested(g, r, response)
		}
		if e.tooLarge() {
			e.undo(r, reply, kerr.MessageTooLarge)
			return
		}
		e.answer(r, reply, response)
	})
}

func (s *Shard) validateOffsetDelete(id string) (*Group, *kerr.Error) {
	if id == "" {
		return nil, kerr.InvalidGroupID
	}
	g, ok := s.groups.Get(id)
	if !ok {
		if _, other := s.kinds.Get(id); other {
			return nil, kerr.NonEmptyGroup
		}
		return nil, kerr.GroupIDNotFound
	}
	if g.State != Empty && !g.usesConsumerProtocol() {
		return nil, kerr.NonEmptyGroup
	}
	return g, nil
}

// deleteRequested writes tombstones for the partitions of topics that the group does not subscribe to.
func (e *edit) deleteRequested(g *Group, r *kmsg.OffsetDeleteRequest, response *kmsg.OffsetDeleteResponse) {
	for _, t := range r.Topics {
		topic := kmsg.OffsetDeleteResponseTopic{Topic: t.Topic}
		subscribed := g.subscribes(t.Topic)
		for _, p := range t.Partitions {
			answer := kmsg.OffsetDeleteResponseTopicPartition{Partition: p.Partition}
			if subscribed {
				answer.ErrorCode = kerr.GroupSubscribedToTopic.Code
			} else if e.shard.offset(g.ID, t.Topic, p.Partition) != nil ||
				e.shard.hasPendingOffset(g.ID, t.Topic, p.Partition) {
				e.write(offsetTombstone(g.ID, t.Topic, p.Partition))
			}
			topic.Partitions = append(topic.Partitions, answer)
		}
		response.Topics = append(response.Topics, topic)
	}
}

func offsetTombstone(group, topic string, partition int32) OffsetRecord {
	return OffsetRecord{Group: group, Topic: topic, Partition: partition, ProducerID: NoProducer}
}

// Deleted is what became of DeleteGroups: results for some groups, and the rest, for which the caller submits the event
// again. A group with more offsets than one decision may delete is among the rest until they are gone.
type Deleted struct {
	Results []kmsg.DeleteGroupsResponseGroup
	Rest    []string
}

// DeleteGroups deletes groups without members, and their offsets.
func DeleteGroups(groups []string, reply func(Deleted, error)) Event {
	return decide(func(e *edit) {
		var d Deleted
		for i, id := range groups {
			if e.full() {
				d.Rest = groups[i:]
				break
			}
			if err := e.shard.validateDelete(id); err != nil {
				d.Results = append(d.Results, kmsg.DeleteGroupsResponseGroup{Group: id, ErrorCode: err.Code})
				continue
			}
			if !e.deleteOffsets(id) {
				d.Rest = groups[i:]
				break
			}
			e.write(GroupRecord{Group: id})
			d.Results = append(d.Results, kmsg.DeleteGroupsResponseGroup{Group: id})
		}
		e.replies = append(e.replies, func(err error) { reply(d, err) })
	})
}

func (s *Shard) validateDelete(id string) *kerr.Error {
	if g, ok := s.groups.Get(id); ok {
		if g.State != Empty {
			return kerr.NonEmptyGroup
		}
		return nil
	}
	if _, ok := s.kinds.Get(id); ok {
		return kerr.NonEmptyGroup // Its records are of kinds that this version does not act on, and so does not delete.
	}
	return kerr.GroupIDNotFound
}

// deleteOffsets writes tombstones for the group's offsets, and says whether these were all.
func (e *edit) deleteOffsets(group string) bool {
	all := true
	e.shard.offsetsOf(group, "", firstPartition, func(o *Offset) bool {
		if all = !e.full(); all {
			e.write(offsetTombstone(o.Group, o.Topic, o.Partition))
		}
		return all
	})
	var last *Offset
	from := pendingOffset{&Offset{Group: group, Partition: firstPartition}, NoProducer}
	e.shard.pendingByPartition.Ascend(from, func(p pendingOffset) bool {
		if !all || p.Group != group {
			return false
		}
		again := last != nil && compareOffsets(last, p.Offset) == 0
		if last = p.Offset; again || e.shard.offset(p.Group, p.Topic, p.Partition) != nil {
			return true
		}
		if all = !e.full(); all {
			e.write(offsetTombstone(p.Group, p.Topic, p.Partition))
		}
		return all
	})
	return all
}

// Topic names a deleted topic.
type Topic struct {
	Name string
	ID   [16]byte
}

// ForgetTopics deletes the offsets of topics that are gone. It looks at a part of the shard, beginning behind the given
// offset, and replies with where the caller should go on, nil when it is done. A topic that was created anew under the
// name keeps what was committed to it, by its id.
func ForgetTopics(topics []Topic, after *Offset, reply func(after *Offset, err error)) Event {
	return decide(func(e *edit) {
		gone := make(map[string]Topic, len(topics))
		for _, t := range topics {
			gone[t.Name] = t
		}
		after = e.scan(after, func(o *Offset) {
			if t, ok := gone[o.Topic]; ok && !o.ofAnotherTopic(t.ID) {
				e.write(offsetTombstone(o.Group, o.Topic, o.Partition))
			}
		})
		if after == nil {
			e.forgetPending(gone)
		}
		e.replies = append(e.replies, func(err error) { reply(after, err) })
	})
}

// forgetPending deletes offsets of deleted topics that wait for the end of a transaction. These are few.
func (e *edit) forgetPending(gone map[string]Topic) {
	e.shard.pendingByPartition.Scan(func(p pendingOffset) bool {
		if t, ok := gone[p.Topic]; ok && !p.ofAnotherTopic(t.ID) {
			e.write(offsetTombstone(p.Group, p.Topic, p.Partition))
		}
		return true
	})
}

// scan calls visit for offsets behind after until it has seen, or written, enough for one decision. It gives the last
// one it saw, or nil at the end.
func (e *edit) scan(after *Offset, visit func(*Offset)) *Offset {
	seen := 0
	var last *Offset
	from := after
	if from == nil {
		from = &Offset{Partition: firstPartition}
	}
	e.shard.offsets.Ascend(from, func(o *Offset) bool {
		if after != nil && compareOffsets(o, after) == 0 {
			return true
		}
		if seen == maxScanAtOnce || e.full() {
			return false
		}
		seen++
		last = o
		visit(o)
		return true
	})
	if seen < maxScanAtOnce && !e.full() {
		return nil
	}
	return last
}
