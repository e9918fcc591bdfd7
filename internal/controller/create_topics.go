package controller

import (
	"strings"

	"github.com/barnabas-mq/barnabas/internal/meta"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopics (key 19, versions 0 to 7) makes topics, each wholly or not at
// all, all those that are in order in one atomic batch.
//
// v1 adds validate only and messages; v4 -1 for the default number of partitions
// and factor (KIP-464); v5 the configs and the shape in the answer (KIP-525);
// v7 the topic id.
//
// A timeout of 0 or less has passed already: nothing is made.

// maxPartitionsPerRequest is Kafka's bound on the partitions that one request
// may make, however they are spread over topics.
const maxPartitionsPerRequest = 10_000

func (d *decision) createTopics(request *kmsg.CreateTopicsRequest) *kmsg.CreateTopicsResponse {
	response := request.ResponseKind().(*kmsg.CreateTopicsResponse)
	if len(request.Topics) == 0 {
		return response
	}
	if err := d.createTopicsRefused(request); err != nil {
		for i := range request.Topics {
			response.Topics = append(response.Topics, topicNotCreated(request.Topics[i].Topic, err))
		}
		return response
	}
	repeated := repeatedNames(request.Topics, func(t *kmsg.CreateTopicsRequestTopic) string { return t.Topic })
	answered := make(map[string]bool)
	for i := range request.Topics {
		topic := &request.Topics[i]
		if repeated[topic.Topic] {
			if !answered[topic.Topic] {
				answered[topic.Topic] = true
				response.Topics = append(response.Topics,
					topicNotCreated(topic.Topic, refuse(kerr.InvalidRequest, "Duplicate topic name.")))
			}
			continue
		}
		result, records, err := d.createTopic(topic)
		if err != nil {
			result = topicNotCreated(topic.Topic, err)
		}
		d.add(records...)
		response.Topics = append(response.Topics, result)
	}
	if err := d.tooMany(); err != nil {
		for i := range response.Topics {
			response.Topics[i] = topicNotCreated(response.Topics[i].Topic, err)
		}
	}
	if request.ValidateOnly {
		d.records = nil
	}
	return response
}

// createTopicsRefused is why the request as a whole is refused.
func (d *decision) createTopicsRefused(request *kmsg.CreateTopicsRequest) error {
	if request.TimeoutMillis <= 0 {
		return refuseBare(kerr.RequestTimedOut)
	}
	total := int64(0)
	for i := range request.Topics {
		switch t := &request.Topics[i]; {
		case len(t.ReplicaAssignment) > 0:
			total += int64(len(t.ReplicaAssignment))
		case t.NumPartitions == -1:
			total += int64(d.env.DefaultPartitions)
		case t.NumPartitions > 0:
			total += int64(t.NumPartitions)
		}
	}
	if total > maxPartitionsPerRequest {
		return refuse(kerr.PolicyViolation, "Excessively large number of partitions per request.")
	}
	return nil
}

// repeatedNames are the names that more than one item has.
func repeatedNames[T any](items []T, name func(*T) string) map[string]bool {
	seen := make(map[string]bool, len(items)) // true: more than once
	for i := range items {
		n := name(&items[i])
		_, again := seen[n]
		seen[n] = again
	}
	return seen
}

func topicNotCreated(name string, err error) kmsg.CreateTopicsResponseTopic {
	result := kmsg.NewCreateTopicsResponseTopic()
	result.Topic = name
	result.ErrorCode, result.ErrorMessage = told(err)
	result.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
	return result
}

func (d *decision) createTopic(topic *kmsg.CreateTopicsRequestTopic) (kmsg.CreateTopicsResponseTopic, []meta.Record, error) {
	none := kmsg.CreateTopicsResponseTopic{}
	if err := d.checkNewName(topic.Topic); err != nil {
		return none, nil, err
	}
	configs, err := d.newTopicConfigs(topic)
	if err != nil {
		return none, nil, err
	}
	partitions, err := d.newTopicPartitions(topic)
	if err != nil {
		return none, nil, err
	}
	id := d.env.NewID()
	records := []meta.Record{&meta.TopicRecord{Name: topic.Topic, TopicID: id}}
	overrides := make(map[string]string, len(configs))
	for _, c := range configs {
		records = append(records, c)
		overrides[c.Name] = *c.Value
	}
	for i, replicas := range partitions {
		records = append(records, d.newPartition(id, int32(i), replicas))
	}
	result := kmsg.NewCreateTopicsResponseTopic()
	result.Topic, result.TopicID = topic.Topic, id
	result.NumPartitions = int32(len(partitions))
	result.ReplicationFactor = int16(len(partitions[0]))
	result.Configs = d.effectiveConfigs(overrides)
	return result, records, nil
}

func (d *decision) checkNewName(name string) error {
	if name == ClusterMetadataTopic {
		return refuse(kerr.InvalidRequest, "Creation of internal topic %s is prohibited.", name)
	}
	if _, exists := d.im.Topic(name); exists {
		return refuse(kerr.TopicAlreadyExists, "Topic '%s' already exists.", name)
	}
	if err := CheckTopicName(name); err != nil {
		return err
	}
	if other, collides := colliding(d.im, name); collides {
		return refuse(kerr.InvalidTopicException, "Topic '%s' collides with existing topic: %s", name, other)
	}
	return nil
}

// newTopicConfigs are the records of a new topic's configs, in the order of the
// request.
func (d *decision) newTopicConfigs(topic *kmsg.CreateTopicsRequestTopic) ([]*meta.ConfigRecord, error) {
	var nulls []string
	values := make(map[string]string, len(topic.Configs))
	for i := range topic.Configs {
		if c := &topic.Configs[i]; c.Value == nil {
			nulls = append(nulls, c.Name)
		} else {
			values[c.Name] = *c.Value
		}
	}
	if len(nulls) > 0 {
		return nil, refuse(kerr.InvalidConfig, "Null value not supported for topic configs: %s", strings.Join(nulls, ","))
	}
	if err := d.checkConfigs(meta.ConfigResource{Type: meta.ResourceTopic, Name: topic.Topic}, values); err != nil {
		return nil, err
	}
	var records []*meta.ConfigRecord
	for i := range topic.Configs {
		name := topic.Configs[i].Name
		value, first := values[name]
		if !first {
			continue // named twice: the last value counts, once
		}
		delete(values, name)
		records = append(records, &meta.ConfigRecord{
			ResourceType: meta.ResourceTopic, ResourceName: topic.Topic, Name: name, Value: &value,
		})
	}
	return records, nil
}

// newTopicPartitions are the replicas of each partition.
func (d *decision) newTopicPartitions(topic *kmsg.CreateTopicsRequestTopic) ([][]int32, error) {
	switch {
	case len(topic.ReplicaAssignment) > 0:
		return d.assignedPartitions(topic)
	case topic.ReplicationFactor < -1 || topic.ReplicationFactor == 0:
		return nil, refuse(kerr.InvalidReplicationFactor,
			"Replication factor must be larger than 0, or -1 to use the default value.")
	case topic.NumPartitions < -1 || topic.NumPartitions == 0:
		return nil, refuse(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	count, factor := topic.NumPartitions, topic.ReplicationFactor
	if count == -1 {
		count = d.env.DefaultPartitions
	}
	if factor == -1 {
		factor = d.env.DefaultReplicationFactor
	}
	partitions, err := place(d.im, placement{key: topic.Topic, count: int(count), factor: int(factor), seed: d.env.Seed})
	if err != nil {
		return nil, refuse(kerr.InvalidReplicationFactor, "Unable to replicate the partition %d time(s): %v", factor, err)
	}
	return partitions, d.someReplicaActive(partitions, factor)
}

// someReplicaActive refuses a placement with a partition that nobody could lead.
func (d *decision) someReplicaActive(partitions [][]int32, factor int16) error {
	for _, replicas := range partitions {
		if len(d.active(replicas)) == 0 {
			return refuse(kerr.InvalidReplicationFactor,
				"Unable to replicate the partition %d time(s): All brokers are currently fenced or in controlled shutdown.", factor)
		}
	}
	return nil
}

func (d *decision) assignedPartitions(topic *kmsg.CreateTopicsRequestTopic) ([][]int32, error) {
	if topic.ReplicationFactor != -1 {
		return nil, refuse(kerr.InvalidRequest,
			"A manual partition assignment was specified, but replication factor was not set to -1.")
	}
	if topic.NumPartitions != -1 {
		return nil, refuse(kerr.InvalidRequest,
			"A manual partition assignment was specified, but numPartitions was not set to -1.")
	}
	partitions := make([][]int32, len(topic.ReplicaAssignment))
	outside := false
	factor := 0
	seen := make(map[int32]bool, len(partitions))
	for i := range topic.ReplicaAssignment {
		a := &topic.ReplicaAssignment[i]
		if seen[a.Partition] {
			return nil, refuse(kerr.InvalidReplicaAssignment,
				"Found multiple manual partition assignments for partition %d", a.Partition)
		}
		seen[a.Partition] = true
		if err := d.checkAssignment(a.Replicas, factor); err != nil {
			return nil, err
		}
		factor = len(a.Replicas)
		if len(d.active(a.Replicas)) == 0 {
			return nil, refuse(kerr.InvalidReplicaAssignment,
				"All brokers specified in the manual partition assignment for partition %d are fenced or in controlled shutdown.", a.Partition)
		}
		if a.Partition < 0 || int(a.Partition) >= len(partitions) {
			outside = true
			continue
		}
		partitions[a.Partition] = a.Replicas
	}
	if outside {
		return nil, refuse(kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
	}
	return partitions, nil
}

func (d *decision) effectiveConfigs(overrides map[string]string) []kmsg.CreateTopicsResponseTopicConfig {
	out := []kmsg.CreateTopicsResponseTopicConfig{}
	if d.env.TopicConfigs == nil {
		return out
	}
	for _, c := range d.env.TopicConfigs(d.im, overrides) {
		line := kmsg.NewCreateTopicsResponseTopicConfig()
		line.Name, line.Value, line.ReadOnly = c.Name, c.Value, c.ReadOnly
		line.Source, line.IsSensitive = c.Source, c.Sensitive
		if asked, set := overrides[c.Name]; set {
			line.Value = &asked // as it was written, as Kafka answers here
		}
		out = append(out, line)
	}
	return out
}
