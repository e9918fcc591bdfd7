package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteRecords (key 21) raises a partition's log start offset: what lies below is no longer read, and its segments go
// with the next round of retention (KIP-107). Offset -1 is the high watermark.
//
// Versions 0–2.
func (b *Broker) deleteRecords(r *Request) Result {
	req := r.Body.(*kmsg.DeleteRecordsRequest)
	resp := req.ResponseKind().(*kmsg.DeleteRecordsResponse)
	for i := range req.Topics {
		in := &req.Topics[i]
		out := kmsg.NewDeleteRecordsResponseTopic()
		out.Topic = in.Topic
		for _, p := range in.Partitions {
			at := kmsg.NewDeleteRecordsResponseTopicPartition()
			at.Partition, at.LowWatermark = p.Partition, -1
			low, err := b.deletePartitionRecords(in.Topic, p.Partition, p.Offset)
			if err == nil {
				at.LowWatermark = low
			}
			at.ErrorCode = b.code(err, kerr.KafkaStorageError, "delete records")
			out.Partitions = append(out.Partitions, at)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return respond(resp)
}

func (b *Broker) deletePartitionRecords(topic string, partition int32, offset int64) (int64, error) {
	part, err := b.Replicas.Get(topic, partition)
	if err != nil {
		return -1, err
	}
	if isInternalTopic(topic) {
		return -1, fmt.Errorf("topic %s is internal: %w", topic, kerr.InvalidTopicException)
	}
	if !part.Settings().Storage.Delete {
		return -1, fmt.Errorf("topic %s is compacted only: %w", topic, kerr.PolicyViolation)
	}
	return part.DeleteRecordsBefore(offset)
}
