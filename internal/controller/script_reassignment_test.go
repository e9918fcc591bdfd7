package controller

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// reassign takes lines as: t-0 3,2 with the new replicas, or t-0 cancel, or t-0 nobody
func (c *cluster) reassign(a arguments, lines []string) {
	r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	r.Version, r.TimeoutMillis = 1, int32(a.number("timeout", 1000))
	r.AllowReplicationFactorChange = !a.has("keep-factor")
	for _, line := range lines {
		fields := strings.Fields(line)
		name, index := splitPartition(fields[0])
		p := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
		p.Partition = index
		switch fields[1] {
		case "cancel":
		case "nobody":
			p.Replicas = []int32{}
		default:
			p.Replicas = numbers(fields[1])
		}
		t := kmsg.NewAlterPartitionAssignmentsRequestTopic()
		t.Topic, t.Partitions = name, append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
	}
	response := c.decide(r).(*kmsg.AlterPartitionAssignmentsResponse)
	var answer strings.Builder
	fmt.Fprintf(&answer, "%s, factor may change %t\n", outcome(response.ErrorCode, response.ErrorMessage), response.AllowReplicationFactorChange)
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			fmt.Fprintf(&answer, "%s-%d %s\n", t.Topic, p.Partition, outcome(p.ErrorCode, p.ErrorMessage))
		}
	}
	c.prepend("%s", answer.String())
}

// reassigning lists all reassignments, or those of the partitions that are named.
func (c *cluster) reassigning(a arguments, _ []string) {
	r := kmsg.NewPtrListPartitionReassignmentsRequest()
	if a.has("none") {
		r.Topics = []kmsg.ListPartitionReassignmentsRequestTopic{}
		a.words = nil
	}
	for _, w := range a.words {
		name, index := splitPartition(w)
		t := kmsg.NewListPartitionReassignmentsRequestTopic()
		t.Topic, t.Partitions = name, []int32{index}
		r.Topics = append(r.Topics, t)
	}
	response := c.decide(r).(*kmsg.ListPartitionReassignmentsResponse)
	var answer strings.Builder
	fmt.Fprintln(&answer, outcome(response.ErrorCode, response.ErrorMessage))
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			fmt.Fprintf(&answer, "%s-%d replicas %v adding %v removing %v\n", t.Topic, p.Partition, p.Replicas, list(p.AddingReplicas), list(p.RemovingReplicas))
		}
	}
	c.prepend("%s", answer.String())
}
