//go:build suite

package cluster

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/test/history"
)

const groupName = "readers"

// coordinator is the node that coordinates the group.
func (c *cluster) coordinator(client *kgo.Client) *process {
	c.t.Helper()
	at := kadm.NewClient(client).FindGroupCoordinators(c.t.Context(), groupName)[groupName]
	c.must(at.Err)
	for _, p := range c.nodes {
		if int32(p.id) == at.NodeID {
			return p
		}
	}
	c.t.Fatalf("node %d is none of the cluster", at.NodeID)
	return nil
}

// commit commits an offset of a member's, and asks again, elsewhere if it must, until that is acknowledged.
func commit(ctx context.Context, client *kgo.Client, topic kadm.TopicID, member string, generation int32, offset int64) error {
	for {
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.MemberID, req.Generation = groupName, member, generation
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Offset = offset
		req.Topics = []kmsg.OffsetCommitRequestTopic{{Topic: topicName, TopicID: topic, Partitions: []kmsg.OffsetCommitRequestTopicPartition{p}}}
		resp, err := req.RequestWith(ctx, client)
		if err == nil {
			err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
		}
		if err == nil || ctx.Err() != nil || errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.UnknownMemberID) {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond): // between attempts
		case <-ctx.Done():
		}
	}
}

func TestAGroupSurvivesItsCoordinatorWithoutARebalance(t *testing.T) {
	c := newCluster(t, "group.initial.rebalance.delay.ms=0")
	c.startAll()
	c.createTopic()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.addresses()...), kgo.ConsumeTopics(topicName), kgo.ConsumerGroup(groupName),
		kgo.DisableAutoCommit(), kgo.MetadataMinAge(20*time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	c.must(err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for member, generation := client.GroupMetadata(); generation < 1 || member == ""; member, generation = client.GroupMetadata() {
		polling, done := context.WithTimeout(ctx, 50*time.Millisecond)
		client.PollFetches(polling)
		done()
		c.must(ctx.Err())
	}
	member, generation := client.GroupMetadata()
	topics, err := kadm.NewClient(client).ListTopics(ctx, topicName)
	c.must(err)
	rebalances := 0
	for round := range int64(4) {
		c.must(commit(ctx, client, topics[topicName].ID, member, generation, 100+round))
		p := c.coordinator(client)
		p.kill()
		killed := time.Now()
		err := commit(ctx, client, topics[topicName].ID, member, generation, 200+round)
		if errors.Is(err, kerr.IllegalGeneration) {
			// Rarely a dead node's session is waited for, and then the client joins anew of its own accord.
			t.Logf("the group was rebalanced %v after the coordinator was killed", time.Since(killed).Round(time.Millisecond))
			rebalances++
			member, generation = client.GroupMetadata()
			err = commit(ctx, client, topics[topicName].ID, member, generation, 200+round)
		}
		c.must(err)
		t.Logf("commit acknowledged %v after the coordinator, node %d, was killed", time.Since(killed).Round(time.Millisecond), p.id)
		offsets, err := kadm.NewClient(client).FetchOffsets(ctx, groupName)
		c.must(err)
		if at, _ := offsets.Lookup(topicName, 0); at.At != 200+round {
			t.Errorf("the group is at %d, %d was acknowledged", at.At, 200+round)
		}
		c.must(p.start())
		c.must(p.awaitReady(30 * time.Second))
	}
	if m, _ := client.GroupMetadata(); m != member || rebalances > 1 {
		t.Errorf("member %s became %s, and the group was rebalanced %d times", member, m, rebalances)
	}
}

// leaders are the leaders of the topic's partitions, as a node tells them.
func leaders(ctx context.Context, from *process) ([]int32, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(from.client))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(ctx, topicName)
	if err != nil {
		return nil, err
	}
	var out []int32
	for _, p := range topics[topicName].Partitions.Sorted() {
		out = append(out, p.Leader)
	}
	return out, nil
}

// TestASilentNodeIsTakenOutOfTheWay prints how long a node that is stopped, not dead, is waited for.
func TestASilentNodeIsTakenOutOfTheWay(t *testing.T) {
	c, h := newCluster(t), history.New()
	c.startAll()
	c.createTopic()
	p, survivor := c.nodes[0], c.nodes[1]
	p.signal(syscall.SIGSTOP)
	silent := time.Now()
	c.must(c.eventually(15*time.Second, func(ctx context.Context) error {
		return c.ledBy(ctx, survivor, func(leader int32) bool { return leader != int32(p.id) })
	}))
	t.Logf("all partitions have another leader %v after node %d fell silent", time.Since(silent).Round(time.Millisecond), p.id)
	l := startLoadAt(c, h, []string{survivor.client, c.nodes[2].client})
	letRun(200 * time.Millisecond)
	c.must(l.end())
	t.Logf("and with fresh connections the longest wait for an acknowledgement is %v then", l.stall().Round(time.Millisecond))
	p.signal(syscall.SIGCONT)
	for _, p := range c.nodes {
		c.must(p.awaitReady(30 * time.Second))
	}
	c.verify(h)
}

// eventually tries until it goes well.
func (c *cluster) eventually(patience time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	for {
		attempt, done := context.WithTimeout(ctx, time.Second)
		err := try(attempt)
		done()
		if err == nil {
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond): // between attempts
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}
