package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/barnabas-mq/barnabas/internal/wire"
)

// fetchFrom asks for partitions from offset 0 on, in a session that it opens.
func fetchFrom(topic string, partitions int, minBytes int32) *kmsg.FetchRequest {
	request := kmsg.NewPtrFetchRequest()
	request.ReplicaID, request.MaxWaitMillis, request.MinBytes, request.MaxBytes = -1, 60_000, minBytes, 50<<20
	request.SessionEpoch = sessionInitial
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	for i := range partitions {
		p := kmsg.NewFetchRequestTopicPartition()
		p.Partition, p.PartitionMaxBytes, p.CurrentLeaderEpoch, p.LastFetchedEpoch, p.LogStartOffset = int32(i), 1<<20, -1, -1, -1
		t.Partitions = append(t.Partitions, p)
	}
	request.Topics = append(request.Topics, t)
	return request
}

func (s *stock) encoded(result Result, version int16) *kmsg.FetchResponse {
	s.t.Helper()
	out := wire.GetBuffer(0)
	defer out.Free()
	if result.Encode == nil {
		s.t.Fatalf("no answer: %+v", result)
	}
	if err := result.Encode(out); err != nil {
		s.t.Fatal(err)
	}
	response := kmsg.NewPtrFetchResponse()
	response.Version = version
	if err := response.ReadFrom(append([]byte(nil), out.B...)); err != nil {
		s.t.Fatal(err)
	}
	return response
}

func TestALongPollWhoseClientIsGoneHoldsNoFile(t *testing.T) {
	s := newStock(t, 1<<40, 1<<20)
	s.stored("orders", 1, 1)
	s.put("orders", 0, 10)
	result := s.start(fetchFrom("orders", 1, 1<<20), 11)
	if result.Pending == nil {
		t.Fatal("answered before there are enough bytes")
	}
	result.Pending.Cut()
	<-result.Pending.Done
	result.Pending.Finish() // And nobody encodes the answer, as there is nobody to send it to.
	before := s.now()
	s.replay(&meta.RemoveTopicRecord{TopicID: topicID(1)})
	s.broker.Replicas.Apply(s.now(), meta.Diff(before, s.now()))
	if n := s.files.Open(); n != 0 {
		t.Errorf("%d files of a deleted topic are open", n)
	}
}

func TestAReaderOfManySmallSegmentsNeverWaitsForItsMinimumOfBytes(t *testing.T) {
	s := newStock(t, 1<<40, 1000)
	s.stored("orders", 1, 1)
	for range 10 {
		s.put("orders", 0, 600)
	}
	result := s.start(fetchFrom("orders", 1, 5000), 11)
	if result.Pending != nil {
		result.Pending.Cut()
		t.Fatal("waits, while the next segments hold more than enough")
	}
	if response := s.encoded(result, 11); len(response.Topics) != 1 || len(response.Topics[0].Partitions[0].RecordBatches) == 0 {
		t.Errorf("%+v", response)
	}
}

func TestAFetchOfThousandsOfPartitionsHoldsAFewHundredFilesAtATime(t *testing.T) {
	s := newStock(t, 1<<40, 1<<20)
	partitions := fetchFilesLimit + 100
	s.stored("orders", 1, partitions)
	for i := range partitions {
		s.put("orders", int32(i), 10)
	}
	request := fetchFrom("orders", partitions, 1)
	got := make(map[int32]bool)
	for range 2 {
		response := s.encoded(s.start(request, 11), 11)
		given := 0
		for _, t := range response.Topics {
			for _, p := range t.Partitions {
				if len(p.RecordBatches) > 0 {
					got[p.Partition] = true
					given++
				}
			}
		}
		if given == 0 || given > fetchFilesLimit {
			t.Errorf("records of %d partitions in one answer", given)
		}
		next := fetchFrom("orders", partitions, 1)
		next.SessionID, next.SessionEpoch = response.SessionID, request.SessionEpoch+1
		request = next
	}
	if len(got) != partitions {
		t.Errorf("two fetches gave records of %d partitions out of %d", len(got), partitions)
	}
}
