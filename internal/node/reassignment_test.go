package node_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// createOn makes a topic of one partition on the brokers.
func (e *ensemble) createOn(through int, topic string, replicas ...int32) {
	e.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 10_000
	ask := kmsg.NewCreateTopicsRequestTopic()
	ask.Topic, ask.NumPartitions, ask.ReplicationFactor = topic, -1, -1
	ask.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: 0, Replicas: replicas}}
	req.Topics = append(req.Topics, ask)
	answer, err := call[*kmsg.CreateTopicsResponse](e.nodes[through].client, req)
	must(e.t, err)
	must(e.t, refusal(answer.Topics[0].ErrorCode, answer.Topics[0].ErrorMessage))
}

// reassign asks for other replicas of a topic's first partition; nil takes the wish back.
func (c *client) reassign(topic string, replicas []int32) error {
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	req.TimeoutMillis = 10_000
	ask := kmsg.NewAlterPartitionAssignmentsRequestTopic()
	ask.Topic, ask.Partitions = topic, []kmsg.AlterPartitionAssignmentsRequestTopicPartition{{Replicas: replicas}}
	req.Topics = append(req.Topics, ask)
	answer, err := call[*kmsg.AlterPartitionAssignmentsResponse](c, req)
	if err != nil {
		return err
	}
	if err := refusal(answer.ErrorCode, answer.ErrorMessage); err != nil {
		return err
	}
	return refusal(answer.Topics[0].Partitions[0].ErrorCode, answer.Topics[0].Partitions[0].ErrorMessage)
}

// reassigning is how many topics have replicas that come or go.
func (c *client) reassigning() (int, error) {
	answer, err := call[*kmsg.ListPartitionReassignmentsResponse](c, kmsg.NewPtrListPartitionReassignmentsRequest())
	if err != nil {
		return 0, err
	}
	return len(answer.Topics), refusal(answer.ErrorCode, answer.ErrorMessage)
}

// place is a topic's first partition, as a broker's metadata tells it.
func (c *client) place(topic string) (kmsg.MetadataResponseTopicPartition, error) {
	req := kmsg.NewPtrMetadataRequest()
	ask := kmsg.NewMetadataRequestTopic()
	ask.Topic = &topic
	req.Topics = append(req.Topics, ask)
	answer, err := call[*kmsg.MetadataResponse](c, req)
	if err != nil {
		return kmsg.MetadataResponseTopicPartition{}, err
	}
	if err := kerr.ErrorForCode(answer.Topics[0].ErrorCode); err != nil {
		return kmsg.MetadataResponseTopicPartition{}, err
	}
	return answer.Topics[0].Partitions[0], nil
}

// awaitPlace asks every node until all say that a topic's first partition lies on these replicas, all in sync, the first leading.
func (e *ensemble) awaitPlace(topic string, replicas ...int32) {
	e.t.Helper()
	for _, p := range e.nodes {
		for deadline := time.Now().Add(patience); ; {
			at, err := p.client.place(topic)
			if err == nil && slices.Equal(at.Replicas, replicas) && len(at.ISR) == len(replicas) && at.Leader == replicas[0] {
				break
			}
			if p.client.giveUp(deadline) {
				e.t.Fatalf("%s has replicas %v, in sync %v, leader %d, %v", topic, at.Replicas, at.ISR, at.Leader, err)
			}
		}
	}
}

func TestAPartitionMovesToOtherBrokersWithItsRecords(t *testing.T) {
	e := newEnsemble(t, nil)
	e.start(0, 1, 2)
	e.createOn(0, "moving", 1)
	e.awaitPlace("moving", 1)
	for i := range 20 {
		_, err := e.nodes[0].client.produce("moving", 0, records(fmt.Sprint(i)))
		must(t, err)
	}
	before := valuesOf(t, e.nodes[0].client, "moving", 0)

	must(t, e.nodes[2].client.reassign("moving", []int32{3, 2})) // through a broker that has nothing of it
	e.awaitPlace("moving", 3, 2)
	if n, err := e.nodes[1].client.reassigning(); n != 0 || err != nil {
		t.Errorf("%d topics are being reassigned, %v", n, err)
	}
	if after := valuesOf(t, e.nodes[2].client, "moving", 0); after != before {
		t.Errorf("before: %s\nafter: %s", before, after)
	}
	if _, err := e.nodes[0].client.produce("moving", 0, records("late")); !errors.Is(err, kerr.NotLeaderForPartition) && !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("the broker that it left takes records: %v", err)
	}

	must(t, e.nodes[0].client.reassign("moving", []int32{2}))
	e.awaitPlace("moving", 2)
	if err := e.nodes[0].client.reassign("moving", nil); !errors.Is(err, kerr.NoReassignmentInProgress) {
		t.Errorf("nothing to take back, and it is answered %v", err)
	}
	if after := valuesOf(t, e.nodes[1].client, "moving", 0); after != before {
		t.Errorf("before: %s\nafter: %s", before, after)
	}
}

func TestAReassignmentUnderAThrottleOfNothingWaitsUntilThatIsLifted(t *testing.T) {
	for _, side := range []string{"leader", "follower"} {
		e := newEnsemble(t, nil)
		e.start(0, 1, 2)
		e.createOn(0, "moving", 1)
		e.awaitPlace("moving", 1)
		_, err := e.nodes[0].client.produce("moving", 0, records("a"))
		must(t, err)
		at := e.nodes[0].client
		must(t, at.setConfig(kmsg.ConfigResourceTypeBroker, "", side+".replication.throttled.rate", "0"))
		must(t, at.setConfig(kmsg.ConfigResourceTypeTopic, "moving", side+".replication.throttled.replicas", "0:1,0:2"))
		must(t, at.reassign("moving", []int32{1, 2}))
		for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); {
			where, err := at.place("moving")
			must(t, err)
			if len(where.ISR) != 1 {
				t.Fatalf("%s: in sync are %v", side, where.ISR)
			}
		}
		must(t, at.setConfig(kmsg.ConfigResourceTypeBroker, "", side+".replication.throttled.rate", "1000000"))
		e.awaitPlace("moving", 1, 2)
	}
}
