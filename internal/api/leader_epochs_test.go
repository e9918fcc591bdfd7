package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// elect begins a new leader epoch of a partition.
func (s *stock) elect(id byte, leader int32) {
	before := s.now()
	change := meta.NewPartitionChange(topicID(id), 0)
	change.Leader = leader
	s.replay(change)
	s.broker.Replicas.Apply(s.now(), meta.Diff(before, s.now()))
}

// epochCodes asks all three requests that name the leader epoch that the client knows, and returns their errors.
func (s *stock) epochCodes(epoch int32) map[string]int16 {
	s.t.Helper()
	fetch := fetchFrom("orders", 1, 1)
	fetch.MaxWaitMillis, fetch.SessionEpoch = 0, sessionFinal
	fetch.Topics[0].Partitions[0].CurrentLeaderEpoch = epoch

	list := kmsg.NewPtrListOffsetsRequest()
	list.ReplicaID = -1
	list.Topics = []kmsg.ListOffsetsRequestTopic{{
		Topic: "orders", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1, CurrentLeaderEpoch: epoch}},
	}}

	end := kmsg.NewPtrOffsetForLeaderEpochRequest()
	end.ReplicaID = -1
	end.Topics = []kmsg.OffsetForLeaderEpochRequestTopic{{
		Topic: "orders", Partitions: []kmsg.OffsetForLeaderEpochRequestTopicPartition{{CurrentLeaderEpoch: epoch}},
	}}
	return map[string]int16{
		"Fetch":                s.encoded(s.start(fetch, 12), 12).Topics[0].Partitions[0].ErrorCode,
		"ListOffsets":          s.ask(list, 7).(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0].ErrorCode,
		"OffsetForLeaderEpoch": s.ask(end, 4).(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0].ErrorCode,
	}
}

func TestAClientThatKnowsAnotherLeaderEpochIsTold(t *testing.T) {
	s := newStock(t, 1<<40, 1<<20)
	s.stored("orders", 1, 1)
	s.elect(1, 1)
	for epoch, want := range map[int32]int16{-1: 0, 0: kerr.FencedLeaderEpoch.Code, 1: 0, 2: kerr.UnknownLeaderEpoch.Code} {
		for request, code := range s.epochCodes(epoch) {
			if code != want {
				t.Errorf("%s in epoch %d: %v instead of %v", request, epoch, kerr.ErrorForCode(code), kerr.ErrorForCode(want))
			}
		}
	}
}
