package group

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FetchStable reads offsets as FetchOffsets does, on the newest version and with its answer waiting until that is
// committed: what an OffsetFetch with RequireStable asks for (KIP-447). Partitions in which a transaction is open are
// UNSTABLE_OFFSET_COMMIT.
func FetchStable(r *kmsg.OffsetFetchRequestGroup, reply func(*kmsg.OffsetFetchResponseGroup, error)) Event {
	return decide(func(e *edit) {
		response := e.shard.fetch(r, true)
		e.replies = append(e.replies, func(err error) { reply(response, err) })
	})
}

// FetchOffsets reads the committed offsets of a group: of the topics asked for, or of all where Topics is nil. The
// topics' names are set; their ids too, where the client knows them. An unknown group has no offsets, which is no error.
func (s *Shard) FetchOffsets(r *kmsg.OffsetFetchRequestGroup) *kmsg.OffsetFetchResponseGroup {
	return s.fetch(r, false)
}

func (s *Shard) fetch(r *kmsg.OffsetFetchRequestGroup, stable bool) *kmsg.OffsetFetchResponseGroup {
	response := &kmsg.OffsetFetchResponseGroup{Group: r.Group}
	if _, ok := s.kinds.Get(r.Group); ok && (r.MemberID != nil || r.MemberEpoch >= 0) {
		response.ErrorCode = kerr.UnknownMemberID.Code
		return response
	}
	if r.Topics == nil {
		s.fetchAll(response, stable)
		return response
	}
	for i := range r.Topics {
		t := &r.Topics[i]
		topic := kmsg.OffsetFetchResponseGroupTopic{Topic: t.Topic, TopicID: t.TopicID}
		for _, p := range t.Partitions {
			o := s.offset(r.Group, t.Topic, p)
			if o != nil && o.ofAnotherTopic(t.TopicID) {
				o = nil
			}
			topic.Partitions = append(topic.Partitions, s.fetched(r.Group, t.Topic, p, o, stable))
		}
		response.Topics = append(response.Topics, topic)
	}
	return response
}

func (s *Shard) fetchAll(response *kmsg.OffsetFetchResponseGroup, stable bool) {
	s.offsetsOf(response.Group, "", firstPartition, func(o *Offset) bool {
		if n := len(response.Topics); n == 0 || response.Topics[n-1].Topic != o.Topic {
			response.Topics = append(response.Topics, kmsg.OffsetFetchResponseGroupTopic{Topic: o.Topic})
		}
		t := &response.Topics[len(response.Topics)-1]
		t.Partitions = append(t.Partitions, s.fetched(o.Group, o.Topic, o.Partition, o, stable))
		return true
	})
}

func (s *Shard) fetched(
	group, topic string, partition int32, o *Offset, stable bool,
) kmsg.OffsetFetchResponseGroupTopicPartition {
	none := ""
	p := kmsg.OffsetFetchResponseGroupTopicPartition{Partition: partition, Offset: -1, LeaderEpoch: -1, Metadata: &none}
	switch {
	case stable && s.hasPendingOffset(group, topic, partition):
		p.ErrorCode = kerr.UnstableOffsetCommit.Code
	case o != nil:
		p.Offset, p.LeaderEpoch, p.Metadata = o.Offset, o.LeaderEpoch, &o.Metadata
	}
	return p
}

// ofAnotherTopic says whether the offset was committed to an earlier topic of the same name.
func (o *Offset) ofAnotherTopic(id [16]byte) bool {
	var unknown [16]byte
	return o.TopicID != unknown && id != unknown && o.TopicID != id
}
