package node_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/vfs"
)

// quorum is who leads the metadata quorum and who takes part in it, as a node tells.
func (c *client) quorum() (*kmsg.DescribeQuorumResponseTopicPartition, error) {
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic, topic.Partitions = "__cluster_metadata", []kmsg.DescribeQuorumRequestTopicPartition{{}}
	req.Topics = append(req.Topics, topic)
	answer, err := call[*kmsg.DescribeQuorumResponse](c, req)
	if err != nil {
		return nil, err
	}
	if err := refusal(answer.ErrorCode, answer.ErrorMessage); err != nil {
		return nil, err
	}
	p := &answer.Topics[0].Partitions[0]
	return p, kerr.ErrorForCode(p.ErrorCode)
}

func ids(states []kmsg.DescribeQuorumResponseTopicPartitionReplicaState) []int32 {
	all := []int32{}
	for _, s := range states {
		all = append(all, s.ReplicaID)
	}
	return all
}

// awaitQuorum asks until these vote and these observe, all of whom have all metadata.
func (p *process) awaitQuorum(t *testing.T, voters, observers []int32) *kmsg.DescribeQuorumResponseTopicPartition {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		q, err := p.client.quorum()
		must(t, err)
		there := func(s kmsg.DescribeQuorumResponseTopicPartitionReplicaState) bool {
			return s.LogEndOffset < q.HighWatermark
		}
		if slices.Equal(ids(q.CurrentVoters), voters) && slices.Equal(ids(q.Observers), observers) && !slices.ContainsFunc(slices.Concat(q.CurrentVoters, q.Observers), there) {
			return q
		}
		if p.client.giveUp(deadline) {
			t.Fatalf("voters %+v, observers %+v of a log that ends at %d", q.CurrentVoters, q.Observers, q.HighWatermark)
		}
	}
}

// vote has an observer vote.
func (e *ensemble) vote(through int, state kmsg.DescribeQuorumResponseTopicPartitionReplicaState) error {
	req := kmsg.NewPtrAddRaftVoterRequest()
	req.TimeoutMillis, req.VoterID, req.VoterDirectoryID = 10_000, state.ReplicaID, state.ReplicaDirectoryID
	l := kmsg.NewAddRaftVoterRequestListener()
	l.Name, l.Host, l.Port = "CONTROLLER", "127.0.0.1", uint16(e.ports[state.ReplicaID-1])
	req.Listeners = append(req.Listeners, l)
	answer, err := call[*kmsg.AddRaftVoterResponse](e.nodes[through].client, req)
	if err != nil {
		return err
	}
	return refusal(answer.ErrorCode, answer.ErrorMessage)
}

func (e *ensemble) unvote(through int, state kmsg.DescribeQuorumResponseTopicPartitionReplicaState) error {
	req := kmsg.NewPtrRemoveRaftVoterRequest()
	req.VoterID, req.VoterDirectoryID = state.ReplicaID, state.ReplicaDirectoryID
	answer, err := call[*kmsg.RemoveRaftVoterResponse](e.nodes[through].client, req)
	if err != nil {
		return err
	}
	return refusal(answer.ErrorCode, answer.ErrorMessage)
}

func TestANodeThatLostItsDiskTakesItsVoteBackUnderANewIdentity(t *testing.T) {
	e := newEnsemble(t, nil)
	e.start(0, 1, 2)
	before := e.nodes[1].awaitQuorum(t, []int32{1, 2, 3}, []int32{})
	e.stop(0) // the one that begins quorums
	e.create(1, "meanwhile", 1, 2)
	e.disks[0] = vfs.NewMem()
	e.start(0)
	after := e.nodes[1].awaitQuorum(t, []int32{1, 2, 3}, []int32{})
	if a, b := before.CurrentVoters[0].ReplicaDirectoryID, after.CurrentVoters[0].ReplicaDirectoryID; a == b {
		t.Errorf("the lost directory %x still votes", a)
	}
	e.stop(1) // it counts: the two that are left are a majority
	e.create(0, "later", 1, 2)
}

func TestADiskThatIsLostWhileAnotherNodeIsDownDoesNotVoteUntilThatIsBack(t *testing.T) {
	e := newEnsemble(t, nil)
	e.start(0, 1, 2)
	e.stop(0)
	e.stop(1)
	e.disks[0] = vfs.NewMem()
	// One voter is left of three, and a node that has forgotten what it knew. They must not decide anything: node 1 waits.
	started := make(chan error, 1)
	go func() {
		var err error
		e.nodes[0], err = launch(e.disks[0], e.settings(0))
		started <- err
	}()
	select {
	case err := <-started:
		t.Fatalf("it serves beside one voter of three: %v", err)
	case <-time.After(time.Second):
	}
	e.start(1)
	must(t, <-started)
	e.nodes[1].awaitQuorum(t, []int32{1, 2, 3}, []int32{})
	e.create(0, "later", 1, 3)
}

func TestASingleNodeGrowsToThreeAndShrinksWhileItRuns(t *testing.T) {
	e := newEnsemble(t, nil)
	alone := mustLaunch(t, e.disks[2], map[string]string{"node.id": "3"}) // without a listener for controllers
	_, err := alone.client.createTopic("early", 1, nil)
	must(t, err)
	alone.mustStop(t)
	e.start(2)
	e.nodes[2].awaitQuorum(t, []int32{3}, []int32{})
	e.start(0, 1)
	q := e.nodes[0].awaitQuorum(t, []int32{3}, []int32{1, 2})
	must(t, e.vote(0, q.Observers[0]))
	must(t, e.vote(2, q.Observers[1]))
	q = e.nodes[1].awaitQuorum(t, []int32{1, 2, 3}, []int32{})
	if err := e.vote(2, q.CurrentVoters[0]); err != kerr.DuplicateVoter && !strings.Contains(fmt.Sprint(err), "DUPLICATE_VOTER") {
		t.Errorf("who votes already is added: %v", err)
	}
	e.create(0, "grown", 1, 3)
	e.stop(2) // where it all began
	e.create(0, "without-the-first", 1, 2)
	e.start(2)
	q = e.nodes[2].awaitQuorum(t, []int32{1, 2, 3}, []int32{})
	must(t, e.unvote(2, q.CurrentVoters[2]))
	e.nodes[0].awaitQuorum(t, []int32{1, 2}, []int32{3})
	e.create(2, "shrunk", 1, 3)
	if err := e.unvote(0, q.CurrentVoters[2]); err == nil || !strings.Contains(err.Error(), "VOTER_NOT_FOUND") {
		t.Errorf("who does not vote is removed: %v", err)
	}
	// Of two, the one that leads: it has the other one lead first, which would wait for its vote for ever else.
	q = e.nodes[0].awaitQuorum(t, []int32{1, 2}, []int32{3})
	leads, stays := q.LeaderID, 3-q.LeaderID
	must(t, e.unvote(2, q.CurrentVoters[leads-1]))
	e.nodes[2].awaitQuorum(t, []int32{stays}, []int32{leads, 3})
	e.create(2, "by-one-alone", 1, 3)
}

func TestControllersThatMayJoinByThemselvesMakeAClusterOfAnEmbeddedNode(t *testing.T) {
	e := newEnsemble(t, map[string]string{"controller.quorum.auto.join.enable": "true"})
	alone := mustLaunch(t, vfs.NewMem(), map[string]string{"node.id": "9", "broker.rack": "here"}) // as serve starts it
	_, err := alone.client.createTopic("early", 1, nil)
	must(t, err)
	// The others know nothing but where it serves its clients.
	join := map[string]string{"controller.quorum.bootstrap.servers": alone.node.Addresses()[0], "controller.quorum.voters": ""}
	for i := range 2 {
		settings := e.settings(i)
		for k, v := range join {
			settings[k] = v
		}
		p, err := launch(e.disks[i], settings)
		must(t, err)
		e.nodes[i] = p
	}
	alone.awaitQuorum(t, []int32{1, 2, 9}, []int32{})
	e.create(0, "grown", 1, 3)
	alone.mustStop(t)
	e.create(1, "without-the-first", 1, 2)
}

func TestBrokersFollowTheMetadataOfAControllerThatIsNoBroker(t *testing.T) {
	e := newEnsemble(t, nil)
	controller := func() *process {
		p, err := launch(e.disks[0], map[string]string{
			"node.id": "1", "process.roles": "controller", "controller.listener.names": "CONTROLLER",
			"listeners":                           fmt.Sprintf("CONTROLLER://127.0.0.1:%d", e.ports[0]),
			"controller.quorum.bootstrap.servers": fmt.Sprintf("127.0.0.1:%d", e.ports[0]),
		})
		must(t, err)
		return p
	}
	broker := func(i int) {
		p, err := launch(e.disks[i], map[string]string{
			"node.id": fmt.Sprint(i + 1), "process.roles": "broker", "controller.listener.names": "CONTROLLER",
			"metadata.log.max.record.bytes.between.snapshots": "1000",
			"controller.quorum.bootstrap.servers":             fmt.Sprintf("127.0.0.1:%d", e.ports[0]),
		})
		must(t, err)
		e.nodes[i] = p
	}
	e.nodes[0] = controller()
	broker(1)
	broker(2)
	q := e.nodes[1].awaitQuorum(t, []int32{1}, []int32{2, 3})
	if q.LeaderID != 1 {
		t.Errorf("node %d leads", q.LeaderID)
	}
	e.create(1, "topic", 2, 2)
	for deadline := time.Now().Add(patience); ; { // one of the two leads it, and both will know
		_, err := e.nodes[1].client.produce("topic", 0, records("a"))
		if err != nil {
			_, err = e.nodes[2].client.produce("topic", 0, records("a"))
		}
		if err == nil {
			break
		}
		if e.nodes[1].client.giveUp(deadline) {
			t.Fatal(err)
		}
	}

	e.stop(2) // what it misses, and more than one checkpoint of its own
	for i := range 40 {
		must(t, e.nodes[1].client.setConfig(kmsg.ConfigResourceTypeTopic, "topic", "retention.ms", fmt.Sprint(100_000+i)))
	}
	broker(2)
	e.nodes[2].awaitQuorum(t, []int32{1}, []int32{2, 3})

	e.stop(0)
	e.nodes[0] = controller()
	e.create(2, "another", 1, 2)
	e.nodes[1].awaitQuorum(t, []int32{1}, []int32{2, 3})
}

func TestTheOffsetsOfAGroupOutliveTheNodeThatBeganAlone(t *testing.T) {
	e := newEnsemble(t, map[string]string{"controller.quorum.auto.join.enable": "true", "offsets.topic.replication.factor": "3"})
	alone := mustLaunch(t, e.disks[2], map[string]string{"node.id": "3"})
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey, find.CoordinatorKeys = "readers", []string{"readers"}
	for deadline := time.Now().Add(patience); ; {
		answer, err := call[*kmsg.FindCoordinatorResponse](alone.client, find)
		must(t, err)
		if len(answer.Coordinators) == 1 && answer.Coordinators[0].ErrorCode == 0 {
			break
		}
		if alone.client.giveUp(deadline) {
			t.Fatalf("there is no coordinator: %+v", answer)
		}
	}
	alone.mustStop(t)
	e.start(2)
	e.start(0, 1)
	for deadline := time.Now().Add(patience); ; {
		at, err := e.nodes[0].client.place("__consumer_offsets")
		must(t, err)
		if len(at.Replicas) == 3 && len(at.ISR) == 3 {
			break
		}
		if e.nodes[0].client.giveUp(deadline) {
			t.Fatalf("replicas are %v, in sync %v", at.Replicas, at.ISR)
		}
	}
}

func TestABrokerFindsTheControllersThatItKnewWhenThoseThatAreConfiguredAreGone(t *testing.T) { // KAFKA-19354
	e := newEnsemble(t, nil)
	e.start(0, 1, 2)
	disk, settings := vfs.NewMem(), map[string]string{
		"node.id": "4", "process.roles": "broker", "controller.listener.names": "CONTROLLER",
		"controller.quorum.bootstrap.servers": fmt.Sprintf("127.0.0.1:%d", e.ports[0]),
	}
	broker := mustLaunch(t, disk, settings)
	broker.awaitQuorum(t, []int32{1, 2, 3}, []int32{4})
	broker.mustStop(t)
	e.stop(0)
	broker = mustLaunch(t, disk, settings)
	defer broker.mustStop(t)
	e.nodes[1].awaitObserver(t, 4)
}

// awaitObserver asks until a node follows the metadata.
func (p *process) awaitObserver(t *testing.T, node int32) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		q, err := p.client.quorum()
		must(t, err)
		if i := slices.Index(ids(q.Observers), node); i >= 0 && q.Observers[i].LogEndOffset >= q.HighWatermark {
			return
		}
		if p.client.giveUp(deadline) {
			t.Fatalf("observers %+v of a log that ends at %d", q.Observers, q.HighWatermark)
		}
	}
}
