package controller

import (
	"slices"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterPartitionReassignments (key 45, versions 0 to 1, KIP-455) gives
// partitions other replicas, each partition by itself, or takes that back when
// the replicas of one are null. The new replicas are added at once; those that
// go stay until the new ones are in sync, which an AlterPartition of the leader
// finds out. v1: a change of the number of replicas can be refused (KIP-860).

func (d *decision) alterPartitionReassignments(request *kmsg.AlterPartitionAssignmentsRequest) *kmsg.AlterPartitionAssignmentsResponse {
	response := request.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	response.AllowReplicationFactorChange = request.AllowReplicationFactorChange
	if len(request.Topics) == 0 {
		// Kafka answers this before it looks at anything, and its message is empty, not null.
		response.AllowReplicationFactorChange = true
		response.ErrorMessage = new(string)
		return response
	}
	var refused error
	if request.TimeoutMillis <= 0 {
		refused = refuseBare(kerr.RequestTimedOut)
		response.ErrorCode, response.ErrorMessage = told(refused)
		response.AllowReplicationFactorChange = true
	}
	named := make(map[topicPartition]bool)
	for i := range request.Topics {
		t := &request.Topics[i]
		result := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		result.Topic = t.Topic
		for j := range t.Partitions {
			err, at := refused, topicPartition{t.Topic, t.Partitions[j].Partition}
			if named[at] {
				d.advance() // it is changed by one after the other
			}
			named[at] = true
			if err == nil {
				err = d.reassignOne(t.Topic, &t.Partitions[j], request.AllowReplicationFactorChange)
			}
			partition := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			partition.Partition = t.Partitions[j].Partition
			partition.ErrorCode, partition.ErrorMessage = told(err)
			result.Partitions = append(result.Partitions, partition)
		}
		response.Topics = append(response.Topics, result)
	}
	return response
}

type topicPartition struct {
	topic     string
	partition int32
}

func (d *decision) reassignOne(name string, target *kmsg.AlterPartitionAssignmentsRequestTopicPartition, mayChangeFactor bool) error {
	im := d.view
	t, ok := im.Topic(name)
	if !ok {
		return refuse(kerr.UnknownTopicOrPartition, "Unable to find a topic named %s.", name)
	}
	if index := target.Partition; index < 0 || int(index) >= len(t.Partitions) || !t.Partitions[index].Exists() {
		return refuse(kerr.UnknownTopicOrPartition, "Unable to find partition %s:%d.", name, index)
	}
	if len(d.records) == maxRecords {
		return refuse(kerr.PolicyViolation, "Unable to perform excessively large batch operation.")
	}
	c := d.change(im, t, target.Partition)
	var err error
	if target.Replicas == nil {
		err = cancelReassignment(c, name, d.uncleanElection(im, name))
	} else {
		err = d.beginReassignment(c, target.Replicas, mayChangeFactor)
	}
	if err != nil {
		return err
	}
	if r := c.build(); r != nil {
		d.add(r)
	}
	return nil
}

// beginReassignment aims a change at other replicas. A reassignment that is
// under way is replaced: what it was adding is still added if it is wanted, and
// else goes when this one ends. Kafka counts a replica that is being added as
// one of old, and so never ends a reassignment back to the old replicas.
func (d *decision) beginReassignment(c *partitionChange, target []int32, mayChangeFactor bool) error {
	if err := d.checkAssignment(target, 0); err != nil {
		return err
	}
	p := c.partition
	if n := factorAfter(p); !mayChangeFactor && n != len(target) {
		return refuse(kerr.InvalidReplicationFactor, "The replication factor is changed from %d to %d", n, len(target))
	}
	original := without(p.Replicas, p.Adding...)
	c.adding = sorted(without(target, original...))
	c.removing = sorted(without(p.Replicas, target...))
	c.replicas = slices.Concat(target, c.removing)
	return nil
}

// factorAfter is how many replicas a partition has, once it is reassigned.
func factorAfter(p *meta.Partition) int { return len(without(p.Replicas, p.Removing...)) }

// cancelReassignment goes back to the replicas from before. When only new ones
// are in sync, the old ones lack what these have acknowledged: that is lost only
// where the topic's configs allow it.
func cancelReassignment(c *partitionChange, name string, unclean bool) error {
	p := c.partition
	if !reassigning(p) {
		return refuseBare(kerr.NoReassignmentInProgress)
	}
	c.replicas, c.isr = without(p.Replicas, p.Adding...), without(p.ISR, p.Adding...)
	if len(c.replicas) == 0 {
		return refuse(kerr.InvalidReplicaAssignment, "Invalid replica assignment: addingReplicas contains all replicas.")
	}
	if len(c.isr) == 0 {
		if !unclean {
			return refuse(kerr.InvalidReplicaAssignment,
				"Unable to revert partition assignment for %s:%d because it would require an unclean leader election.", name, c.index)
		}
		c.isr, c.recovery = c.replicas[:1:1], meta.Recovering
	}
	if unclean {
		c.election = electUnclean
	}
	c.adding, c.removing = nil, nil
	return nil
}

// reassigning says that a partition has replicas that come or go.
func reassigning(p *meta.Partition) bool { return len(p.Adding)+len(p.Removing) > 0 }

func sorted(ids []int32) []int32 {
	slices.Sort(ids)
	return ids
}
