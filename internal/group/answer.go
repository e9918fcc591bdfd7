package group

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answer tells the one who asked, once all that was decided until now is committed, or why it was undone.
func (e *edit) answer(request kmsg.Request, reply Reply, response kmsg.Response) {
	e.replies = append(e.replies, func(err error) {
		if err != nil {
			response = ErrorResponse(request, err)
		}
		reply(response)
	})
}

// park leaves the request in the state. Should the decision be undone, the request is not in any version: it is told.
func (e *edit) park(request kmsg.Request, reply Reply) {
	e.replies = append(e.replies, func(err error) {
		if err != nil {
			reply(ErrorResponse(request, err))
		}
	})
}

// release answers a request that an earlier decision parked. Should this decision be undone, the request is parked
// again, in the version that is gone back to.
func (e *edit) release(reply Reply, response kmsg.Response) {
	e.replies = append(e.replies, func(err error) {
		if err == nil {
			reply(response)
		}
	})
}

// Code is the protocol error that a failed decision is answered with: how the log's errors are told to members of a
// group, so that they look for the coordinator again, or wait for it, where that helps.
func Code(err error) int16 {
	var known *kerr.Error
	if !errors.As(err, &known) {
		return kerr.CoordinatorNotAvailable.Code
	}
	switch known {
	case kerr.UnknownTopicOrPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.RequestTimedOut:
		return kerr.CoordinatorNotAvailable.Code
	case kerr.NotLeaderForPartition, kerr.KafkaStorageError, kerr.FencedLeaderEpoch:
		return kerr.NotCoordinator.Code
	case kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidFetchSize:
		return kerr.UnknownServerError.Code
	default:
		return known.Code
	}
}

// ErrorResponse answers a request that could not be decided, or whose decision was undone.
func ErrorResponse(request kmsg.Request, err error) kmsg.Response {
	code := Code(err)
	switch r := request.(type) {
	case *kmsg.JoinGroupRequest:
		return &kmsg.JoinGroupResponse{ErrorCode: code, Generation: -1}
	case *kmsg.SyncGroupRequest:
		return &kmsg.SyncGroupResponse{ErrorCode: code}
	case *kmsg.HeartbeatRequest:
		if code == kerr.CoordinatorLoadInProgress.Code {
			code = 0 // It will be known soon; meanwhile nobody's session runs.
		}
		return &kmsg.HeartbeatResponse{ErrorCode: code}
	case *kmsg.LeaveGroupRequest:
		return &kmsg.LeaveGroupResponse{ErrorCode: code}
	case *kmsg.OffsetCommitRequest:
		return commitError(r, code)
	case *kmsg.OffsetDeleteRequest:
		return &kmsg.OffsetDeleteResponse{ErrorCode: code}
	case *kmsg.ListGroupsRequest:
		return &kmsg.ListGroupsResponse{ErrorCode: code}
	case *kmsg.OffsetFetchRequest:
		response := new(kmsg.OffsetFetchResponse)
		for i := range r.Groups {
			response.Groups = append(response.Groups,
				kmsg.OffsetFetchResponseGroup{Group: r.Groups[i].Group, ErrorCode: code})
		}
		return response
	case *kmsg.DeleteGroupsRequest:
		response := new(kmsg.DeleteGroupsResponse)
		for _, id := range r.Groups {
			response.Groups = append(response.Groups, kmsg.DeleteGroupsResponseGroup{Group: id, ErrorCode: code})
		}
		return response
	default:
		panic(fmt.Sprintf("a %T is not a request of the group APIs", request))
	}
}

func joinError(err *kerr.Error, member string) *kmsg.JoinGroupResponse {
	return &kmsg.JoinGroupResponse{ErrorCode: err.Code, Generation: -1, MemberID: member}
}

func commitError(r *kmsg.OffsetCommitRequest, code int16) *kmsg.OffsetCommitResponse {
	response := new(kmsg.OffsetCommitResponse)
	for i := range r.Topics {
		t := &r.Topics[i]
		topic := kmsg.OffsetCommitResponseTopic{Topic: t.Topic, TopicID: t.TopicID}
		for _, p := range t.Partitions {
			topic.Partitions = append(topic.Partitions,
				kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: code})
		}
		response.Topics = append(response.Topics, topic)
	}
	return response
}
