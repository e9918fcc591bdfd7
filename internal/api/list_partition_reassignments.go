package api

import "github.com/twmb/franz-go/pkg/kmsg"

// ListPartitionReassignments (key 46) asks the controller which partitions have replicas that come or go (KIP-455). The controller
// answers, not this broker's image: a tool that began a reassignment here looks for it elsewhere.
//
// Version 0. Its timeout is not looked at, as in Kafka.
func (b *Broker) listPartitionReassignments(r *Request) Result {
	return b.decided(r, defaultControllerMs, "ListPartitionReassignments", func(code int16, text *string) kmsg.Response {
		response := r.Body.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
		response.ErrorCode, response.ErrorMessage = code, text
		return response
	})
}
