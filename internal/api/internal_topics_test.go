package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A client that asked for the metadata of __transaction_state made an ordinary topic of one partition, whose records
// were deleted by age.
func TestInternalTopicsThatAreAskedForAreCreatedAsTheirCoordinatorsNeedThem(t *testing.T) {
	w := newWorld(t, map[string]string{"transaction.state.log.segment.bytes": "5000000", "num.partitions": "7"})
	for name, want := range map[string]string{
		offsetsTopic:      "50 2 cleanup.policy=compact segment.bytes=104857600 compression.type=producer",
		transactionsTopic: "50 2 cleanup.policy=compact segment.bytes=5000000 min.insync.replicas=2 compression.type=uncompressed unclean.leader.election.enable=false",
		sharesTopic:       "50 2 cleanup.policy=compact segment.bytes=104857600 min.insync.replicas=2 compression.type=producer",
	} {
		asked := make(chan kmsg.CreateTopicsRequestTopic, 1)
		w.controller = func(request kmsg.Request) (kmsg.Response, error) {
			asked <- request.(*kmsg.CreateTopicsRequest).Topics[0]
			return request.ResponseKind(), nil
		}
		request := kmsg.NewPtrMetadataRequest()
		request.AllowAutoTopicCreation = true
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = &name
		request.Topics = append(request.Topics, topic)
		w.ask(request, 12)
		made := <-asked
		got := fmt.Sprint(made.NumPartitions, made.ReplicationFactor)
		for _, c := range made.Configs {
			got += fmt.Sprintf(" %s=%s", c.Name, *c.Value)
		}
		if made.Topic != name || got != want {
			t.Errorf("%s is created as %s\nnot                    %s", made.Topic, got, want)
		}
	}
}
