package api

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/config"
	"github.com/barnabas-mq/barnabas/internal/meta"
)

const (
	offsetsTopic      = "__consumer_offsets"
	transactionsTopic = "__transaction_state"
	sharesTopic       = "__share_group_state"
)

// isInternalTopic reports whether a topic belongs to Kafka itself.
func isInternalTopic(name string) bool {
	return name == offsetsTopic || name == transactionsTopic || name == sharesTopic
}

// InternalFactors are the replication factors that internal topics are to have, by name.
func InternalFactors(settings *config.Values) map[string]int {
	return map[string]int{
		offsetsTopic:      int(config.OffsetsTopicReplicationFactor.Of(settings)),
		transactionsTopic: int(config.TransactionsTopicReplicationFactor.Of(settings)),
		sharesTopic:       int(config.SharesTopicReplicationFactor.Of(settings)),
	}
}

// InternalTopic is how an internal topic is created, as settings say, over an image. Whoever makes one, for itself or for a
// client that asks for its metadata, makes it so: an ordinary topic of the name would be of no use to its coordinator.
func InternalTopic(name string, settings *config.Values, image *meta.Image) kmsg.CreateTopicsRequestTopic {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic = name
	set := func(partitions int32, factor config.Key[int16], segmentBytes int32) {
		topic.NumPartitions, topic.ReplicationFactor = partitions, internalFactor(factor, settings, image)
		topic.Configs = append(topic.Configs,
			topicConfig("cleanup.policy", "compact"), topicConfig("segment.bytes", fmt.Sprint(segmentBytes)))
	}
	inSync := func(least int32, isSet bool) {
		if !isSet { // Kafka's two of three is not to be had of fewer
			least = min(least, int32(topic.ReplicationFactor))
		}
		topic.Configs = append(topic.Configs, topicConfig("min.insync.replicas", fmt.Sprint(least)))
	}
	switch name {
	case offsetsTopic:
		set(config.OffsetsTopicNumPartitions.Of(settings), config.OffsetsTopicReplicationFactor, config.OffsetsTopicSegmentBytes.Of(settings))
		topic.Configs = append(topic.Configs, topicConfig("compression.type", "producer"))
	case transactionsTopic:
		set(config.TransactionsTopicNumPartitions.Of(settings), config.TransactionsTopicReplicationFactor, config.TransactionsTopicSegmentBytes.Of(settings))
		inSync(config.TransactionsTopicMinISR.Of(settings), config.TransactionsTopicMinISR.IsSet(settings))
		topic.Configs = append(topic.Configs,
			topicConfig("compression.type", "uncompressed"), topicConfig("unclean.leader.election.enable", "false"))
	case sharesTopic:
		set(config.SharesTopicNumPartitions.Of(settings), config.SharesTopicReplicationFactor, config.SharesTopicSegmentBytes.Of(settings))
		inSync(int32(config.SharesTopicMinISR.Of(settings)), config.SharesTopicMinISR.IsSet(settings))
		topic.Configs = append(topic.Configs, topicConfig("compression.type", "producer"))
	default:
		panic(fmt.Sprintf("topic %s is not internal", name))
	}
	return topic
}

func topicConfig(name, value string) kmsg.CreateTopicsRequestTopicConfig {
	c := kmsg.NewCreateTopicsRequestTopicConfig()
	c.Name, c.Value = name, &value
	return c
}

// internalFactor is the replication factor of an internal topic: what is set, and refused when there are too few brokers,
// else as many of the default three as there are brokers. Kafka insists on three, so that one broker with its defaults
// hangs every consumer.
func internalFactor(key config.Key[int16], settings *config.Values, image *meta.Image) int16 {
	factor := key.Of(settings)
	if key.IsSet(settings) {
		return factor
	}
	alive := int16(0)
	for broker := range image.Brokers() {
		if !broker.Fenced && alive < factor {
			alive++
		}
	}
	return max(alive, 1)
}
