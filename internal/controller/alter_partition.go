package controller

import (
	"slices"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterPartition (key 56, versions 0 to 3) is a leader's proposal of a new
// in-sync set, or the word that it has recovered from an unclean election
// (KIP-497, KIP-704). v2 names topics by id (KIP-841), v3 replicas with their
// broker epochs, so that one which restarted in between does not come in on the
// fetches of its predecessor (KIP-903).

func (d *decision) alterPartition(request *kmsg.AlterPartitionRequest) *kmsg.AlterPartitionResponse {
	response := request.ResponseKind().(*kmsg.AlterPartitionResponse)
	if _, err := d.brokerOfEpoch(request.BrokerID, request.BrokerEpoch); err != nil {
		response.ErrorCode, _ = told(err)
		return response
	}
	type place struct {
		topic meta.ID
		index int32
	}
	done := make(map[place]bool)
	for i := range request.Topics {
		t := &request.Topics[i]
		result := kmsg.NewAlterPartitionResponseTopic()
		result.Topic, result.TopidID = t.Topic, t.TopicID
		topic, known := d.im.TopicByID(t.TopicID)
		unknown := kerr.UnknownTopicID
		if request.Version < 2 {
			topic, known = d.im.Topic(t.Topic)
			unknown = kerr.UnknownTopicOrPartition
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			partition := kmsg.NewAlterPartitionResponseTopicPartition()
			partition.Partition = p.Partition
			switch {
			case !known:
				partition.ErrorCode = unknown.Code
			case done[place{topic.ID, p.Partition}]:
				partition.ErrorCode = kerr.InvalidRequest.Code
			default:
				done[place{topic.ID, p.Partition}] = true
				d.alterOne(&partition, topic, p, request)
			}
			result.Partitions = append(result.Partitions, partition)
		}
		response.Topics = append(response.Topics, result)
	}
	return response
}

// proposedISR is the in-sync set that is asked for; an epoch of -1 is not checked.
func proposedISR(p *kmsg.AlterPartitionRequestTopicPartition, version int16) ([]int32, []int64) {
	ids, epochs := []int32{}, []int64{}
	if version < 3 {
		for _, id := range p.NewISR {
			ids, epochs = append(ids, id), append(epochs, -1)
		}
		return ids, epochs
	}
	for i := range p.NewEpochISR {
		ids, epochs = append(ids, p.NewEpochISR[i].BrokerID), append(epochs, p.NewEpochISR[i].BrokerEpoch)
	}
	return ids, epochs
}

func (d *decision) alterOne(result *kmsg.AlterPartitionResponseTopicPartition, topic *meta.Topic,
	p *kmsg.AlterPartitionRequestTopicPartition, request *kmsg.AlterPartitionRequest) {
	isr, epochs := proposedISR(p, request.Version)
	if err := d.proposalRefused(topic, p, isr, epochs, request.BrokerID); err != nil {
		result.ErrorCode, _ = told(err)
		return
	}
	partition := topic.Partitions[p.Partition]
	c := d.change(d.im, topic, p.Partition)
	if d.uncleanElection(d.im, topic.Name) {
		c.election = electUnclean
	}
	c.isr, c.recovery = isr, p.LeaderRecoveryState
	if record := c.build(); record != nil {
		d.add(record)
		next, err := partition.Merge(record)
		if err != nil {
			panic(err) // an own record
		}
		partition = next
		if record.Leader != meta.NoLeaderChange && record.Leader != request.BrokerID {
			// The proposal ended a reassignment that took the leader away: it was
			// accepted, and whoever proposed it must look who leads now.
			result.ErrorCode = kerr.NewLeaderElected.Code
			return
		}
	}
	result.LeaderID, result.LeaderEpoch = partition.Leader, partition.LeaderEpoch
	result.ISR, result.LeaderRecoveryState = partition.ISR, partition.LeaderRecovery
	result.PartitionEpoch = partition.PartitionEpoch
}

func (d *decision) proposalRefused(topic *meta.Topic, p *kmsg.AlterPartitionRequestTopicPartition,
	isr []int32, epochs []int64, broker int32) error {
	if p.Partition < 0 || int(p.Partition) >= len(topic.Partitions) || !topic.Partitions[p.Partition].Exists() {
		return refuseBare(kerr.UnknownTopicOrPartition)
	}
	partition := topic.Partitions[p.Partition]
	switch {
	case p.LeaderEpoch > partition.LeaderEpoch, p.PartitionEpoch > partition.PartitionEpoch:
		return refuseBare(kerr.NotController) // the leader knows more: somebody else controls
	case p.LeaderEpoch < partition.LeaderEpoch:
		return refuseBare(kerr.FencedLeaderEpoch)
	case broker != partition.Leader:
		return refuseBare(kerr.InvalidRequest)
	case p.PartitionEpoch < partition.PartitionEpoch:
		return refuseBare(kerr.InvalidUpdateVersion)
	case !validISR(partition.Replicas, isr), !slices.Contains(isr, partition.Leader):
		return refuseBare(kerr.InvalidRequest)
	case p.LeaderRecoveryState != meta.Recovered && p.LeaderRecoveryState != meta.Recovering:
		return refuseBare(kerr.InvalidRequest)
	case p.LeaderRecoveryState == meta.Recovering && len(isr) > 1:
		return refuseBare(kerr.InvalidRequest)
	case p.LeaderRecoveryState == meta.Recovering && partition.LeaderRecovery == meta.Recovered:
		return refuseBare(kerr.InvalidRequest)
	}
	for i, id := range isr {
		b, ok := d.im.Broker(id)
		if !ok || b.InControlledShutdown || b.Fenced || epochs[i] != -1 && epochs[i] != b.Epoch {
			return refuseBare(kerr.IneligibleReplica)
		}
	}
	return nil
}

// validISR says that an in-sync set is not empty, has nobody twice, and is part
// of the replicas.
func validISR(replicas, isr []int32) bool {
	for i, id := range isr {
		if slices.Contains(isr[:i], id) {
			return false
		}
	}
	return len(isr) > 0 && containsAll(replicas, isr)
}
