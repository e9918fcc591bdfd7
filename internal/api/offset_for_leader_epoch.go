package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetForLeaderEpoch (key 23) tells where a leader epoch ends, so that a consumer or follower whose log has branched
// off finds the point to go back to (KIP-101, KIP-279, KIP-320).
//
// Versions 0–4. 1: the epoch found. 2: the current leader epoch is checked. 3: replica id.
func (b *Broker) offsetForLeaderEpoch(r *Request) Result {
	req := r.Body.(*kmsg.OffsetForLeaderEpochRequest)
	resp := req.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for i := range req.Topics {
		in := &req.Topics[i]
		out := kmsg.NewOffsetForLeaderEpochResponseTopic()
		out.Topic = in.Topic
		for _, p := range in.Partitions {
			at := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			at.Partition, at.LeaderEpoch, at.EndOffset = p.Partition, -1, -1
			current := int32(-1)
			if req.Version >= 2 {
				current = p.CurrentLeaderEpoch
			}
			part, err := b.Replicas.Get(in.Topic, p.Partition)
			if err == nil {
				end, endErr := part.EpochEnd(p.LeaderEpoch, current)
				at.LeaderEpoch, at.EndOffset, err = end.Epoch, end.End, endErr
			}
			at.ErrorCode = b.code(err, kerr.NotLeaderForPartition, "offset for leader epoch")
			out.Partitions = append(out.Partitions, at)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return respond(resp)
}
