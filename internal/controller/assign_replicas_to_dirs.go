package controller

import (
	"slices"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AssignReplicasToDirs (key 73, version 0) says in which of its directories a
// broker has put its replicas (KIP-858). One that lies in a directory which is
// offline leaves the in-sync set.

func (d *decision) assignReplicasToDirs(request *kmsg.AssignReplicasToDirsRequest) *kmsg.AssignReplicasToDirsResponse {
	response := request.ResponseKind().(*kmsg.AssignReplicasToDirsResponse)
	b, err := d.brokerOfEpoch(request.BrokerID, request.BrokerEpoch)
	if err == nil && d.im.MetadataVersion() < meta.Level37IV2 {
		err = refuseBare(kerr.UnsupportedVersion)
	}
	if err != nil {
		response.ErrorCode, _ = told(err)
		return response
	}
	for i := range request.Directories {
		directory := &request.Directories[i]
		result := kmsg.NewAssignReplicasToDirsResponseDirectory()
		result.ID = directory.ID
		for j := range directory.Topics {
			result.Topics = append(result.Topics, d.assignTopic(b, directory.ID, &directory.Topics[j]))
		}
		response.Directories = append(response.Directories, result)
	}
	return response
}

func (d *decision) assignTopic(b *meta.Broker, directory meta.ID,
	t *kmsg.AssignReplicasToDirsRequestDirectoryTopic) kmsg.AssignReplicasToDirsResponseDirectoryTopic {
	result := kmsg.NewAssignReplicasToDirsResponseDirectoryTopic()
	result.TopicID = t.TopicID
	for k := range t.Partitions {
		partition := kmsg.NewAssignReplicasToDirsResponseDirectoryTopicPartition()
		partition.Partition = t.Partitions[k].Partition
		partition.ErrorCode, _ = told(d.assignPartition(b, directory, t.TopicID, partition.Partition))
		result.Partitions = append(result.Partitions, partition)
	}
	return result
}

func (d *decision) assignPartition(b *meta.Broker, directory, topic meta.ID, index int32) error {
	im := d.advance() // a request may name a partition more than once
	t, ok := im.TopicByID(topic)
	switch {
	case !ok:
		return refuseBare(kerr.UnknownTopicID)
	case index < 0 || int(index) >= len(t.Partitions) || !t.Partitions[index].Exists():
		return refuseBare(kerr.UnknownTopicOrPartition)
	case !slices.Contains(t.Partitions[index].Replicas, b.ID):
		return refuseBare(kerr.NotLeaderForPartition)
	}
	c := d.change(im, t, index)
	c.movedBroker, c.movedTo = b.ID, &directory
	if !hasOnline(b, directory) {
		c.isr = without(c.isr, b.ID)
		inImage := c.acceptable
		c.acceptable = func(id int32, where meta.ID) bool { return id != b.ID && inImage(id, where) }
		if d.uncleanElection(im, t.Name) {
			c.election = electUnclean
		}
	}
	if r := c.build(); r != nil {
		d.add(r)
	}
	return nil
}
