package group

import (
	"unicode/utf16"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// commitTimeVersion is the one OffsetCommit version in which the client says when it committed.
	commitTimeVersion = 1
	// groupIDNotFoundVersion is the OffsetCommit version from which a missing group is told as what it is.
	groupIDNotFoundVersion = 9
)

// Commit is an OffsetCommit of partitions that exist; both the name and the id of each topic are set.
func Commit(r *kmsg.OffsetCommitRequest, reply Reply) Event {
	return decide(func(e *edit) {
		if err := e.validateCommit(r); err != nil {
			e.answer(r, reply, commitError(r, err.Code))
			return
		}
		response := e.commit(r)
		if e.tooLarge() {
			// As Kafka until 3.9. Kafka 4 says UNKNOWN_SERVER_ERROR, of which nobody learns what to change.
			e.undo(r, reply, kerr.InvalidCommitOffsetSize)
			return
		}
		e.answer(r, reply, response)
	})
}

// validateCommit checks the member and its generation, if the client claims to be one: an administrator, or a consumer
// that assigns its partitions by hand, does not, and may commit while nobody else uses the group.
func (e *edit) validateCommit(r *kmsg.OffsetCommitRequest) *kerr.Error {
	anonymous := r.Generation < 0 && r.MemberID == "" && r.InstanceID == nil
	if _, ok := e.shard.kinds.Get(r.Group); ok {
		if anonymous {
			return nil
		}
		return kerr.UnknownMemberID
	}
	g, ok := e.shard.groups.Get(r.Group)
	switch {
	case !ok && r.Generation < 0:
		return nil // The replay of the offset makes a simple group.
	case !ok && r.Version >= groupIDNotFoundVersion:
		return kerr.GroupIDNotFound
	case !ok:
		return kerr.IllegalGeneration
	case r.Generation < 0 && g.State == Empty:
		return nil
	case anonymous:
		return kerr.UnknownMemberID
	}
	if err := g.validate(r.MemberID, r.InstanceID); err != nil {
		return err
	}
	if r.Generation != g.Generation {
		return kerr.IllegalGeneration
	}
	if g.State == CompletingRebalance {
		return kerr.RebalanceInProgress
	}
	if g.State != Empty { // A commit is as good as a heartbeat.
		m, _ := g.member(r.MemberID)
		e.heard(g, m)
	}
	return nil
}

func (e *edit) commit(r *kmsg.OffsetCommitRequest) *kmsg.OffsetCommitResponse {
	response := new(kmsg.OffsetCommitResponse)
	expires := int64(-1)
	if r.RetentionTimeMillis != -1 {
		expires = e.now + r.RetentionTimeMillis
	}
	for i := range r.Topics {
		t := &r.Topics[i]
		topic := kmsg.OffsetCommitResponseTopic{Topic: t.Topic, TopicID: t.TopicID}
		for _, p := range t.Partitions {
			answer := kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition}
			if e.metadataTooLarge(text(p.Metadata)) {
				answer.ErrorCode = kerr.OffsetMetadataTooLarge.Code
			} else {
				o := &Offset{
					Group: r.Group, Topic: t.Topic, Partition: p.Partition, TopicID: t.TopicID,
					Offset: p.Offset, LeaderEpoch: max(p.LeaderEpoch, -1), Metadata: text(p.Metadata),
					CommittedAt: e.now, ExpiresAt: expires,
				}
				if r.Version == commitTimeVersion && p.Timestamp != -1 {
					o.CommittedAt = p.Timestamp
				}
				e.write(OffsetRecord{
					Group: r.Group, Topic: t.Topic, Partition: p.Partition, Offset: o, ProducerID: NoProducer,
				})
			}
			topic.Partitions = append(topic.Partitions, answer)
		}
		response.Topics = append(response.Topics, topic)
	}
	return response
}

func (e *edit) metadataTooLarge(metadata string) bool {
	limit := e.shard.config.OffsetMetadataMaxBytes
	if len(metadata) <= limit {
		return false
	}
	units := 0
	for _, r := range metadata {
		units += utf16.RuneLen(max(r, 0))
	}
	return units > limit
}
