package node_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAConsumerReadsFromTheFollowerInItsRack(t *testing.T) {
	e := newEnsemble(t, map[string]string{"replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector"})
	for i := range 3 {
		e.own[i] = map[string]string{"broker.rack": fmt.Sprint("rack-", i+1)}
	}
	e.start(0, 1, 2)
	e.createOn(0, "near", 1, 3)
	e.awaitPlace("near", 1, 3)
	for i := range 10 {
		_, err := e.nodes[0].client.produce("near", 0, records(fmt.Sprint(i)))
		must(t, err)
	}
	from := map[int32]int{} // fetches that brought records, by broker
	hook := fetchHook(func(broker int32) { from[broker]++ })
	consumer, err := kgo.NewClient(kgo.SeedBrokers(e.nodes[1].node.Addresses()[0]), kgo.Rack("rack-3"), kgo.ConsumeTopics("near"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.WithHooks(hook), kgo.FetchMaxWait(5*time.Second), kgo.RecheckPreferredReplicaInterval(100*time.Millisecond))
	must(t, err)
	defer consumer.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	read := func(n int) {
		t.Helper()
		for got := 0; got < n; {
			fetches := consumer.PollFetches(ctx)
			must(t, fetches.Err())
			got += fetches.NumRecords()
		}
	}
	read(10)
	// What comes later comes from there as well, and as soon as the follower knows that it is committed.
	for i := range 5 {
		_, err := e.nodes[0].client.produce("near", 0, records(fmt.Sprint("late-", i)))
		must(t, err)
		at := time.Now()
		read(1)
		t.Logf("read %v after it was acknowledged", time.Since(at))
	}
	if from[3] == 0 || from[1] != 0 {
		t.Errorf("records came from brokers %v, broker 3 is in the consumer's rack", from)
	}

	// Its broker goes; the leader serves the consumer then.
	e.stop(2)
	_, err = e.nodes[0].client.produce("near", 0, records("after"))
	must(t, err)
	read(1)
	if from[1] == 0 {
		t.Errorf("records came from brokers %v", from)
	}
}

// fetchHook is told of each batch of records that a consumer gets.
type fetchHook func(broker int32)

func (f fetchHook) OnFetchBatchRead(meta kgo.BrokerMetadata, _ string, _ int32, _ kgo.FetchBatchMetrics) {
	f(meta.NodeID)
}

var _ kgo.HookFetchBatchRead = fetchHook(nil)

func TestAFollowerServesConsumersOfItsOwnAccordOnlyWhereTheyKnowHow(t *testing.T) {
	e := newEnsemble(t, nil)
	e.start(0, 1, 2)
	e.createOn(0, "near", 1, 3)
	e.awaitPlace("near", 1, 3)
	fetch := func(version int16) int16 {
		req := kmsg.NewPtrFetchRequest()
		req.Version, req.ReplicaID, req.MaxBytes, req.SessionEpoch = version, -1, 1<<20, -1
		topic := kmsg.NewFetchRequestTopic()
		topic.Topic = "near"
		p := kmsg.NewFetchRequestTopicPartition()
		p.CurrentLeaderEpoch, p.PartitionMaxBytes = -1, 1<<20
		topic.Partitions = append(topic.Partitions, p)
		req.Topics = append(req.Topics, topic)
		resp, err := e.nodes[2].client.askIn(version, req)
		must(t, err)
		answer := resp.(*kmsg.FetchResponse)
		return answer.Topics[0].Partitions[0].ErrorCode
	}
	if code := fetch(10); code != 6 {
		t.Errorf("version 10 is answered %d, not NOT_LEADER_OR_FOLLOWER", code)
	}
	if code := fetch(11); code != 0 {
		t.Errorf("version 11 is answered %d", code)
	}
}
