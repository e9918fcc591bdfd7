//go:build suite

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/barnabas-mq/barnabas/test/history"
)

// barnabas runs a command on the cluster and reads the JSON that it prints.
func (c *cluster) barnabas(into any, arguments ...string) error {
	c.t.Helper()
	command := exec.CommandContext(c.t.Context(), c.nodes[0].binary, append(arguments, "-o", "json", "-b", strings.Join(c.addresses(), ","))...)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if into != nil {
		c.must(json.Unmarshal(out, into))
	}
	if err != nil {
		return fmt.Errorf("barnabas %v: %w: %s", arguments, err, stderr.String())
	}
	return nil
}

type status struct {
	Healthy  bool
	Problems []string
	Brokers  []struct{ ID, Leads, Replicas int }
}

func TestRebalancingEmptiesABrokerAndGivesItItsShareAgain(t *testing.T) {
	c, h := newCluster(t), history.New()
	c.startAll()
	c.must(c.barnabas(nil, "topic", "create", topicName, "--replica-assignment", "1:2,1:2,1:2,1:2,1:2,1:2"))
	l := startLoad(c, h)
	c.must(c.eventually(10*time.Second, func(context.Context) error { return acknowledged(h, 1000) }))
	var plan struct {
		Moves    []struct{ To []int32 }
		Executed bool
	}
	c.must(c.barnabas(&plan, "cluster", "rebalance"))
	if len(plan.Moves) == 0 || plan.Executed {
		t.Errorf("the plan is %+v", plan)
	}
	c.must(c.barnabas(&plan, "cluster", "rebalance", "--execute", "--throttle", "10000000", "--at-once", "2"))
	want := func(replicas ...int) {
		t.Helper()
		var s status
		c.must(c.eventually(10*time.Second, func(context.Context) error { return c.barnabas(&s, "cluster", "status") }))
		for i, b := range s.Brokers {
			if b.Replicas != replicas[i] {
				t.Errorf("brokers hold and lead %+v, want %v", s.Brokers, replicas)
			}
		}
	}
	want(4, 4, 4)
	c.must(c.barnabas(&plan, "cluster", "rebalance", "--remove-broker", "2", "--execute"))
	want(6, 0, 6)
	p := c.nodes[1]
	p.kill()
	c.must(c.eventually(10*time.Second, func(context.Context) error {
		var s status
		if err := c.barnabas(&s, "cluster", "status"); err == nil || s.Healthy || !strings.Contains(strings.Join(s.Problems, "\n"), "broker 2 is fenced") {
			return fmt.Errorf("with node 2 killed the status is %+v, %w", s, err)
		}
		return nil
	}))
	c.must(p.start())
	c.must(p.awaitReady(30 * time.Second))
	c.must(c.barnabas(&plan, "cluster", "rebalance", "--execute"))
	want(4, 4, 4)
	c.must(l.end())
	c.verify(h)
}

func acknowledged(h *history.History, least int) error {
	if n := h.Acknowledged(); n < least {
		return fmt.Errorf("%d records are acknowledged", n)
	}
	return nil
}
