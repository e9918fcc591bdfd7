package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func describePartitions(limit int32, topics ...string) *kmsg.DescribeTopicPartitionsRequest {
	request := kmsg.NewPtrDescribeTopicPartitionsRequest()
	request.ResponsePartitionLimit = limit
	for _, name := range topics {
		topic := kmsg.NewDescribeTopicPartitionsRequestTopic()
		topic.Topic = name
		request.Topics = append(request.Topics, topic)
	}
	return request
}

func TestPartitionsAreDescribedPageByPage(t *testing.T) {
	w := newWorld(t, nil)
	w.topic("a", 1, 1, 1, 1)
	w.topic("b", 2, 1, 1)
	w.topic("c", 3, 1)
	request := describePartitions(2)
	var seen []string
	for page := 0; ; page++ {
		if page > 10 {
			t.Fatal("the pages do not end")
		}
		response := w.ask(request, 0).(*kmsg.DescribeTopicPartitionsResponse)
		count := 0
		for _, topic := range response.Topics {
			count += len(topic.Partitions)
			for _, p := range topic.Partitions {
				seen = append(seen, textOf(topic.Topic)+string(rune('0'+p.Partition)))
			}
		}
		if count > 2 {
			t.Errorf("page %d has %d partitions", page, count)
		}
		if response.NextCursor == nil {
			break
		}
		cursor := kmsg.NewDescribeTopicPartitionsRequestCursor()
		cursor.Topic, cursor.Partition = response.NextCursor.Topic, response.NextCursor.Partition
		request.Cursor = &cursor
	}
	want := []string{"a0", "a1", "a2", "b0", "b1", "c0"}
	if len(seen) != len(want) {
		t.Fatalf("%v", seen)
	}
	for i := range want {
		if seen[i] != want[i] {
			t.Fatalf("%v", seen)
		}
	}
}

func TestNamedTopicsAreSortedAndMissingOnesAreErrors(t *testing.T) {
	w := newWorld(t, nil)
	w.topic("b", 2, 1)
	response := w.ask(describePartitions(100, "c", "b", "b", ""), 0).(*kmsg.DescribeTopicPartitionsResponse)
	if len(response.Topics) != 3 || response.Topics[0].ErrorCode != kerr.InvalidTopicException.Code ||
		textOf(response.Topics[1].Topic) != "b" || response.Topics[2].ErrorCode != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("%+v", response.Topics)
	}
	p := response.Topics[1].Partitions[0]
	if p.LeaderID != 1 || len(p.EligibleLeaderReplicas) != 1 || len(p.OfflineReplicas) != 1 || response.Topics[1].AuthorizedOperations != 3576 {
		t.Errorf("%+v", p)
	}
}

func TestACursorMustBeAmongTheTopics(t *testing.T) {
	w := newWorld(t, nil)
	request := describePartitions(10, "b")
	cursor := kmsg.NewDescribeTopicPartitionsRequestCursor()
	cursor.Topic = "a"
	request.Cursor = &cursor
	response := w.ask(request, 0).(*kmsg.DescribeTopicPartitionsResponse)
	if len(response.Topics) != 1 || response.Topics[0].ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("%+v", response.Topics)
	}
}
