//go:build suite

package cluster

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"
)

// TestAFrozenNodeTakesNobodyWithIt freezes each node in turn for longer than two sessions, the active controller among them, whose
// connections stay open and answer nothing: the survivors' heartbeats must find their way to its successor.
func TestAFrozenNodeTakesNobodyWithIt(t *testing.T) {
	c := newCluster(t)
	c.startAll()
	c.createTopic()
	const session, grace = 2500 * time.Millisecond, 15 * time.Second
	for i, frozen := range c.nodes {
		survivors := slices.Delete(slices.Clone(c.nodes), i, i+1)
		frozen.signal(syscall.SIGSTOP)
		since := time.Now()
		led := func(ctx context.Context) error {
			for _, survivor := range survivors {
				at, err := leaders(ctx, survivor)
				if err != nil {
					return err
				}
				if slices.ContainsFunc(at, func(id int32) bool { return id < 0 || id == int32(frozen.id) }) || len(at) != partitions {
					return fmt.Errorf("leaders are %v as node %d tells, and node %d is frozen", at, survivor.id, frozen.id)
				}
			}
			return nil
		}
		c.must(c.eventually(grace, led))
		took := time.Since(since)
		for time.Since(since) < 2*session+session {
			c.must(led(t.Context()))
		}
		t.Logf("node %d was frozen: its partitions had other leaders after %v, and kept them", frozen.id, took.Round(time.Millisecond))
		frozen.signal(syscall.SIGCONT)
		for _, p := range c.nodes {
			c.must(p.awaitReady(30 * time.Second))
		}
	}
}
