package controller

import (
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ListPartitionReassignments (key 46, version 0, KIP-455) tells which partitions
// have replicas that come or go, of those that are named or of all. Topics and
// partitions that are not being reassigned, or not there, are left out.

func (d *decision) listPartitionReassignments(request *kmsg.ListPartitionReassignmentsRequest) *kmsg.ListPartitionReassignmentsResponse {
	response := request.ResponseKind().(*kmsg.ListPartitionReassignmentsResponse)
	add := func(t *meta.Topic, indexes []int32) {
		if ongoing := ongoingReassignments(t, indexes); len(ongoing.Partitions) > 0 {
			response.Topics = append(response.Topics, ongoing)
		}
	}
	if request.Topics == nil {
		for t := range d.im.Topics() {
			all := make([]int32, len(t.Partitions))
			for i := range all {
				all[i] = int32(i)
			}
			add(t, all)
		}
		return response
	}
	for i := range request.Topics {
		if t, ok := d.im.Topic(request.Topics[i].Topic); ok {
			add(t, request.Topics[i].Partitions)
		}
	}
	return response
}

func ongoingReassignments(t *meta.Topic, indexes []int32) kmsg.ListPartitionReassignmentsResponseTopic {
	topic := kmsg.NewListPartitionReassignmentsResponseTopic()
	topic.Topic = t.Name
	for _, index := range indexes {
		if index < 0 || int(index) >= len(t.Partitions) {
			continue
		}
		p := t.Partitions[index]
		if !p.Exists() || !reassigning(p) {
			continue
		}
		partition := kmsg.NewListPartitionReassignmentsResponseTopicPartition()
		partition.Partition, partition.Replicas = index, p.Replicas
		partition.AddingReplicas, partition.RemovingReplicas = p.Adding, p.Removing
		topic.Partitions = append(topic.Partitions, partition)
	}
	return topic
}
