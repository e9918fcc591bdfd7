//go:build suite

package oracle

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/barnabas-mq/barnabas/internal/config"
)

// rule shows a value that two brokers cannot have in common.
type rule func(f *flattener, v any) string

// valueRules are what is not compared as it is, by "Response.path".
var valueRules = map[string]rule{
	// Ids and clocks of one broker.
	"InitProducerID.ProducerID":                                      producerID,
	"DescribeProducers.Topics.Partitions.ActiveProducers.ProducerID": producerID,
	"Fetch.Topics.Partitions.AbortedTransactions.ProducerID":         producerID,
	"Fetch.SessionID":                                                      numbered("session"),
	"Metadata.ClusterID":                                                   pointed("cluster"),
	"DescribeCluster.ClusterID":                                            named("cluster"),
	"ApiVersions.FinalizedFeaturesEpoch":                                   metadataOffset,
	"Produce.Topics.Partitions.LogAppendTime":                              clock,
	"ListOffsets.Topics.Partitions.Timestamp":                              clock,
	"DescribeProducers.Topics.Partitions.ActiveProducers.LastTimestamp":    clock,
	"DescribeQuorum.Topics.Partitions.HighWatermark":                       metadataOffset,
	"DescribeQuorum.Topics.Partitions.LeaderEpoch":                         func(*flattener, any) string { return "<epoch>" },
	"DescribeQuorum.Topics.Partitions.CurrentVoters.LogEndOffset":          metadataOffset,
	"DescribeQuorum.Topics.Partitions.CurrentVoters.LastFetchTimestamp":    clock,
	"DescribeQuorum.Topics.Partitions.CurrentVoters.LastCaughtUpTimestamp": clock,
	"DescribeQuorum.Nodes.Listeners.Port":                                  func(*flattener, any) string { return "<port>" },
	"AddRaftVoter.ErrorMessage":                                            wording,
	"RemoveRaftVoter.ErrorMessage":                                         wording,
	"DescribeLogDirs.Dirs.TotalBytes":                                      anyBytes,
	"DescribeLogDirs.Dirs.UsableBytes":                                     anyBytes,
	"DescribeCluster.Brokers.Port":                                         port,
	"Fetch.Brokers.Port":                                                   port,
	"FindCoordinator.Coordinators.Port":                                    port,
	"FindCoordinator.Port":                                                 port,
	"Metadata.Brokers.Port":                                                port,
	"Produce.Brokers.Port":                                                 port,
	// A leader that starts again begins an epoch: brokers that run one after another on a directory have different ones.
	"Metadata.Topics.Partitions.LeaderEpoch": func(f *flattener, v any) string {
		if f.exact {
			return "<epoch>"
		}
		return fmt.Sprint(v)
	},
	// Texts for people: whether there is one counts, its words are each broker's own.
	"AlterConfigs.Resources.ErrorMessage":                 wording,
	"CreatePartitions.Topics.ErrorMessage":                wording,
	"CreateTopics.Topics.ErrorMessage":                    wording,
	"DeleteTopics.Topics.ErrorMessage":                    wording,
	"DescribeCluster.ErrorMessage":                        wording,
	"DescribeConfigs.Resources.ErrorMessage":              wording,
	"DescribeConfigs.Resources.Configs.Documentation":     wording,
	"DescribeGroups.Groups.ErrorMessage":                  wording,
	"DescribeProducers.Topics.Partitions.ErrorMessage":    wording,
	"FindCoordinator.Coordinators.ErrorMessage":           wording,
	"FindCoordinator.ErrorMessage":                        wording,
	"IncrementalAlterConfigs.Resources.ErrorMessage":      wording,
	"Produce.Topics.Partitions.ErrorMessage":              wording,
	"Produce.Topics.Partitions.ErrorRecords.ErrorMessage": wording,
	// Defaults that Barnabas takes from the machine.
	"DescribeConfigs.Resources[0].Configs[queued.max.request.bytes].ConfigSynonyms[1].Value": ofMachine("queued.max.request.bytes"),
	"DescribeConfigs.Resources[0].Configs[log.dir].ConfigSynonyms[1].Value":                  ofMachine("log.dir"),
}

// recordFields are bytes that hold record batches.
var recordFields = map[string]bool{"Fetch.Topics.Partitions.RecordBatches": true}

// listKey says by what the items of a list are told apart, where their places say nothing.
type listKey struct {
	of  func(f *flattener, item any) string
	why string
	by  func(item any) int64 // rises from item to item in Kafka's answer; nil: in no order
}

const (
	hashed = "Kafka's order is that of a hash map"
	more   = "Kafka has more of them; that they are in order is compared, too"
)

var listKeys = map[string]listKey{
	"Produce.Topics.Partitions":         {of: func(_ *flattener, v any) string { return fmt.Sprint(v.(kmsg.ProduceResponseTopicPartition).Partition) }, why: hashed},
	"DescribeConfigs.Resources.Configs": {of: func(_ *flattener, v any) string { return v.(kmsg.DescribeConfigsResponseResourceConfig).Name }, why: hashed},
	"ListGroups.Groups":                 {of: func(_ *flattener, v any) string { return v.(kmsg.ListGroupsResponseGroup).Group }, why: hashed},
	"DescribeGroups.Groups.Members":     {of: func(_ *flattener, v any) string { return v.(kmsg.DescribeGroupsResponseGroupMember).ClientID }, why: hashed},
	"DescribeLogDirs.Dirs.Topics":       {of: func(_ *flattener, v any) string { return v.(kmsg.DescribeLogDirsResponseDirTopic).Topic }, why: hashed},
	"DescribeLogDirs.Dirs.Topics.Partitions": {of: func(_ *flattener, v any) string {
		return fmt.Sprint(v.(kmsg.DescribeLogDirsResponseDirTopicPartition).Partition)
	}, why: hashed},
	"Metadata.Topics": {of: func(f *flattener, v any) string {
		topic := v.(kmsg.MetadataResponseTopic)
		if topic.Topic == nil {
			return f.id(topic.TopicID[:])
		}
		return *topic.Topic
	}, why: hashed},
	"ListOffsets.Topics.Partitions": {of: func(_ *flattener, v any) string {
		return fmt.Sprint(v.(kmsg.ListOffsetsResponseTopicPartition).Partition)
	}, why: hashed},
	"JoinGroup.Members":     {of: func(_ *flattener, v any) string { return v.(kmsg.JoinGroupResponseMember).MemberID }, why: hashed},
	"DescribeGroups.Groups": {of: func(_ *flattener, v any) string { return v.(kmsg.DescribeGroupsResponseGroup).Group }, why: hashed},
	"DeleteGroups.Groups":   {of: func(_ *flattener, v any) string { return v.(kmsg.DeleteGroupsResponseGroup).Group }, why: hashed},
	"OffsetFetch.Topics":    {of: func(_ *flattener, v any) string { return v.(kmsg.OffsetFetchResponseTopic).Topic }, why: hashed},
	"OffsetFetch.Topics.Partitions": {of: func(_ *flattener, v any) string {
		return fmt.Sprint(v.(kmsg.OffsetFetchResponseTopicPartition).Partition)
	}, why: hashed},
	"OffsetFetch.Groups.Topics": {of: func(f *flattener, v any) string {
		topic := v.(kmsg.OffsetFetchResponseGroupTopic)
		return topic.Topic + f.id(topic.TopicID[:])
	}, why: hashed},
	"OffsetFetch.Groups.Topics.Partitions": {of: func(_ *flattener, v any) string {
		return fmt.Sprint(v.(kmsg.OffsetFetchResponseGroupTopicPartition).Partition)
	}, why: hashed},
	"ApiVersions.ApiKeys": {
		of:  func(_ *flattener, v any) string { return kmsg.NameForKey(v.(kmsg.ApiVersionsResponseApiKey).ApiKey) },
		why: more,
		by:  func(v any) int64 { return int64(v.(kmsg.ApiVersionsResponseApiKey).ApiKey) },
	},
	"ApiVersions.SupportedFeatures": {of: func(_ *flattener, v any) string {
		return v.(kmsg.ApiVersionsResponseSupportedFeature).Name
	}, why: hashed},
	"ApiVersions.FinalizedFeatures": {of: func(_ *flattener, v any) string {
		return v.(kmsg.ApiVersionsResponseFinalizedFeature).Name
	}, why: hashed},
	"ListConfigResources.ConfigResources": {of: func(_ *flattener, v any) string {
		r := v.(kmsg.ListConfigResourcesResponseConfigResource)
		return fmt.Sprintf("%d %s", r.Type, r.Name)
	}, why: hashed},
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

// wording shows that there is one. "NONE" is what Kafka says where there is no error.
func wording(_ *flattener, v any) string {
	switch value := v.(*string); {
	case value == nil:
		return "null"
	case *value == "" || *value == "NONE":
		return fmt.Sprintf("%q", *value)
	}
	return "<text>"
}

// metadataOffset is how far each broker's metadata goes; below 0 there are no features.
func metadataOffset(_ *flattener, v any) string {
	if v.(int64) >= 0 {
		return "<epoch>"
	}
	return fmt.Sprint(v)
}

func port(f *flattener, v any) string {
	if p := fmt.Sprint(v); f.node.address == "127.0.0.1:"+p {
		return "<port>"
	}
	return fmt.Sprint(v)
}

// ofMachine shows the default that Barnabas works out on this machine.
func ofMachine(setting string) rule {
	ours := config.FromMachine().Values[setting]
	return func(_ *flattener, v any) string {
		switch value := v.(*string); {
		case value == nil:
			return "null"
		case *value == ours:
			return "<of the machine>"
		default:
			return *value
		}
	}
}

func anyBytes(_ *flattener, v any) string {
	if v.(int64) > 0 {
		return "<bytes>"
	}
	return fmt.Sprint(v)
}
