package api

import (
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeProducers (key 61) lists what partitions know of their producers, idempotent ones included (KIP-664).
//
// Version 0.
func (b *Broker) describeProducers(r *Request) Result {
	req := r.Body.(*kmsg.DescribeProducersRequest)
	resp := req.ResponseKind().(*kmsg.DescribeProducersResponse)
	for i := range req.Topics {
		in := &req.Topics[i]
		out := kmsg.NewDescribeProducersResponseTopic()
		out.Topic = in.Topic
		for _, index := range in.Partitions {
			at := kmsg.NewDescribeProducersResponseTopicPartition()
			at.Partition = index
			producers, err := b.producersOf(in.Topic, index)
			at.ActiveProducers = producers
			at.ErrorCode = b.code(err, kerr.NotLeaderForPartition, "describe producers")
			if _, exists := b.Image().Topic(in.Topic); !exists {
				at.ErrorMessage = message(err)
			}
			out.Partitions = append(out.Partitions, at)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return respond(resp)
}

func (b *Broker) producersOf(topic string, partition int32) ([]kmsg.DescribeProducersResponseTopicPartitionActiveProducer, error) {
	if err := checkTopicName(topic); err != nil {
		return nil, err
	}
	part, err := b.Replicas.Get(topic, partition)
	if err != nil {
		return nil, err
	}
	states, err := part.Producers()
	if err != nil {
		return nil, err
	}
	out := make([]kmsg.DescribeProducersResponseTopicPartitionActiveProducer, 0, len(states))
	for _, s := range states {
		p := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		p.ProducerID, p.ProducerEpoch, p.LastSequence = s.ProducerID, int32(s.Epoch), s.LastSequence
		p.LastTimestamp, p.CoordinatorEpoch, p.CurrentTxnStartOffset = s.LastTimestamp, s.CoordinatorEpoch, s.TransactionStart
		out = append(out, p)
	}
	return out, nil
}
