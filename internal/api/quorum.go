package api

import "github.com/twmb/franz-go/pkg/kmsg"

// DescribeQuorum (key 55) tells who leads the metadata quorum, who votes in it, and how far each is (KIP-595, KIP-836).
//
// Versions 0-2. 1: when each was heard of. 2: directory ids, where voters listen, messages (KIP-853).
func (b *Broker) describeQuorum(r *Request) Result {
	return b.decided(r, defaultControllerMs, "DescribeQuorum", func(code int16, text *string) kmsg.Response {
		response := r.Body.ResponseKind().(*kmsg.DescribeQuorumResponse)
		response.ErrorCode, response.ErrorMessage = code, text
		return response
	})
}

// AddRaftVoter (key 80) has a controller vote in the metadata quorum (KIP-853).
//
// Versions 0-1. 1: whether the answer waits for the commit, which it does here in any case.
func (b *Broker) addRaftVoter(r *Request) Result {
	request := r.Body.(*kmsg.AddRaftVoterRequest)
	return b.decided(r, request.TimeoutMillis, "AddRaftVoter", func(code int16, text *string) kmsg.Response {
		response := request.ResponseKind().(*kmsg.AddRaftVoterResponse)
		response.ErrorCode, response.ErrorMessage = code, text
		return response
	})
}

// RemoveRaftVoter (key 81) has a controller vote in the metadata quorum no more (KIP-853).
//
// Version 0.
func (b *Broker) removeRaftVoter(r *Request) Result {
	return b.decided(r, defaultControllerMs, "RemoveRaftVoter", func(code int16, text *string) kmsg.Response {
		response := r.Body.ResponseKind().(*kmsg.RemoveRaftVoterResponse)
		response.ErrorCode, response.ErrorMessage = code, text
		return response
	})
}
