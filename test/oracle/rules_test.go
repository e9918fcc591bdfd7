//go:build suite

package oracle

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// rule shows a value that two brokers cannot have in common.
type rule func(f *flattener, v any) string

// valueRules are what is not compared as it is, by "Response.path" or "*.Field".
var valueRules = map[string]rule{
	// Ids and clocks of one broker.
	"InitProducerID.ProducerID":                                      producerID,
	"DescribeProducers.Topics.Partitions.ActiveProducers.ProducerID": producerID,
	"Fetch.Topics.Partitions.AbortedTransactions.ProducerID":         producerID,
	"Fetch.SessionID":                                                   numbered("session"),
	"Metadata.ClusterID":                                                pointed("cluster"),
	"DescribeCluster.ClusterID":                                         named("cluster"),
	"ApiVersions.FinalizedFeaturesEpoch":                                func(*flattener, any) string { return "<epoch>" },
	"Produce.Topics.Partitions.LogAppendTime":                           clock,
	"ListOffsets.Topics.Partitions.Timestamp":                           clock,
	"DescribeProducers.Topics.Partitions.ActiveProducers.LastTimestamp": clock,
	"DescribeLogDirs.Dirs.TotalBytes":                                   anyBytes,
	"DescribeLogDirs.Dirs.UsableBytes":                                  anyBytes,
	"*.Port":                                                            port,
	// A leader that starts again begins an epoch: brokers that run one after another on a directory have different ones.
	"Metadata.Topics.Partitions.LeaderEpoch": func(f *flattener, v any) string {
		if f.exact {
			return "<epoch>"
		}
		return fmt.Sprint(v)
	},
	// Texts for people: whether there is one counts, its words are each broker's own.
	"*.ErrorMessage":  present,
	"*.Documentation": present,
	// Defaults that Barnabas takes from the machine.
	"DescribeConfigs.Resources[0].Configs[queued.max.request.bytes].ConfigSynonyms[1].Value": ofMachine,
	"DescribeConfigs.Resources[0].Configs[log.dir].ConfigSynonyms[1].Value":                  ofMachine,
}

// recordFields are bytes that hold record batches.
var recordFields = map[string]bool{"Fetch.Topics.Partitions.RecordBatches": true}

// listKey says by what the items of a list are told apart, where Kafka's order means nothing.
type listKey struct {
	of  func(f *flattener, item any) string
	why string
}

const hashed = "Kafka's order is that of a hash map"

var listKeys = map[string]listKey{
	"Produce.Topics.Partitions":         {func(_ *flattener, v any) string { return fmt.Sprint(v.(kmsg.ProduceResponseTopicPartition).Partition) }, hashed},
	"DescribeConfigs.Resources.Configs": {func(_ *flattener, v any) string { return v.(kmsg.DescribeConfigsResponseResourceConfig).Name }, hashed},
	"ListGroups.Groups":                 {func(_ *flattener, v any) string { return v.(kmsg.ListGroupsResponseGroup).Group }, hashed},
	"DescribeGroups.Groups.Members":     {func(_ *flattener, v any) string { return v.(kmsg.DescribeGroupsResponseGroupMember).ClientID }, hashed},
	"DescribeLogDirs.Dirs.Topics":       {func(_ *flattener, v any) string { return v.(kmsg.DescribeLogDirsResponseDirTopic).Topic }, hashed},
	"DescribeLogDirs.Dirs.Topics.Partitions": {func(_ *flattener, v any) string {
		return fmt.Sprint(v.(kmsg.DescribeLogDirsResponseDirTopicPartition).Partition)
	}, hashed},
	"Metadata.Topics": {func(f *flattener, v any) string {
		topic := v.(kmsg.MetadataResponseTopic)
		if topic.Topic == nil {
			return f.id(topic.TopicID[:])
		}
		return *topic.Topic
	}, hashed},
	"ListOffsets.Topics.Partitions": {func(_ *flattener, v any) string {
		return fmt.Sprint(v.(kmsg.ListOffsetsResponseTopicPartition).Partition)
	}, hashed},
	"JoinGroup.Members":     {func(_ *flattener, v any) string { return v.(kmsg.JoinGroupResponseMember).MemberID }, hashed},
	"DescribeGroups.Groups": {func(_ *flattener, v any) string { return v.(kmsg.DescribeGroupsResponseGroup).Group }, hashed},
	"DeleteGroups.Groups":   {func(_ *flattener, v any) string { return v.(kmsg.DeleteGroupsResponseGroup).Group }, hashed},
	"OffsetFetch.Topics":    {func(_ *flattener, v any) string { return v.(kmsg.OffsetFetchResponseTopic).Topic }, hashed},
	"OffsetFetch.Topics.Partitions": {func(_ *flattener, v any) string {
		return fmt.Sprint(v.(kmsg.OffsetFetchResponseTopicPartition).Partition)
	}, hashed},
	"OffsetFetch.Groups.Topics": {func(f *flattener, v any) string {
		topic := v.(kmsg.OffsetFetchResponseGroupTopic)
		return topic.Topic + f.id(topic.TopicID[:])
	}, hashed},
	"OffsetFetch.Groups.Topics.Partitions": {func(_ *flattener, v any) string {
		return fmt.Sprint(v.(kmsg.OffsetFetchResponseGroupTopicPartition).Partition)
	}, hashed},
	"ApiVersions.ApiKeys": {func(_ *flattener, v any) string { return kmsg.NameForKey(v.(kmsg.ApiVersionsResponseApiKey).ApiKey) }, hashed},
	"ApiVersions.SupportedFeatures": {func(_ *flattener, v any) string {
		return v.(kmsg.ApiVersionsResponseSupportedFeature).Name
	}, hashed},
	"ApiVersions.FinalizedFeatures": {func(_ *flattener, v any) string {
		return v.(kmsg.ApiVersionsResponseFinalizedFeature).Name
	}, hashed},
	"ListConfigResources.ConfigResources": {func(_ *flattener, v any) string {
		r := v.(kmsg.ListConfigResourcesResponseConfigResource)
		return fmt.Sprintf("%d %s", r.Type, r.Name)
	}, hashed},
}

func (f *flattener) producer(id int64) string {
	if id < 0 || f.exact {
		return fmt.Sprint(id)
	}
	return f.symbol("producer", fmt.Sprint(id))
}

func producerID(f *flattener, v any) string { return f.producer(v.(int64)) }

func clock(f *flattener, v any) string { return f.time(v.(int64)) }

// numbered shows a number above 0 as a symbol.
func numbered(kind string) rule {
	return func(f *flattener, v any) string {
		n := fmt.Sprint(v)
		if n == "0" || n[0] == '-' {
			return n
		}
		return f.symbol(kind, n)
	}
}

func named(kind string) rule {
	return func(f *flattener, v any) string {
		if v.(string) == "" {
			return `""`
		}
		return f.symbol(kind, v.(string))
	}
}

func pointed(kind string) rule {
	return func(f *flattener, v any) string {
		if v.(*string) == nil {
			return "null"
		}
		return named(kind)(f, *v.(*string))
	}
}

func present(_ *flattener, v any) string {
	if v.(*string) == nil {
		return "null"
	}
	return "<text>"
}

func port(f *flattener, v any) string {
	if p := fmt.Sprint(v); f.node.address == "127.0.0.1:"+p {
		return "<port>"
	}
	return fmt.Sprint(v)
}

// ofMachine shows what is not Kafka's default.
func ofMachine(_ *flattener, v any) string {
	switch value := v.(*string); {
	case value == nil:
		return "null"
	case *value == "-1" || *value == "/tmp/kafka-logs":
		return *value
	}
	return "<of the machine>"
}

func anyBytes(_ *flattener, v any) string {
	if v.(int64) > 0 {
		return "<bytes>"
	}
	return fmt.Sprint(v)
}
