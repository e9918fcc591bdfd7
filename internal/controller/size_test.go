package controller

import (
	"fmt"
	"testing"

	"github.com/barnabas-mq/barnabas/internal/meta"
)

// large is a cluster of three brokers with that many partitions, ten a topic.
func large(tb testing.TB, partitions int) *cluster {
	c := newCluster(tb)
	c.play("born")
	c.play("brokers 1,2,3")
	edit := c.state.Image.Edit()
	for i := range partitions {
		topic := meta.ID{'L', byte(i / 10 >> 16), byte(i / 10 >> 8), byte(i / 10)}
		if i%10 == 0 {
			if err := edit.Replay(&meta.TopicRecord{Name: fmt.Sprintf("large-%d", i/10), TopicID: topic}); err != nil {
				tb.Fatal(err)
			}
		}
		first := int32(i % 3)
		replicas := []int32{first + 1, (first+1)%3 + 1, (first+2)%3 + 1}
		if err := edit.Replay(&meta.PartitionRecord{
			TopicID: topic, PartitionID: int32(i % 10), Replicas: replicas, ISR: replicas, Leader: replicas[0],
			Directories: make([]meta.ID, 3),
		}); err != nil {
			tb.Fatal(err)
		}
	}
	c.state = State{Image: edit.Image(), Soft: c.state.Soft}
	return c
}

func TestOneDecisionMovesAllLeadersOfALostBroker(t *testing.T) {
	c := large(t, 30_000)
	b, _ := c.state.Image.Broker(1)
	d := Fence(c.state, 1, b.Epoch, c.env)
	if len(d.Records) != 30_001 {
		t.Fatalf("%d records", len(d.Records))
	}
	after := c.state.Replay(d.Records...)
	for topic := range after.Image.Topics() {
		for i, p := range topic.Partitions {
			if p.Leader == 1 || len(p.ISR) != 2 {
				t.Fatalf("%s-%d is %+v", topic.Name, i, p)
			}
		}
	}
}

// maxBatchBytes is what a batch of the metadata log takes, and a decision is one batch.
const maxBatchBytes = 8 << 20

func TestALostBrokerOfAHundredThousandReplicasFitsOneBatch(t *testing.T) {
	c := large(t, 100_000)
	b, _ := c.state.Image.Broker(1)
	size := 0
	for _, r := range Fence(c.state, 1, b.Epoch, c.env).Records {
		payload, err := meta.Encode(nil, r, c.state.Image.MetadataVersion())
		if err != nil {
			t.Fatal(err)
		}
		const around = 12 // the longest that a record adds to its value: length, attributes, deltas, lengths
		size += len(payload) + around
	}
	if size > maxBatchBytes {
		t.Errorf("the decision takes %d bytes, a batch takes %d: the log would refuse it for ever", size, maxBatchBytes)
	}
}

// BenchmarkFence is a lost broker among 200,000 partitions: the decision and
// its replay, which is what a fail-over waits for beside the commit.
func BenchmarkFence(b *testing.B) {
	c := large(b, 200_000)
	lost, _ := c.state.Image.Broker(1)
	for b.Loop() {
		d := Fence(c.state, 1, lost.Epoch, c.env)
		c.state.Replay(d.Records...)
	}
}
