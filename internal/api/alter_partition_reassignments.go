package api

import "github.com/twmb/franz-go/pkg/kmsg"

// AlterPartitionReassignments (key 45) has the controller give partitions other replicas, or take that back (KIP-455). The answer
// says that it has begun; when it is done, ListPartitionReassignments does not list it any more.
//
// Versions 0-1. 1: the number of replicas may be kept from changing (KIP-860).
func (b *Broker) alterPartitionReassignments(r *Request) Result {
	request := r.Body.(*kmsg.AlterPartitionAssignmentsRequest)
	return b.decided(r, request.TimeoutMillis, "AlterPartitionReassignments", func(code int16, text *string) kmsg.Response {
		response := request.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
		response.ErrorCode, response.ErrorMessage = code, text
		for i := range request.Topics {
			topic := kmsg.NewAlterPartitionAssignmentsResponseTopic()
			topic.Topic = request.Topics[i].Topic
			for j := range request.Topics[i].Partitions {
				partition := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
				partition.Partition, partition.ErrorCode, partition.ErrorMessage = request.Topics[i].Partitions[j].Partition, code, text
				topic.Partitions = append(topic.Partitions, partition)
			}
			response.Topics = append(response.Topics, topic)
		}
		return response
	})
}
