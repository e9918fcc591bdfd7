package api

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

func metadataOf(topics ...string) *kmsg.MetadataRequest {
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = []kmsg.MetadataRequestTopic{}
	for _, name := range topics {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(name)
		request.Topics = append(request.Topics, topic)
	}
	return request
}

func (w *world) metadata(request *kmsg.MetadataRequest, version int16) *kmsg.MetadataResponse {
	w.t.Helper()
	return w.ask(request, version).(*kmsg.MetadataResponse)
}

func namesOf(response *kmsg.MetadataResponse) []string {
	names := []string{}
	for _, t := range response.Topics {
		names = append(names, textOf(t.Topic))
	}
	return names
}

func TestAllTopicsAreAskedForDifferentlyInVersionZero(t *testing.T) {
	w := newWorld(t, nil)
	w.topic("b", 2, 1)
	w.topic("a", 1, 1)
	both, none := []string{"a", "b"}, []string{}
	if got := namesOf(w.metadata(metadataOf(), 0)); !slices.Equal(got, both) {
		t.Errorf("version 0 without topics: %v", got)
	}
	for version := int16(1); version <= 13; version++ {
		if got := namesOf(w.metadata(metadataOf(), version)); !slices.Equal(got, none) {
			t.Errorf("version %d with an empty list: %v", version, got)
		}
		if got := namesOf(w.metadata(kmsg.NewPtrMetadataRequest(), version)); !slices.Equal(got, both) {
			t.Errorf("version %d with null: %v", version, got)
		}
	}
}

func TestBrokersAreThoseThatTheClientCanReach(t *testing.T) {
	w := newWorld(t, map[string]string{"listeners": "PLAINTEXT://:9092,INTERNAL://:9093,CONTROLLER://:9094",
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT"})
	response := w.metadata(metadataOf(), 9)
	if len(response.Brokers) != 1 || response.Brokers[0].NodeID != 1 || response.ControllerID != 1 || textOf(response.ClusterID) != "cluster" {
		t.Errorf("%+v", response)
	}
	w.conn.Listener = "INTERNAL"
	response = w.metadata(metadataOf(), 9)
	if len(response.Brokers) != 2 || response.Brokers[1].Host != "registered" || response.Brokers[1].Port != 9090 {
		t.Errorf("by the other listener: %+v", response.Brokers)
	}
}

func TestTheAdvertisedAddressIsWhatWasSetOrWhatTheClientDialled(t *testing.T) {
	cases := map[string]struct {
		settings map[string]string
		host     string
		port     int32
	}{
		"every interface": {map[string]string{"listeners": "PLAINTEXT://:9092"}, "10.0.0.1", 9092},
		"0.0.0.0":         {map[string]string{"listeners": "PLAINTEXT://0.0.0.0:9092"}, "10.0.0.1", 9092},
		"a name":          {map[string]string{"listeners": "PLAINTEXT://kafka.example:9092"}, "registered", 9090},
		"advertised": {map[string]string{"listeners": "PLAINTEXT://:9092", "advertised.listeners": "PLAINTEXT://outside.example:1234"},
			"registered", 9090},
	}
	for name, c := range cases {
		w := newWorld(t, c.settings)
		broker := w.metadata(metadataOf(), 1).Brokers[0]
		if broker.Host != c.host || broker.Port != c.port {
			t.Errorf("%s: %s:%d", name, broker.Host, broker.Port)
		}
	}
}

func TestPartitionsTellWhoLeadsAndWhoIsAway(t *testing.T) {
	w := newWorld(t, nil)
	w.topic("t", 1, 1, meta.NoLeader, 3)
	topic := w.metadata(metadataOf("t"), 7).Topics[0]
	led, orphan, elsewhere := topic.Partitions[0], topic.Partitions[1], topic.Partitions[2]
	if led.ErrorCode != 0 || led.Leader != 1 || led.LeaderEpoch != 5 || !slices.Equal(led.Replicas, []int32{1, 2}) ||
		!slices.Equal(led.ISR, []int32{1}) || !slices.Equal(led.OfflineReplicas, []int32{2}) {
		t.Errorf("%+v", led)
	}
	if orphan.ErrorCode != kerr.LeaderNotAvailable.Code || orphan.Leader != -1 {
		t.Errorf("without a leader: %+v", orphan)
	}
	if elsewhere.ErrorCode != kerr.ListenerNotFound.Code || elsewhere.Leader != -1 {
		t.Errorf("with a leader that has no such listener: %+v", elsewhere)
	}
	old := w.metadata(metadataOf("t"), 5).Topics[0].Partitions[2]
	if old.ErrorCode != kerr.LeaderNotAvailable.Code {
		t.Errorf("the same in version 5: %+v", old)
	}
	oldest := w.metadata(metadataOf("t"), 0).Topics[0].Partitions[0]
	if oldest.ErrorCode != kerr.ReplicaNotAvailable.Code || !slices.Equal(oldest.Replicas, []int32{1}) {
		t.Errorf("version 0: %+v", oldest)
	}
}

func TestTopicsAreFoundByTheirIDs(t *testing.T) {
	w := newWorld(t, nil)
	w.topic("t", 1, 1)
	request := metadataOf("ignored beside ids")
	for _, id := range []meta.ID{topicID(1), topicID(9), topicID(1)} {
		topic := kmsg.NewMetadataRequestTopic()
		topic.TopicID = id
		request.Topics = append(request.Topics, topic)
	}
	topics := w.metadata(request, 12).Topics
	if len(topics) != 2 || textOf(topics[0].Topic) != "t" || topics[0].TopicID != topicID(1) ||
		topics[1].ErrorCode != kerr.UnknownTopicID.Code || topics[1].Topic != nil || topics[1].TopicID != topicID(9) {
		t.Errorf("%+v", topics)
	}
	early := w.metadata(request, 11).Topics
	if len(early) != 4 || early[1].ErrorCode != kerr.InvalidRequest.Code {
		t.Errorf("ids before version 12: %+v", early)
	}
}

func TestOperationsAreToldToWhoAsks(t *testing.T) {
	w := newWorld(t, nil)
	w.topic("t", 1, 1)
	request := metadataOf("t")
	response := w.metadata(request, 10)
	if response.AuthorizedOperations != -1<<31 || response.Topics[0].AuthorizedOperations != -1<<31 {
		t.Errorf("not asked: %d, %d", response.AuthorizedOperations, response.Topics[0].AuthorizedOperations)
	}
	request.IncludeClusterAuthorizedOperations, request.IncludeTopicAuthorizedOperations = true, true
	response = w.metadata(request, 10)
	if response.AuthorizedOperations != 8096 || response.Topics[0].AuthorizedOperations != 3576 {
		t.Errorf("asked: %d, %d", response.AuthorizedOperations, response.Topics[0].AuthorizedOperations)
	}
}

// creating plays a controller that creates what it is asked for.
func (w *world) creating(asked chan<- *kmsg.CreateTopicsRequest) {
	next := byte(100)
	w.controller = func(r kmsg.Request) (kmsg.Response, error) {
		request := r.(*kmsg.CreateTopicsRequest)
		response := request.ResponseKind().(*kmsg.CreateTopicsResponse)
		for i := range request.Topics {
			next++
			topic := kmsg.NewCreateTopicsResponseTopic()
			topic.Topic, topic.TopicID = request.Topics[i].Topic, topicID(next)
			response.Topics = append(response.Topics, topic)
			w.topic(topic.Topic, next, 1)
		}
		asked <- request
		return response, nil
	}
}

func TestMissingTopicsAreCreatedAndTheAnswerDoesNotWait(t *testing.T) {
	w := newWorld(t, map[string]string{"num.partitions": "7"})
	asked := make(chan *kmsg.CreateTopicsRequest, 10)
	w.creating(asked)
	topics := w.metadata(metadataOf("new", "in valid", "new"), 0).Topics
	if len(topics) != 2 || topics[0].ErrorCode != kerr.UnknownTopicOrPartition.Code || topics[1].ErrorCode != kerr.InvalidTopicException.Code {
		t.Errorf("%+v", topics)
	}
	created := (<-asked).Topics
	if len(created) != 1 || created[0].Topic != "new" || created[0].NumPartitions != 7 || created[0].ReplicationFactor != -1 {
		t.Errorf("%+v", created)
	}
	w.broker.creations.running.Wait()
	if again := w.metadata(metadataOf("new"), 0).Topics[0]; again.ErrorCode != kerr.ReplicaNotAvailable.Code && again.ErrorCode != 0 {
		t.Errorf("asked again: %+v", again)
	}
}

func TestTopicsAreNotCreatedAgainstTheWill(t *testing.T) {
	asked := make(chan *kmsg.CreateTopicsRequest, 10)
	unwilling := newWorld(t, map[string]string{"auto.create.topics.enable": "false"})
	unwilling.creating(asked)
	unwilling.metadata(metadataOf("new"), 1)
	w := newWorld(t, nil)
	w.creating(asked)
	w.metadata(metadataOf("new"), 4) // The flag is false in it.
	for _, w := range []*world{w, unwilling} {
		w.broker.creations.running.Wait()
	}
	if len(asked) != 0 {
		t.Errorf("%+v were created", <-asked)
	}
}

func TestTheOffsetsTopicIsCreatedAsItsSettingsSay(t *testing.T) {
	w := newWorld(t, map[string]string{"offsets.topic.num.partitions": "5"})
	asked := make(chan *kmsg.CreateTopicsRequest, 10)
	w.creating(asked)
	w.metadata(metadataOf("__consumer_offsets"), 0)
	topic := (<-asked).Topics[0]
	// Brokers 1 and 3 are alive.
	if topic.NumPartitions != 5 || topic.ReplicationFactor != 2 || len(topic.Configs) != 3 {
		t.Errorf("%+v", topic)
	}
	w.broker.creations.running.Wait()
	if !w.metadata(metadataOf("__consumer_offsets"), 1).Topics[0].IsInternal {
		t.Error("it is not internal")
	}
}

func TestAKindOfCoordinatorThatThereIsNotIsRefusedInWords(t *testing.T) {
	w := newWorld(t, nil)
	for kind, words := range map[int8]bool{-1: true, 9: true, shareCoordinator: false} {
		request := kmsg.NewPtrFindCoordinatorRequest()
		request.CoordinatorType, request.CoordinatorKeys = kind, []string{"x"}
		got := w.ask(request, 4).(*kmsg.FindCoordinatorResponse).Coordinators[0]
		if got.ErrorCode != kerr.InvalidRequest.Code || got.ErrorMessage == nil || (*got.ErrorMessage != "") != words {
			t.Errorf("type %d: error %d %q", kind, got.ErrorCode, textOf(got.ErrorMessage))
		}
	}
}
