package controller

import (
	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreatePartitions (key 37, versions 0 to 3) adds partitions to topics, each
// topic wholly or not at all.

func (d *decision) createPartitions(request *kmsg.CreatePartitionsRequest) *kmsg.CreatePartitionsResponse {
	response := request.ResponseKind().(*kmsg.CreatePartitionsResponse)
	repeated := repeatedNames(request.Topics, func(t *kmsg.CreatePartitionsRequestTopic) string { return t.Topic })
	answered := make(map[string]bool)
	for i := range request.Topics {
		t := &request.Topics[i]
		if answered[t.Topic] {
			continue
		}
		answered[t.Topic] = true
		var records []meta.Record
		var err error
		switch {
		case request.TimeoutMillis <= 0:
			err = refuseBare(kerr.RequestTimedOut)
		case repeated[t.Topic]:
			err = refuse(kerr.InvalidRequest, "Duplicate topic name.")
		default:
			records, err = d.morePartitions(t, maxRecords-len(d.records))
		}
		d.add(records...)
		result := kmsg.NewCreatePartitionsResponseTopic()
		result.Topic = t.Topic
		result.ErrorCode, result.ErrorMessage = told(err)
		response.Topics = append(response.Topics, result)
	}
	if request.ValidateOnly {
		d.records = nil
	}
	return response
}

func (d *decision) morePartitions(t *kmsg.CreatePartitionsRequestTopic, atMost int) ([]meta.Record, error) {
	topic, ok := d.im.Topic(t.Topic)
	if !ok {
		return nil, refuseBare(kerr.UnknownTopicOrPartition)
	}
	have := len(topic.Partitions)
	if have == 0 {
		return nil, refuse(kerr.UnknownServerError, "Invalid state: topic %s appears to have no partitions.", t.Topic)
	}
	additional := int(t.Count) - have
	switch {
	case additional == 0:
		return nil, refuse(kerr.InvalidPartitions, "Topic already has %d partition(s).", have)
	case additional < 0:
		return nil, refuse(kerr.InvalidPartitions,
			"The topic %s currently has %d partition(s); %d would not be an increase.", t.Topic, have, t.Count)
	case t.Assignment != nil && len(t.Assignment) != additional:
		return nil, refuse(kerr.InvalidReplicaAssignment,
			"Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", additional, len(t.Assignment))
	case additional > atMost:
		return nil, refuse(kerr.PolicyViolation, "Unable to perform excessively large batch operation.")
	}
	partitions, err := d.furtherReplicas(t, topic, additional)
	if err != nil {
		return nil, err
	}
	records := make([]meta.Record, len(partitions))
	for i, replicas := range partitions {
		records[i] = d.newPartition(topic.ID, int32(have+i), replicas)
	}
	return records, nil
}

// furtherReplicas are as many as the topic's first partition has.
func (d *decision) furtherReplicas(t *kmsg.CreatePartitionsRequestTopic, topic *meta.Topic, additional int) ([][]int32, error) {
	factor := len(topic.Partitions[0].Replicas)
	if t.Assignment == nil {
		partitions, err := place(d.im, placement{key: topic.Name, count: additional, factor: factor, seed: d.env.Seed})
		if err != nil {
			return nil, err
		}
		return partitions, d.someReplicaActive(partitions, int16(factor))
	}
	partitions := make([][]int32, additional)
	for i := range t.Assignment {
		replicas := t.Assignment[i].Replicas
		if err := d.checkAssignment(replicas, factor); err != nil {
			return nil, err
		}
		if len(d.active(replicas)) == 0 {
			return nil, refuse(kerr.InvalidReplicaAssignment,
				"All brokers specified in the manual partition assignment for partition %d are fenced or in controlled shutdown.",
				len(topic.Partitions)+i)
		}
		partitions[i] = replicas
	}
	return partitions, nil
}
