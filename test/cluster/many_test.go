//go:build suite

package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

var manyFlag = flag.Int("many", 1_000, "the partitions with which fail-over is measured beside ten")

// createMany makes the topic in steps: one request makes no more than 10,000 records.
func createMany(ctx context.Context, client *kadm.Client, many int) error {
	const step = 5_000
	resp, err := client.CreateTopic(ctx, int32(min(many, step)), nodes, nil, topicName)
	for at := step; at < many && err == nil && resp.Err == nil; at += step {
		var more kadm.CreatePartitionsResponses
		if more, err = client.CreatePartitions(ctx, min(step, many-at), topicName); err == nil {
			err = more[topicName].Err
		}
	}
	return errors.Join(err, resp.Err)
}

// TestFailOverDoesNotTakeLongerWithManyPartitions prints how long it takes, after a node was killed, until a survivor's metadata shows other
// leaders for all that it led, with few partitions and with many, and, after all three were killed, until all have leaders again.
func TestFailOverDoesNotTakeLongerWithManyPartitions(t *testing.T) {
	for _, many := range []int{10, *manyFlag} {
		c := newCluster(t)
		c.startAll()
		client, err := kgo.NewClient(kgo.SeedBrokers(c.addresses()...))
		c.must(err)
		c.must(createMany(t.Context(), kadm.NewClient(client), many))
		client.Close()
		led := func(from *process, wanted func(int32) bool) func(context.Context) error {
			return func(ctx context.Context) error {
				at, err := leaders(ctx, from)
				if err != nil {
					return err
				}
				if len(at) != many {
					return fmt.Errorf("%d partitions are known", len(at))
				}
				for i, leader := range at {
					if leader < 0 || !wanted(leader) {
						return fmt.Errorf("partition %d is led by %d", i, leader)
					}
				}
				return nil
			}
		}
		anybody := func(int32) bool { return true }
		for _, p := range c.nodes {
			c.must(c.eventually(30*time.Second, led(p, anybody)))
			c.must(p.awaitReady(time.Minute))
		}
		for i, p := range c.nodes {
			survivor := c.nodes[(i+1)%nodes]
			p.kill()
			killed := time.Now()
			c.must(c.eventually(30*time.Second, led(survivor, func(leader int32) bool { return leader != int32(p.id) })))
			t.Logf("%d partitions: other leaders %v after node %d was killed", many, time.Since(killed).Round(time.Millisecond), p.id)
			c.must(p.start())
			back := time.Now()
			c.must(p.awaitReady(time.Minute))
			t.Logf("%d partitions: in sync again %v after its start", many, time.Since(back).Round(time.Millisecond))
		}
		for _, p := range c.nodes {
			p.kill()
		}
		started := time.Now()
		for _, p := range c.nodes {
			c.must(p.start())
		}
		c.must(c.eventually(time.Minute, led(c.nodes[0], anybody)))
		t.Logf("%d partitions: all have leaders %v after all three nodes were killed and started again", many, time.Since(started).Round(time.Millisecond))
		for _, p := range c.nodes {
			c.must(p.awaitReady(time.Minute))
		}
		t.Logf("%d partitions: and all replicas are in sync after %v", many, time.Since(started).Round(time.Millisecond))
		for _, p := range c.nodes {
			c.must(p.stop())
		}
	}
}
