package api

import "github.com/twmb/franz-go/pkg/kmsg"

// ElectLeaders (key 43) has the controller give partitions back to their preferred leaders, or a leaderless one to whoever is left.
//
// Versions 0-2. 1: the kind of election (KIP-460), and an error of the whole.
func (b *Broker) electLeaders(r *Request) Result {
	request := r.Body.(*kmsg.ElectLeadersRequest)
	return b.decided(r, request.TimeoutMillis, "ElectLeaders", func(code int16, text *string) kmsg.Response {
		response := request.ResponseKind().(*kmsg.ElectLeadersResponse)
		response.ErrorCode = code
		for i := range request.Topics {
			topic := kmsg.NewElectLeadersResponseTopic()
			topic.Topic = request.Topics[i].Topic
			for _, index := range request.Topics[i].Partitions {
				partition := kmsg.NewElectLeadersResponseTopicPartition()
				partition.Partition, partition.ErrorCode, partition.ErrorMessage = index, code, text
				topic.Partitions = append(topic.Partitions, partition)
			}
			response.Topics = append(response.Topics, topic)
		}
		return response
	})
}
