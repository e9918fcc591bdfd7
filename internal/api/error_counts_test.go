package api

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// placesOfCodes are where Kafka's responses count in errorCounts. One place more is counted here, the top of Metadata, which
// Kafka's left out when version 13 brought that code.
var placesOfCodes = map[string]string{
	"Produce":                 "Topics.Partitions",
	"Fetch":                   "top Topics.Partitions",
	"ListOffsets":             "Topics.Partitions",
	"Metadata":                "top Topics Topics.Partitions",
	"OffsetCommit":            "Topics.Partitions",
	"OffsetFetch":             "top Topics.Partitions Groups Groups.Topics.Partitions",
	"FindCoordinator":         "top Coordinators",
	"JoinGroup":               "top",
	"Heartbeat":               "top",
	"LeaveGroup":              "top Members",
	"SyncGroup":               "top",
	"DescribeGroups":          "Groups",
	"ListGroups":              "top",
	"ApiVersions":             "top",
	"CreateTopics":            "Topics",
	"DeleteTopics":            "Topics",
	"DeleteRecords":           "Topics.Partitions",
	"InitProducerID":          "top",
	"OffsetForLeaderEpoch":    "Topics.Partitions",
	"DescribeConfigs":         "Resources",
	"AlterConfigs":            "Resources",
	"DescribeLogDirs":         "top Dirs",
	"CreatePartitions":        "Topics",
	"DeleteGroups":            "Groups",
	"IncrementalAlterConfigs": "Resources",
	"OffsetDelete":            "top Topics.Partitions",
	"DescribeCluster":         "top",
	"DescribeProducers":       "Topics.Partitions",
	"ListConfigResources":     "top",
	"DescribeTopicPartitions": "Topics Topics.Partitions",

	"ElectLeaders":               "top Topics.Partitions",
	"AlterPartitionAssignments":  "top Topics.Partitions",
	"ListPartitionReassignments": "top",
	"UpdateFeatures":             "top Results",
	"UnregisterBroker":           "top",
	"DescribeQuorum":             "top Topics.Partitions",
	"AddRaftVoter":               "top",
	"RemoveRaftVoter":            "top",
}

func TestErrorCodesAreCountedWhereKafkaCountsThem(t *testing.T) {
	fields := ErrorFieldsOf(Table())
	for _, row := range Table() {
		name, response := kmsg.NameForKey(row.Key), reflect.TypeOf(kmsg.ResponseForKey(row.Key)).Elem()
		if got := strings.Join(places(fields[row.Key], response, nil), " "); got != placesOfCodes[name] {
			t.Errorf("%s: codes are counted in %q, not in %q", name, got, placesOfCodes[name])
		}
	}
}

// places names the structs with a code.
func places(fields *errorFields, of reflect.Type, path []string) []string {
	var all []string
	if fields.code != noCode {
		all = append(all, strings.Join(path, "."))
		if len(path) == 0 {
			all[0] = "top"
		}
	}
	for _, inside := range fields.inside {
		field := of.Field(inside.slice)
		all = append(all, places(inside.element, field.Type.Elem(), append(slices.Clone(path), field.Name))...)
	}
	return all
}

// committed is an answer to a commit of so many partitions, with these codes at its end.
func committed(partitions int, codes ...int16) *kmsg.OffsetCommitResponse {
	topic := kmsg.NewOffsetCommitResponseTopic()
	topic.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, partitions)
	for i, code := range codes {
		topic.Partitions[partitions-len(codes)+i].ErrorCode = code
	}
	response := kmsg.NewPtrOffsetCommitResponse()
	response.Topics = append(response.Topics, topic)
	return response
}

func TestEachErrorCodeOfAnAnswerIsCountedAndNoneIsNot(t *testing.T) {
	got := ErrorFieldsOf(Table()).Count(committed(5, 16, 3, 16))
	if want := (ErrorCounts{{Code: 16, Times: 2}, {Code: 3, Times: 1}}); !slices.Equal(got, want) {
		t.Errorf("counted %v, not %v", got, want)
	}
}

func TestAnAnswerWithoutErrorsIsCountedWithoutMemory(t *testing.T) {
	fields, response := ErrorFieldsOf(Table()), committed(100)
	if n := testing.AllocsPerRun(100, func() { fields.Count(response) }); n > 0 {
		t.Errorf("counting allocates %v times", n)
	}
}

func TestAnAnswerOfAnAPIWithoutARowCountsNothing(t *testing.T) {
	response := kmsg.NewPtrCreateACLsResponse()
	response.Results = []kmsg.CreateACLsResponseResult{{ErrorCode: 1}}
	if got := ErrorFieldsOf(Table()).Count(response); got != nil {
		t.Errorf("counted %v", got)
	}
}

func (s *stock) told(result Result, want ...ErrorCount) {
	s.t.Helper()
	if result.Errors == nil || !slices.Equal(*result.Errors, want) {
		s.t.Errorf("counted %v, not %v", result.Errors, want)
	}
}

func TestProduceCountsItsErrorsWhereItTellsThem(t *testing.T) {
	s := newStock(t, 1<<40, 1<<20)
	s.stored("orders", 1, 1)
	unknown := ErrorCount{Code: kerr.UnknownTopicOrPartition.Code, Times: 1}
	s.told(s.start(produceTo("orders", 0, 1, parcel(10)), 9))
	s.told(s.start(produceTo("orders", 7, 1, parcel(10)), 9), unknown)

	silent := s.start(produceTo("orders", 7, 0, parcel(10)), 9)
	if silent.Close == nil {
		t.Error("a client that takes no answer is not told by closing")
	}
	s.told(silent, unknown)
}

func TestAProduceThatIsNotDurableInTimeCountsThatWhenItIsAnswered(t *testing.T) {
	s := newStock(t, 1, 1<<20)
	s.stored("orders", 1, 1)
	release := make(chan struct{})
	defer close(release)
	s.disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync {
			<-release
		}
		return nil
	})
	pending := s.start(produceTo("orders", 0, 1, parcel(10)), 9).Pending
	if pending == nil {
		t.Fatal("answered before the sync")
	}
	pending.Cut()
	<-pending.Done
	s.told(pending.Finish(), ErrorCount{Code: kerr.RequestTimedOut.Code, Times: 1})
}

func TestFetchCountsItsErrorsWhereItEncodesThem(t *testing.T) {
	s := newStock(t, 1<<40, 1<<20)
	s.stored("orders", 1, 1)
	s.put("orders", 0, 10)
	unknown := ErrorCount{Code: kerr.UnknownTopicOrPartition.Code, Times: 2}
	beyond := fetchFrom("orders", 3, 1)
	beyond.Topics[0].Partitions[0].FetchOffset = 99
	for _, story := range []struct {
		request *kmsg.FetchRequest
		want    []ErrorCount
	}{
		{fetchFrom("orders", 1, 1), nil},
		{fetchFrom("orders", 3, 1), []ErrorCount{unknown}},
		{beyond, []ErrorCount{{Code: kerr.OffsetOutOfRange.Code, Times: 1}, unknown}},
	} {
		result := s.start(story.request, 11)
		s.encoded(result, 11)
		s.told(result, story.want...)
	}
}
