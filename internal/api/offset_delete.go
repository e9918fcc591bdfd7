package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetDelete (key 47) deletes a group's offsets in partitions of topics that it does not subscribe to (KIP-496).
//
// Version 0.
func (b *Broker) offsetDelete(r *Request) Result {
	req := r.Body.(*kmsg.OffsetDeleteRequest)
	im := b.Image()
	known := *req
	known.Topics = nil
	var refused []kmsg.OffsetDeleteResponseTopic
	for _, t := range req.Topics {
		topic, ok := im.Topic(t.Topic)
		exists := kmsg.OffsetDeleteRequestTopic{Topic: t.Topic}
		missing := kmsg.OffsetDeleteResponseTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			if ok && p.Partition >= 0 && int(p.Partition) < len(topic.Partitions) {
				exists.Partitions = append(exists.Partitions, p)
				continue
			}
			missing.Partitions = append(missing.Partitions, kmsg.OffsetDeleteResponseTopicPartition{
				Partition: p.Partition, ErrorCode: kerr.UnknownTopicOrPartition.Code,
			})
		}
		if len(exists.Partitions) > 0 {
			known.Topics = append(known.Topics, exists)
		}
		if len(missing.Partitions) > 0 {
			refused = append(refused, missing)
		}
	}
	return b.toGroups(r, &known, func(response kmsg.Response) kmsg.Response {
		resp := response.(*kmsg.OffsetDeleteResponse)
		if resp.ErrorCode == 0 {
			resp.Topics = mergeDeleted(refused, resp.Topics)
		}
		return resp
	})
}

// mergeDeleted joins what was refused here with what the group answered, topic by topic.
func mergeDeleted(refused, answered []kmsg.OffsetDeleteResponseTopic) []kmsg.OffsetDeleteResponseTopic {
	at := make(map[string]int, len(refused)+len(answered))
	var topics []kmsg.OffsetDeleteResponseTopic
	for _, t := range append(refused, answered...) {
		if i, ok := at[t.Topic]; ok {
			topics[i].Partitions = append(topics[i].Partitions, t.Partitions...)
			continue
		}
		at[t.Topic] = len(topics)
		topics = append(topics, t)
	}
	return topics
}
